"""What needs a person now: one line per thing to do, the worst first.

Grouped as people act: by product when it is sold twice, by channel when numbers do not
arrive, then the inbox, then what the hub could not explain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import url_for
from sqlalchemy.engine import RowMapping

from app.domain.instants import MINUTE, Instant
from app.web.pages import cases, troubled
from app.web.pages.todo import NAMED, Action, Issue, Seen
from app.web.texts import gettext, lazy, ngettext


def find(seen: Seen) -> list[Issue]:
    """Everything that needs a person, the worst first."""
    found = [
        *_oversold(seen),
        *_clock(seen.astray),
        *_scheduler(is_silent=seen.is_silent),
        *(issue for row in seen.channels if (issue := troubled.of_channel(row, seen))),
        *map(_unheard, seen.unheard),
        *_inbox(seen.inbox),
        *_incidents(seen.incidents),
    ]
    return sorted(found, key=_order)


def _order(one: Issue) -> tuple[bool, int, bool]:
    return not one.is_risk, -one.units, one.tone != "bad"


def verdict(found: Sequence[Issue], seen: Seen, *, behind: int) -> tuple[str, str, str]:
    """The page in one sentence: tone, headline, what follows from it."""
    if not seen.channels:
        return ("quiet", gettext("No channel is connected yet"), "")
    if any(one.is_risk for one in found):
        return ("bad", gettext("Units may be sold twice"), _products(seen))
    if found:
        n = len(found)
        title = ngettext("%(num)s thing needs you", "%(num)s things need you", n)
        return (found[0].tone, title, gettext("No unit is known to be offered twice."))
    title = gettext("Every channel shows the right number")
    if behind:
        title = ngettext(
            "%(num)s number is on the way", "%(num)s numbers are on the way", behind
        )
    return ("ok", title, gettext("Nothing needs you."))


def _products(seen: Seen) -> str:
    """The products at risk, the worst first."""
    at_risk: dict[str, int] = {row["sku"]: int(row["units"]) for row in seen.oversold}
    for one in seen.urgent:
        if one.excess:
            at_risk[one.sku] = at_risk.get(one.sku, 0) + one.excess
    worst = sorted(at_risk, key=lambda sku: -at_risk[sku])
    return ngettext(
        "%(num)s unit is shown or promised, but not there: %(skus)s.",
        "%(num)s units are shown or promised, but not there: %(skus)s.",
        sum(at_risk.values()),
        skus=_named(worst),
    )


def _named(skus: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    named, more = ", ".join(skus[:NAMED]), len(skus) - NAMED
    if more <= 0:
        return named
    return gettext("%(skus)s and %(more)s more", skus=named, more=more)


# -- products sold twice -----------------------------------------------------


def _oversold(seen: Seen) -> list[Issue]:
    return [
        Issue(
            "bad",
            ngettext(
                "%(sku)s is promised %(num)s time too often",
                "%(sku)s is promised %(num)s times too often",
                int(row["units"]),
                sku=row["sku"],
            ),
            gettext("More is sold than there is."),
            gettext("Count it again, or cancel or re-route an order."),
            actions=(
                Action(
                    gettext("See what happened"), url_for("pages.stock", sku=row["sku"])
                ),
            ),
            units=int(row["units"]),
        )
        for row in seen.oversold[:10]
    ]


# -- the clock ---------------------------------------------------------------


def _clock(astray: Instant) -> list[Issue]:
    if not astray:
        return []
    return [
        Issue(
            "bad",
            _astray(astray),
            gettext(
                "Times shown here are wrong by as much. Nothing is lost, and numbers are "
                "sent by the channels' own clocks."
            ),
            gettext("Set it, or let NTP keep it."),
        )
    ]


def _astray(by: Instant) -> str:
    minutes = round(abs(by) / MINUTE)
    if by > 0:
        return gettext(
            "This machine's clock is %(minutes)s min behind the channels' clocks",
            minutes=minutes,
        )
    return gettext(
        "This machine's clock is %(minutes)s min ahead of the channels' clocks",
        minutes=minutes,
    )


# -- the scheduler -----------------------------------------------------------


def _scheduler(*, is_silent: bool) -> list[Issue]:
    if not is_silent:
        return []
    return [
        Issue(
            "bad",
            gettext("The scheduler is silent"),
            gettext(
                "Nothing is lost, but nobody looks for what was missed: lost wake-ups, "
                "retries that are due, webhooks that never came, holds that are over."
            ),
            gettext("See whether its process runs, and start it again."),
        )
    ]


# -- webhooks that are refused -------------------------------------------------

_UNHEARD: Final[Mapping[str, str]] = {
    "signature": lazy(
        "Put in the secret that signs them, on its page; then send a test webhook there."
    ),
    "stale": lazy("They bear an old time: set the clock of what sends them."),
    "missing_header": lazy(
        "They lack a header that its provider always sends: see what sends them."
    ),
}
"""Why webhooks are refused → what to do."""


def _unheard(row: RowMapping) -> Issue:
    key = row["key"]
    page = Action(gettext("Open its page"), url_for("pages.channel", key=key))
    return Issue(
        "bad",
        gettext("%(key)s: its webhooks are refused", key=key),
        ngettext(
            "%(num)s came and was not taken in: what is sold there is not in the stock.",
            "%(num)s came and none was taken in: what is sold there is not in the stock.",
            row["times"],
        ),
        _UNHEARD[row["cause"]],
        actions=(page,),
    )


# -- what came in, and what nobody understood ----------------------------------


def _inbox(counts: Mapping[str, int]) -> list[Issue]:
    found = []
    if counts.get("parked"):
        found.append(
            Issue(
                "warn",
                ngettext(
                    "%(num)s webhook waits for a name we do not know",
                    "%(num)s webhooks wait for a name we do not know",
                    counts["parked"],
                ),
                gettext("What they say is not in the stock yet."),
                gettext("Say which SKU it is; they apply by themselves."),
                actions=(
                    Action(
                        gettext("Name them"), url_for("pages.inbox", state="parked")
                    ),
                ),
            )
        )
    if counts.get("buried"):
        found.append(
            Issue(
                "bad",
                ngettext(
                    "%(num)s webhook could not be read",
                    "%(num)s webhooks could not be read",
                    counts["buried"],
                ),
                gettext("What they say is not in the stock."),
                gettext("Read why; replay once the cause is gone."),
                actions=(
                    Action(gettext("Read why"), url_for("pages.inbox", state="buried")),
                ),
            )
        )
    return found


def _incidents(rows: Sequence[Mapping[str, Any]]) -> list[Issue]:
    """One line per kind, however many there are of it."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        # Trouble with a channel has its own line already.
        if row["kind"] != "channel":
            kinds.setdefault(row["kind"], []).append(row)
    return [_of_a_kind(kind, alike) for kind, alike in kinds.items()]


def _of_a_kind(kind: str, rows: Sequence[Mapping[str, Any]]) -> Issue:
    said = cases.saying(kind)
    if len(rows) == 1:
        url = url_for("pages.incident", incident_id=rows[0]["id"])
        one = Action(gettext("Deal with it"), url)
        return Issue("warn", said.title, rows[0]["message"], actions=(one,))
    skus = sorted({sku for row in rows for sku in cases.skus(row)})
    return Issue(
        "warn",
        ngettext(
            "%(title)s: %(num)s case",
            "%(title)s: %(num)s cases",
            len(rows),
            title=said.title,
        ),
        said.meaning,
        said.fix,
        detail=_named(skus),
        actions=(Action(gettext("Show them"), url_for("pages.incidents")),),
    )

"""What needs a person now: one line per thing to do, the worst first.

Grouped as people act: by product when it is sold twice, by channel when numbers do not
arrive, then the inbox, then what the hub could not explain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flask import url_for
from sqlalchemy.engine import RowMapping

from app.domain.instants import SECOND, Instant
from app.store.publishing.deliveries import WAITING
from app.store.watching import clock
from app.web.pages import cases, words
from app.web.pages.rows import Delivery, excess

FRESH: Final = 10 * SECOND
"""Younger than this, a number on its way is nobody's business."""
NAMED: Final = 3
"""How many products are named before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to judge."""

    urgent: Sequence[Delivery]
    oversold: Sequence[RowMapping]
    channels: Sequence[RowMapping]
    failures: Sequence[RowMapping]
    inbox: Mapping[str, int]
    incidents: Sequence[Mapping[str, Any]]
    astray: Instant
    """How far our clock is behind the channels'; 0 when it is right."""
    now: Instant


@dataclass(frozen=True, slots=True)
class Action:
    """A button (`post`) or a link; `is_deed`: only for those who may do something."""

    label: str
    url: str
    post: Mapping[str, str] | None = None
    is_deed: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to do."""

    tone: str
    title: str
    meaning: str
    advice: str = ""
    detail: str = ""
    """The provider's own words, or another thing to read only when needed."""
    products: Sequence[Delivery] = ()
    more: int = 0
    actions: Sequence[Action] = field(default_factory=tuple)
    units: int = 0
    """How many units may be sold twice as long as nobody acts."""

    @property
    def is_risk(self) -> bool:
        """Whether waiting may cost a sale that cannot be kept."""
        return self.units > 0


def stays(one: Delivery, now: Instant) -> bool:
    """Whether a number will not arrive by itself at once: it was tried, is held, or
    has waited for long."""
    return bool(one.state != WAITING or one.wanted_at < now - FRESH)


def find(seen: Seen) -> list[Issue]:
    """Everything that needs a person, the worst first."""
    found = [
        *_oversold(seen),
        *_clock(seen.astray),
        *(issue for row in seen.channels if (issue := _channel(row, seen))),
        *_inbox(seen.inbox),
        *_incidents(seen.incidents),
    ]
    return sorted(found, key=_order)


def _order(one: Issue) -> tuple[bool, int, bool]:
    return not one.is_risk, -one.units, one.tone != "bad"


def verdict(found: Sequence[Issue], seen: Seen, *, behind: int) -> tuple[str, str, str]:
    """The page in one sentence: tone, headline, what follows from it."""
    if not seen.channels:
        return ("quiet", "No channel is connected yet", "")
    if any(one.is_risk for one in found):
        return ("bad", "Units may be sold twice", _products(seen))
    if found:
        title = f"{words.units(len(found), 'thing needs', 'things need')} you"
        return (found[0].tone, title, "No unit is known to be offered twice.")
    if behind:
        title = f"{words.units(behind, 'number is', 'numbers are')} on the way"
        return ("ok", title, "Nothing needs you.")
    return ("ok", "Every channel shows the right number", "Nothing needs you.")


def _products(seen: Seen) -> str:
    """The products at risk, the worst first."""
    at_risk: dict[str, int] = {row["sku"]: int(row["units"]) for row in seen.oversold}
    for one in seen.urgent:
        if one.excess:
            at_risk[one.sku] = at_risk.get(one.sku, 0) + one.excess
    worst = sorted(at_risk, key=lambda sku: -at_risk[sku])
    named = ", ".join(worst[:NAMED])
    more = f" and {len(worst) - NAMED} more" if len(worst) > NAMED else ""
    units = words.units(sum(at_risk.values()), "unit is", "units are")
    return f"{units} shown or promised, but not there: {named}{more}."


# -- products sold twice -----------------------------------------------------


def _oversold(seen: Seen) -> list[Issue]:
    return [
        Issue(
            "bad",
            f"{row['sku']} is promised "
            f"{words.units(int(row['units']), 'time', 'times')} too often",
            "More is sold than there is.",
            "Count it again, or cancel or re-route an order.",
            actions=(
                Action("See what happened", url_for("pages.stock", sku=row["sku"])),
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
            clock.words(astray),
            "Times shown here are wrong by as much. Nothing is lost, and numbers are "
            "sent by the channels' own clocks.",
            "Set it, or let NTP keep it.",
        )
    ]


# -- channels ----------------------------------------------------------------


def _channel(row: RowMapping, seen: Seen) -> Issue | None:
    key = row["key"]
    word = words.channel(row, seen.now)
    failed = [one for one in seen.failures if one["channel"] == key]
    late = [one for one in seen.urgent if one.channel == key and stays(one, seen.now)]
    if word.tone in ("ok", "quiet") and not failed and not excess(late):
        return None
    if word.tone == "warn" and not late and not row["paused_at"]:
        return None
    too_many = sorted((one for one in late if one.excess), key=lambda one: -one.excess)
    return Issue(
        "bad" if failed or too_many or word.tone == "bad" else "warn",
        _title(key, word, failed, late),
        _meaning(late, too_many),
        _advice(word, failed),
        _words_of_the_provider(row, failed),
        too_many[:NAMED],
        max(0, len(too_many) - NAMED),
        _actions(row, failed, late),
        units=excess(too_many),
    )


def _title(
    key: str,
    word: words.Word,
    failed: Sequence[RowMapping],
    late: Sequence[Delivery],
) -> str:
    if word.tone in ("bad", "warn"):
        return f"{key}: {word.word.lower()}"
    if failed:
        rows = sum(one["rows"] for one in failed)
        return f"{key}: {words.units(rows, 'number')} failed"
    return f"{key}: {words.units(len(late), 'number is', 'numbers are')} late"


def _meaning(late: Sequence[Delivery], too_many: Sequence[Delivery]) -> str:
    if too_many:
        return f"It offers {words.units(excess(too_many))} that should not be sold:"
    if late:
        return (
            f"{words.units(len(late), 'number has', 'numbers have')} not arrived; "
            "none of them offers too much."
        )
    return "Nothing waits for it now."


def _advice(word: words.Word, failed: Sequence[RowMapping]) -> str:
    if word.tone in ("bad", "warn"):
        return word.meaning
    if failed:
        return words.ADVICE.get(failed[0]["error_class"], "Retry.")
    return "Tried again by itself."


def _words_of_the_provider(row: RowMapping, failed: Sequence[RowMapping]) -> str:
    if failed:
        return failed[0]["example"] or ""
    return row["last_error"] or ""


def _actions(
    row: RowMapping,
    failed: Sequence[RowMapping],
    late: Sequence[Delivery],
) -> tuple[Action, ...]:
    key = row["key"]
    look = Action("Show them", url_for("pages.deliveries", channel=key))
    if row["paused_at"] or row["disconnected_at"]:
        resume = Action("Resume", url_for("pages.resume", key=key), post={})
        return (resume, look) if late or failed else (resume,)
    if failed:
        rows = sum(one["rows"] for one in failed)
        plan = url_for("pages.plan", state="failed", channel=key)
        return (Action(f"Retry {rows} …", plan, is_deed=True), look)
    return (look,) if late else ()


# -- what came in, and what nobody understood ----------------------------------


def _inbox(counts: Mapping[str, int]) -> list[Issue]:
    found = []
    if counts.get("parked"):
        found.append(
            Issue(
                "warn",
                f"{words.units(counts['parked'], 'webhook waits', 'webhooks wait')} "
                "for a name we do not know",
                "What they say is not in the stock yet.",
                "Say which SKU it is; they apply by themselves.",
                actions=(Action("Name them", url_for("pages.inbox", state="parked")),),
            )
        )
    if counts.get("buried"):
        found.append(
            Issue(
                "bad",
                f"{words.units(counts['buried'], 'webhook')} could not be read",
                "What they say is not in the stock.",
                "Read why; replay once the cause is gone.",
                actions=(Action("Read why", url_for("pages.inbox", state="buried")),),
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
        one = Action("Deal with it", url)
        return Issue("warn", said.title, rows[0]["message"], actions=(one,))
    skus = sorted({sku for row in rows for sku in cases.skus(row)})
    more = f" and {len(skus) - NAMED} more" if len(skus) > NAMED else ""
    return Issue(
        "warn",
        f"{said.title}: {words.units(len(rows), 'case')}",
        said.meaning,
        said.fix,
        detail=", ".join(skus[:NAMED]) + more,
        actions=(Action("Show them", url_for("pages.incidents")),),
    )

"""`/incidents`: what does not add up, grouped as people act on it, with the ways out.

Beside the incidents proper: numbers that channels refused, and items nobody has named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import Connection, RowMapping

from app.domain import instants
from app.domain.instants import DAY, HOUR, Instant
from app.pipeline.applying import oversells
from app.pipeline.publishing import disputes
from app.store.engine import writing
from app.store.people import deeds
from app.store.people.people import OPERATOR
from app.store.receiving import traces
from app.store.watching import drifts, incidents as store, overview, watchlist
from app.web import login
from app.web.hub import hub
from app.web.pages import cases, naming
from app.web.pages.cases import Saying
from app.web.pages.frame import back, pages, position
from app.web.texts import gettext, lazy

LISTED: Final = 200
SHOWN: Final = 25
"""Of one group on the page with all groups."""
SNOOZES: Final = {
    "hour": (lazy("an hour"), HOUR),
    "shift": (lazy("eight hours"), 8 * HOUR),
    "day": (lazy("a day"), DAY),
    "week": (lazy("a week"), 7 * DAY),
}
STATES: Final = {
    "open": lazy("Open"),
    "put_off": lazy("Put off"),
    "over": lazy("Over"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Incidents of one kind on one channel."""

    kind: str
    channel: str | None
    saying: Saying
    rows: Sequence[Mapping[str, Any]]

    @property
    def first_at(self) -> Instant:
        """When the oldest of them was first seen."""
        return min(int(row["opened_at"]) for row in self.rows)

    @property
    def last_at(self) -> Instant:
        """When the newest was last seen."""
        return max(int(row["seen_at"]) for row in self.rows)

    @property
    def skus(self) -> list[str]:
        """The SKUs they are about."""
        return sorted({sku for row in self.rows for sku in cases.skus(row)})

    @property
    def units(self) -> int:
        """How many units they are about."""
        return sum(cases.units(row) for row in self.rows)


@pages.get("/incidents")
def incidents() -> ResponseReturnValue:
    """Show what needs a person, by kind and channel."""
    now = instants.now()
    state = request.args.get("state", "")
    state = state if state in STATES else "open"
    with hub().engine.connect() as connection:
        found = watchlist.listed(connection, state, now, limit=LISTED, after=position())
        current = oversells.up_to_date(connection, found, now)
        failures = overview.failures(connection, now) if state == "open" else ()
        unnamed = naming.unnamed(connection) if state == "open" else ()
    return render_template(
        "incidents.html",
        now=now,
        state=state,
        states=STATES,
        groups=_groups(current),
        shown=SHOWN,
        failures=failures,
        unnamed=unnamed,
        next=found.next,
    )


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[Group]:
    by: dict[tuple[str, str | None], list[Mapping[str, Any]]] = {}
    for row in rows:
        by.setdefault((row["kind"], row["channel"]), []).append(row)
    found = [
        Group(kind, channel, cases.saying(kind), listed)
        for (kind, channel), listed in by.items()
    ]
    order = list(cases.SAYINGS)
    return sorted(
        found,
        key=lambda one: (
            one.saying.tone != "bad",
            order.index(one.kind) if one.kind in order else len(order),
            one.channel or "",
        ),
    )


@pages.get("/incidents/<int(max=9223372036854775807):incident_id>")
def incident(incident_id: int) -> ResponseReturnValue:
    """Show one incident, what is known of it, and what to do."""
    now = instants.now()
    with hub().engine.connect() as connection:
        found = watchlist.find(connection, incident_id)
        if found is None:
            abort(404)
        [row] = oversells.up_to_date(connection, [found], now)
        both: Sequence[RowMapping] = ()
        if row["kind"] == "contradiction":
            both = traces.reports_of(connection, cases.reports(row))
        drifting = _drifts(connection, row, now) if row["kind"] == "drift" else ()
    told = cases.details(row)
    return render_template(
        "incident.html",
        now=now,
        row=row,
        saying=cases.saying(row["kind"], told.get("cause")),
        details=told,
        both=both,
        drifts=drifting,
        snoozes=SNOOZES,
    )


def _drifts(
    connection: Connection, row: Mapping[str, Any], now: Instant
) -> Sequence[Mapping[str, Any]]:
    """The numbers of this SKU there that a person is asked about."""
    key, _, sku = row["subject"].partition(":")
    found = drifts.page(
        connection, limit=SHOWN, channel=key, sku=sku, state=drifts.WAITS
    )
    return disputes.told(connection, found, now)


@pages.post("/incidents/<int(max=9223372036854775807):incident_id>/resolve")
@login.needs(OPERATOR)
def resolve(incident_id: int) -> ResponseReturnValue:
    """Keep what a person did about it. It opens again by itself when it gets worse."""
    told = request.form.get("note", "").strip()[:2000].replace("\0", "")
    here = url_for("pages.incident", incident_id=incident_id)
    if not told:
        said = gettext("Say what you did about it: others will read it.")
        return back(here, said, "warning")
    now = instants.now()
    with writing(hub().engine) as connection:
        if not store.resolve(connection, incident_id, told, current_user.email, now):
            abort(404)
        row = watchlist.find(connection, incident_id) or abort(404)
        is_kept = (row["resolved_by"], row["resolution"]) == (current_user.email, told)
        if is_kept and row["resolved_at"] == now:
            deeds.note(
                connection,
                current_user.email,
                "resolve",
                f"incident {incident_id}",
                now,
                {"note": told},
            )
    here = url_for("pages.incidents")
    if is_kept:
        return back(here, gettext("It is dealt with; your note is kept."))
    said = gettext(
        "%(resolved_by)s has dealt with it already. Your note was not kept.",
        resolved_by=row["resolved_by"],
    )
    return back(here, said, "warning")


@pages.post("/incidents/<int(max=9223372036854775807):incident_id>/snooze")
@login.needs(OPERATOR)
def snooze(incident_id: int) -> ResponseReturnValue:
    """Put it off for a while; an oversell that gets worse comes back before."""
    name = request.form.get("for", "")
    now = instants.now()
    said, until = gettext("Look at it now."), None
    if name in SNOOZES:
        long, span = SNOOZES[name]
        said = gettext("It is put off for %(long)s, then it comes back.", long=long)
        until = now + span
    with writing(hub().engine) as connection:
        if not store.snooze(connection, incident_id, until):
            abort(404)
        deeds.note(
            connection,
            current_user.email,
            "snooze" if until else "wake",
            f"incident {incident_id}",
            now,
            {"until": until},
        )
    return back(url_for("pages.incidents"), said)

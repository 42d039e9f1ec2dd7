"""Incidents: what a person should look at, one open row per kind and subject."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import incidents

_RESOLUTION: Final = ("resolution", "resolved_by", "resolved_at")


class Measure(NamedTuple):
    """What a followed incident is about now."""

    units: int
    message: str
    details: Mapping[str, Any]


def open_incident(
    connection: Connection,
    kind: str,
    subject: str,
    message: str,
    *,
    now: Instant,
    channel_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Open an incident, or say of the open one that it was seen again.

    The open one then says what is known now: its message and its details change.
    """
    told = json.dumps(dict(details or {}))
    known = connection.execute(
        incidents.update()
        .where(
            incidents.c.kind == kind,
            incidents.c.subject == subject,
            incidents.c.closed_at.is_(None),
        )
        .values(times=incidents.c.times + 1, seen_at=now, message=message, details=told)
    )
    if known.rowcount == 0:
        connection.execute(
            incidents.insert().values(
                kind=kind,
                subject=subject,
                message=message,
                channel_id=channel_id,
                details=told,
                opened_at=now,
                seen_at=now,
            )
        )


def add_to(
    connection: Connection,
    kind: str,
    subject: str,
    message: str,
    part: Mapping[str, Any],
    *,
    now: Instant,
    most: int,
    channel_id: int | None = None,
) -> None:
    """Open an incident with one part, or add a part to the open one; the newest are
    kept."""
    known = connection.execute(
        sa.select(incidents.c.details).where(
            incidents.c.kind == kind,
            incidents.c.subject == subject,
            incidents.c.closed_at.is_(None),
        )
    ).scalar()
    parts = json.loads(known).get("parts", []) if known else []
    details = {"parts": [*parts, dict(part)][-most:]}
    open_incident(
        connection,
        kind,
        subject,
        message,
        now=now,
        channel_id=channel_id,
        details=details,
    )


def open_among(
    connection: Connection, kind: str, subjects: Collection[str]
) -> list[str]:
    """Which of these subjects have an open incident of a kind."""
    found = bulk.select(
        connection,
        "SELECT subject FROM incidents WHERE closed_at IS NULL "
        f"AND kind = '{kind}' AND subject {{among}}",
        subjects,
    )
    return sorted({row[0] for row in found})


def close_incidents(
    connection: Connection,
    kind: str,
    subject: str,
    now: Instant,
    note: str | None = None,
) -> None:
    """Close what is over; the note says why, where that is not plain."""
    connection.execute(
        incidents.update()
        .where(
            incidents.c.kind == kind,
            incidents.c.subject == subject,
            incidents.c.closed_at.is_(None),
        )
        .values(closed_at=now, resolution=note)
    )


def followed(
    connection: Connection, kind: str, subjects: Collection[str]
) -> dict[str, sa.RowMapping]:
    """Subject → its incident that is not over yet, open or resolved."""
    rows = connection.execute(
        sa.select(incidents).where(
            incidents.c.kind == kind,
            incidents.c.subject.in_(subjects),
            incidents.c.units > 0,
        )
    )
    return {row["subject"]: row for row in rows.mappings()}


def follow(
    connection: Connection,
    kind: str,
    subject: str,
    told: Measure,
    known: sa.RowMapping | None,
    now: Instant,
    channel_id: int | None = None,
) -> None:
    """Open an incident, or bring it up to date; what was resolved opens again when it
    got worse."""
    if known is None:
        connection.execute(
            incidents.insert().values(
                kind=kind,
                subject=subject,
                channel_id=channel_id,
                message=told.message,
                details=json.dumps(dict(told.details)),
                units=told.units,
                opened_at=now,
                seen_at=now,
            )
        )
    elif known["resolved_at"] is None or told.units > known["units"]:
        _update(connection, told, known, now)


def _update(
    connection: Connection, told: Measure, known: sa.RowMapping, now: Instant
) -> None:
    before, details = json.loads(known["details"]), dict(told.details)
    if known["resolved_at"] is not None:
        earlier = {name: known[name] for name in _RESOLUTION}
        before["resolutions"] = [*before.get("resolutions", ()), earlier]
    if "resolutions" in before:
        details["resolutions"] = before["resolutions"]
    if known["closed_at"] is None and details == before:
        return
    connection.execute(
        incidents.update()
        .where(incidents.c.id == known["id"])
        .values(
            message=told.message,
            details=json.dumps(details),
            units=told.units,
            times=incidents.c.times + (1 if told.units > known["units"] else 0),
            seen_at=now,
            snoozed_until=(
                None if told.units > known["units"] else known["snoozed_until"]
            ),
            closed_at=None,
            resolved_at=None,
            resolved_by=None,
            resolution=None,
        )
    )


def end(connection: Connection, known: sa.RowMapping, now: Instant) -> None:
    """What was followed is over."""
    connection.execute(
        incidents.update()
        .where(incidents.c.id == known["id"])
        .values(units=0, closed_at=sa.func.coalesce(incidents.c.closed_at, now))
    )


def resolve(
    connection: Connection, incident_id: int, note: str, actor: str, now: Instant
) -> bool:
    """A person has dealt with it; False when there is no such incident.

    Resolved twice, the first word stays.
    """
    connection.execute(
        incidents.update()
        .where(incidents.c.id == incident_id, incidents.c.resolved_at.is_(None))
        .values(
            resolved_at=now,
            resolved_by=actor,
            resolution=note,
            closed_at=sa.func.coalesce(incidents.c.closed_at, now),
        )
    )
    found = sa.select(incidents.c.id).where(incidents.c.id == incident_id)
    return connection.execute(found).first() is not None


def snooze(connection: Connection, incident_id: int, until: Instant | None) -> bool:
    """Put an open incident off until then; None: look at it now. False: no such one.

    What is followed comes back before that when it gets worse.
    """
    changed = connection.execute(
        incidents.update()
        .where(incidents.c.id == incident_id, incidents.c.closed_at.is_(None))
        .values(snoozed_until=until)
    )
    return changed.rowcount == 1

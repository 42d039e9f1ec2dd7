"""Incidents: what a person should look at, one open row per kind and subject."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.store.tables import incidents


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


def close_incidents(
    connection: Connection, kind: str, subject: str, now: Instant
) -> None:
    """Close what is over."""
    connection.execute(
        incidents.update()
        .where(
            incidents.c.kind == kind,
            incidents.c.subject == subject,
            incidents.c.closed_at.is_(None),
        )
        .values(closed_at=now)
    )


def page(
    connection: Connection, *, after: int | None = None, limit: int = 50
) -> list[sa.RowMapping]:
    """Open incidents, newest first."""
    query = (
        sa.select(incidents)
        .where(incidents.c.closed_at.is_(None))
        .order_by(incidents.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(incidents.c.id < after)
    return list(connection.execute(query).mappings())

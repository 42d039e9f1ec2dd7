"""Incidents, read: what a person should look at, the newest first."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import keyset
from app.store.keyset import Page, Position
from app.store.tables import channels, incidents


def page(
    connection: Connection,
    *,
    limit: int,
    after: Position | None = None,
    kind: str | None = None,
    channel: str | None = None,
    is_open: bool | None = None,
) -> Page[RowMapping]:
    """Up to `limit` incidents with their `channel`."""
    query = _incidents()
    if kind is not None:
        query = query.where(incidents.c.kind == kind)
    if channel is not None:
        query = query.where(channels.c.key == channel)
    if is_open is not None:
        query = query.where(incidents.c.closed_at.is_(None) == is_open)
    return _read(connection, query, limit, after)


def listed(
    connection: Connection,
    state: str,
    now: Instant,
    *,
    limit: int,
    after: Position | None = None,
) -> Page[RowMapping]:
    """The same of those that are `open`, `put_off` until later or `over`."""
    query = _incidents()
    if state == "over":
        query = query.where(incidents.c.closed_at.is_not(None))
    elif state == "put_off":
        later = incidents.c.snoozed_until > now
        query = query.where(incidents.c.closed_at.is_(None), later)
    else:
        query = query.where(*_awake(now))
    return _read(connection, query, limit, after)


def find(connection: Connection, incident_id: int) -> RowMapping | None:
    """One incident as in a page, or None."""
    query = _incidents().where(incidents.c.id == incident_id)
    return connection.execute(query).mappings().first()


def count_awake(connection: Connection, now: Instant) -> int:
    """How many are open and not put off."""
    query = sa.select(sa.func.count()).select_from(incidents).where(*_awake(now))
    return connection.execute(query).scalar_one()


def _incidents() -> sa.Select[Any]:
    return sa.select(incidents, channels.c.key.label("channel")).join(
        channels, channels.c.id == incidents.c.channel_id, isouter=True
    )


def _read(
    connection: Connection, query: sa.Select[Any], limit: int, after: Position | None
) -> Page[RowMapping]:
    return keyset.read(
        connection,
        query,
        [incidents.c.id],
        limit=limit,
        after=after,
        newest_first=True,
    )


def _awake(now: Instant) -> tuple[sa.ColumnElement[bool], ...]:
    until = sa.func.coalesce(incidents.c.snoozed_until, 0)
    return incidents.c.closed_at.is_(None), until <= now

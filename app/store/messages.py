"""The inbox, read: what came in, what it said, and what it made somebody wonder."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.events import WHOLE
from app.domain.instants import Instant
from app.store.tables import channels, inbox, incidents, stock_events

STATES: Final = ("waiting", "applied", "ignored", "parked", "buried")
UNDONE: Final = ("waiting", "parked", "buried")
"""What somebody still has to do something with: few, so that they can be counted."""


def page(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    state: str | None = None,
    channel: str | None = None,
) -> Sequence[RowMapping]:
    """Up to `limit` messages, newest first; `before` is the last id of the page before.

    The body is left out: it is sealed, and soon gone.
    """
    columns = [column for column in inbox.c if column.name not in ("body", "headers")]
    query = (
        sa.select(*columns, channels.c.key.label("channel"))
        .join(channels, channels.c.id == inbox.c.channel_id, isouter=True)
        .order_by(inbox.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(inbox.c.id < before)
    if state is not None:
        query = query.where(inbox.c.state == state)
    if channel is not None:
        query = query.where(channels.c.key == channel)
    return connection.execute(query).mappings().all()


def message(connection: Connection, message_id: int) -> RowMapping | None:
    """One message without its body, or None."""
    found = page(connection, limit=1, before=message_id + 1)
    return found[0] if found and found[0]["id"] == message_id else None


def events_of(connection: Connection, message_id: int) -> Sequence[RowMapping]:
    """The stock events that a message said, with the verdict on each."""
    query = sa.select(stock_events).where(
        stock_events.c.inbox_id == message_id, stock_events.c.kind != WHOLE
    )
    return connection.execute(query.order_by(stock_events.c.id)).mappings().all()


def counts(connection: Connection) -> dict[str, int]:
    """How many messages in each of the states in which they are not done."""
    found = connection.execute(
        sa.select(inbox.c.state, sa.func.count())
        .where(inbox.c.state.in_(UNDONE))
        .group_by(inbox.c.state)
    )
    return dict.fromkeys(UNDONE, 0) | {row[0]: row[1] for row in found}


def oldest_waiting(connection: Connection) -> Instant | None:
    """When the message came in that has waited longest, or None."""
    return connection.execute(
        sa.select(sa.func.min(inbox.c.received_at)).where(inbox.c.state == "waiting")
    ).scalar()


# -- incidents ---------------------------------------------------------------


def incidents_page(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    kind: str | None = None,
    channel: str | None = None,
    is_open: bool | None = None,
) -> Sequence[RowMapping]:
    """Up to `limit` incidents, newest first."""
    query: sa.Select[Any] = (
        sa.select(incidents, channels.c.key.label("channel"))
        .join(channels, channels.c.id == incidents.c.channel_id, isouter=True)
        .order_by(incidents.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(incidents.c.id < before)
    if kind is not None:
        query = query.where(incidents.c.kind == kind)
    if channel is not None:
        query = query.where(channels.c.key == channel)
    if is_open is not None:
        query = query.where(incidents.c.closed_at.is_(None) == is_open)
    return connection.execute(query).mappings().all()

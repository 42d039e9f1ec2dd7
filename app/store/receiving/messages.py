"""The inbox, read: what came in, and what it said."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.events import WHOLE
from app.domain.instants import Instant
from app.store import keyset
from app.store.keyset import Page, Position
from app.store.receiving.waiting import AGAIN
from app.store.tables import channels, inbox, stock_events

STATES: Final = ("waiting", "applied", "ignored", "parked", "buried")
UNDONE: Final = ("waiting", "parked", "buried")
"""What somebody still has to do something with: few, so that they can be counted."""


def page(
    connection: Connection,
    *,
    limit: int,
    after: Position | None = None,
    state: str | None = None,
    channel: str | None = None,
) -> Page[RowMapping]:
    """Up to `limit` messages, newest first, without their bodies, which are sealed and
    soon gone."""
    columns = [column for column in inbox.c if column.name not in ("body", "headers")]
    query = sa.select(*columns, channels.c.key.label("channel")).join(
        channels, channels.c.id == inbox.c.channel_id, isouter=True
    )
    if state is not None:
        query = query.where(inbox.c.state == state)
    if channel is not None:
        query = query.where(channels.c.key == channel)
    return keyset.read(
        connection, query, [inbox.c.id], limit=limit, after=after, newest_first=True
    )


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
    """When the message came in that has waited longest, or None. One that is read again
    has waited before."""
    waits = inbox.c.state == "waiting", inbox.c.lane != AGAIN
    query = sa.select(sa.func.min(inbox.c.received_at)).where(*waits)
    return connection.execute(query).scalar()

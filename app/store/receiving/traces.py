"""Traces: which webhooks led to which stock events, and which lines wait for a SKU."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.store.tables import channels, inbox, stock_events


def messages_of(
    connection: Connection, event_ids: Collection[int | None]
) -> Sequence[RowMapping]:
    """The messages that told these stock events, without bodies, newest first."""
    told = sa.select(stock_events.c.inbox_id).where(
        stock_events.c.id.in_([one for one in event_ids if one is not None])
    )
    query = (
        sa.select(
            inbox.c.id,
            inbox.c.topic,
            inbox.c.state,
            inbox.c.delivery_id,
            inbox.c.received_at,
            inbox.c.error,
            channels.c.key.label("channel"),
        )
        .join(channels, channels.c.id == inbox.c.channel_id, isouter=True)
        .where(inbox.c.id.in_(told))
        .order_by(inbox.c.id.desc())
    )
    return connection.execute(query).mappings().all()


def reports_of(connection: Connection, keys: Collection[str]) -> Sequence[RowMapping]:
    """What was said of one fact last, with the webhooks that said it, in that order."""
    query = (
        sa.select(
            stock_events.c.target,
            stock_events.c.version,
            stock_events.c.occurred_at,
            stock_events.c.recorded_at,
            stock_events.c.verdict,
            stock_events.c.actor,
            stock_events.c.details,
            channels.c.key.label("channel"),
            inbox.c.id.label("message"),
            inbox.c.topic,
            inbox.c.document,
            inbox.c.fetched,
        )
        .join(channels, channels.c.id == stock_events.c.channel_id, isouter=True)
        .join(inbox, inbox.c.id == stock_events.c.inbox_id, isouter=True)
        .where(stock_events.c.key.in_(keys))
        .order_by(stock_events.c.id.desc())
        .limit(20)
    )
    return connection.execute(query).mappings().all()[::-1]


def unnamed(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Items of channels whose SKU lines wait for, what has waited longest first.

    Per item: channel, word, lines, units, first_at, last_at; and of its newest line
    details, document and fetched.
    """
    waits = (
        sa.select(
            stock_events.c.waits_for,
            sa.func.count().label("lines"),
            sa.func.sum(stock_events.c.target).label("units"),
            sa.func.min(stock_events.c.recorded_at).label("first_at"),
            sa.func.max(stock_events.c.recorded_at).label("last_at"),
            sa.func.max(stock_events.c.id).label("newest"),
        )
        .where(
            stock_events.c.verdict == "parked", stock_events.c.waits_for.like("sku:%")
        )
        .group_by(stock_events.c.waits_for)
        .order_by(sa.func.min(stock_events.c.recorded_at))
        .limit(limit)
        .subquery()
    )
    newest = stock_events.alias("newest")
    query = (
        sa.select(waits, newest.c.details, inbox.c.document, inbox.c.fetched)
        .join(newest, newest.c.id == waits.c.newest)
        .join(inbox, inbox.c.id == newest.c.inbox_id, isouter=True)
        .order_by(waits.c.first_at)
    )
    found = []
    for row in connection.execute(query).mappings():
        channel, _, word = row["waits_for"].removeprefix("sku:").partition(":")
        found.append({**row, "channel": channel, "word": word})
    return found

"""What the dashboard asks of many tables at once: what is not delivered, what is sold
twice, what a number went through. Read only; ordered by what a person should see first.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import keyset
from app.store.keyset import Page, Position
from app.store.publishing import deliveries
from app.store.publishing.deliveries import Filter
from app.store.tables import (
    channels,
    listings,
    publications,
    push_attempt_items,
    push_attempts,
    refused,
    skus,
    stock_events,
    stock_levels,
)


def undelivered(
    connection: Connection,
    wanted: Filter,
    now: Instant,
    *,
    limit: int,
    after: Position | None = None,
) -> Page[RowMapping]:
    """Up to `limit` publications of a filter, the most urgent and oldest first; where
    any state or what is settled is wanted, by id.

    Every column of publications, and `state`, `urgency`, `channel`, `sku`, `name`,
    `external_id`.
    """
    urgency = _urgency(now).label("urgency")
    query = deliveries.matching(wanted, now).add_columns(
        urgency, publications.c.wanted_at
    )
    keys: list[sa.ColumnElement[int]] = [publications.c.id]
    if wanted.state not in (None, deliveries.SETTLED):
        # Those are read off the index of ids, however many there are.
        keys = [urgency, publications.c.wanted_at, *keys]
    few = keyset.read(connection, query, keys, limit=limit, after=after)
    # Names are looked up for these few, not for all that could be among them.
    ids = [row["id"] for row in few]
    told = _publications(now).add_columns(urgency).where(publications.c.id.in_(ids))
    rows = {row["id"]: row for row in connection.execute(told).mappings()}
    return few.of(rows[one] for one in ids if one in rows)


def _urgency(now: Instant) -> sa.ColumnElement[int]:
    order = {state: place for place, state in enumerate(deliveries.URGENCY)}
    return sa.case(order, value=deliveries.state_at(now), else_=len(order))


def _publications(now: Instant) -> sa.Select[Any]:
    query = sa.select(
        publications,
        deliveries.state_at(now).label("state"),
        channels.c.key.label("channel"),
        skus.c.sku,
        skus.c.name,
        listings.c.external_id,
    )
    return _joined(query)


def _joined(query: sa.Select[Any]) -> sa.Select[Any]:
    return (
        query.select_from(publications)
        .join(channels, channels.c.id == publications.c.channel_id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .join(listings, listings.c.id == publications.c.listing_id)
    )


def publication(connection: Connection, row_id: int, now: Instant) -> RowMapping | None:
    """One publication as in `undelivered`, whatever its state; None when unknown."""
    query = _publications(now).where(publications.c.id == row_id)
    return connection.execute(query).mappings().first()


def of_sku(connection: Connection, sku: str, now: Instant) -> Sequence[RowMapping]:
    """What every channel shows of one SKU."""
    query = _publications(now).where(skus.c.sku == sku)
    ordered = query.order_by(channels.c.key, publications.c.place)
    return connection.execute(ordered).mappings().all()


def attempts(
    connection: Connection, row_id: int, *, limit: int, after: Position | None = None
) -> Page[RowMapping]:
    """Up to `limit` attempts at one publication, newest first: each with its number
    and result."""
    item = push_attempt_items.c
    item_id = item.id.label("item_id")
    query = (
        sa.select(
            push_attempts,
            item_id,
            item.number,
            item.expected,
            item.version,
            item.verdict,
            item.reason,
        )
        .join(push_attempts, push_attempts.c.id == item.attempt_id)
        .where(item.publication_id == row_id)
    )
    return keyset.read(
        connection, query, [item_id], limit=limit, after=after, newest_first=True
    )


def counts(connection: Connection, now: Instant) -> Mapping[tuple[str, str], int]:
    """How many publications per channel and state, those that are settled left out:
    there are many of them, and nothing to say about one."""
    state = deliveries.state_at(now).label("state")
    found = connection.execute(
        sa.select(channels.c.key, state, sa.func.count())
        .select_from(publications)
        .join(channels, channels.c.id == publications.c.channel_id)
        .where(deliveries.is_open())
        .group_by(channels.c.key, state)
    )
    return {(row[0], row[1]): row[2] for row in found}


def oversold(connection: Connection, *, limit: int) -> Sequence[RowMapping]:
    """SKUs of which more is promised than there is, worst first: sku, name, units."""
    short = sa.select(stock_levels.c.sku_id).where(stock_levels.c.available < 0)
    total = sa.func.sum(stock_levels.c.available)
    query = (
        sa.select(
            skus.c.sku, skus.c.name, sa.cast(-total, sa.BigInteger).label("units")
        )
        .join(stock_levels, stock_levels.c.sku_id == skus.c.id)
        .where(skus.c.id.in_(short))
        .group_by(skus.c.id, skus.c.sku, skus.c.name)
        .having(total < 0)
        .order_by(total, skus.c.sku)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def failures(connection: Connection, now: Instant) -> Sequence[RowMapping]:
    """Failed publications by channel and kind of error: channel, error_class, rows,
    an example of the error's text and of a SKU."""
    query = (
        sa.select(
            channels.c.key.label("channel"),
            publications.c.error_class,
            sa.func.count().label("rows"),
            sa.func.min(publications.c.last_error).label("example"),
            sa.func.min(skus.c.sku).label("sku"),
        )
        .select_from(publications)
        .join(channels, channels.c.id == publications.c.channel_id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .where(*deliveries.is_in(deliveries.FAILED, now))
        .group_by(channels.c.key, publications.c.error_class)
        .order_by(sa.func.count().desc(), channels.c.key)
    )
    return connection.execute(query).mappings().all()


def refusals(connection: Connection) -> Sequence[RowMapping]:
    """Webhooks turned away, by channel and cause, the newest first."""
    query = sa.select(refused).order_by(refused.c.last_at.desc()).limit(100)
    return connection.execute(query).mappings().all()


def event_details(
    connection: Connection, event_ids: Collection[int]
) -> Mapping[int, str]:
    """Stock event id → the rest of what its source told, as JSON."""
    found = connection.execute(
        sa.select(stock_events.c.id, stock_events.c.details).where(
            stock_events.c.id.in_(event_ids)
        )
    )
    return {row.id: row.details for row in found}

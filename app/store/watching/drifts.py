"""Differences found between a channel's numbers and ours; only ever added to."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.events import OBSERVED
from app.domain.instants import Instant
from app.store import bulk, keyset
from app.store.keyset import Page, Position
from app.store.stock import aliases
from app.store.tables import (
    channels,
    drifts,
    listings,
    publications,
    skus,
    stock_events,
)

COLUMNS = (
    *("channel_id", "publication_id", "theirs", "ours", "believed"),
    *("cause", "done", "found_at"),
)


def add(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Write differences down; rows are in the order of COLUMNS."""
    bulk.insert(connection, drifts, COLUMNS, rows)


WAITS, OVER = "open", "over"
"""A person is asked about it; or it was healed, taken, explained or decided."""

_IS_OPEN = sa.and_(
    drifts.c.done == "wait",
    sa.func.coalesce(publications.c.disputed, 0) != 0,
    publications.c.disputed_at == drifts.c.found_at,
)


def page(
    connection: Connection,
    *,
    limit: int,
    after: Position | None = None,
    channel: str | None = None,
    state: str | None = None,
    sku: str | None = None,
) -> Page[RowMapping]:
    """Up to `limit` differences, newest first, with `channel`, `sku` and `state`."""
    query = _all()
    if channel is not None:
        query = query.where(channels.c.key == channel)
    if state is not None:
        query = query.where(_IS_OPEN if state == WAITS else sa.not_(_IS_OPEN))
    if sku is not None:
        query = query.where(aliases.names(sku))
    return keyset.read(
        connection, query, [drifts.c.id], limit=limit, after=after, newest_first=True
    )


def find(connection: Connection, drift_id: int) -> RowMapping | None:
    """One difference, as in a page, or None."""
    return connection.execute(_all().where(drifts.c.id == drift_id)).mappings().first()


def newest(connection: Connection, publication_id: int) -> RowMapping | None:
    """The newest difference of a publication, or None."""
    mine = _all().where(drifts.c.publication_id == publication_id)
    query = mine.order_by(drifts.c.id.desc()).limit(1)
    return connection.execute(query).mappings().first()


def _all() -> sa.Select[Any]:
    return (
        sa.select(
            drifts,
            channels.c.key.label("channel"),
            skus.c.sku,
            listings.c.external_id,
            publications.c.place,
            publications.c.listing_id,
            publications.c.sku_id,
            publications.c.disputed,
            sa.case((_IS_OPEN, WAITS), else_=OVER).label("state"),
        )
        .join(channels, channels.c.id == drifts.c.channel_id)
        .join(publications, publications.c.id == drifts.c.publication_id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .join(listings, listings.c.id == publications.c.listing_id)
    )


def heals(connection: Connection, publication_id: int, since: Instant) -> int:
    """How often ours was published over a number, or a person asked, since then."""
    query = sa.select(sa.func.count()).where(
        drifts.c.publication_id == publication_id,
        drifts.c.done.in_(("publish", "wait")),
        drifts.c.found_at > since,
    )
    return int(connection.execute(query).scalar_one())


def dispute(
    connection: Connection, publication_id: int, units: int, at: Instant
) -> None:
    """A person is asked about so many units by which theirs, read then, differs."""
    connection.execute(
        publications.update()
        .where(publications.c.id == publication_id)
        .values(disputed=units, disputed_at=at)
    )


def outdate(connection: Connection, publication_id: int, at: Instant) -> None:
    """Ours comes after what a channel was read to show then."""
    newest = sa.case(
        (publications.c.effect_at > at, publications.c.effect_at), else_=at
    )
    connection.execute(
        publications.update()
        .where(publications.c.id == publication_id)
        .values(effect_at=newest)
    )


def explain(connection: Connection, row: RowMapping, units: int) -> Sequence[int]:
    """The units of a difference are ours now: what other listings of its SKU showed at
    the same place differs by so many fewer. The publications that differ no more."""
    asked = sa.select(publications.c.id).where(
        publications.c.channel_id == row["channel_id"],
        publications.c.sku_id == row["sku_id"],
        publications.c.place == row["place"],
        publications.c.id != row["publication_id"],
        publications.c.disputed.is_not(None),
    )
    ids = connection.scalars(asked.order_by(publications.c.id).with_for_update()).all()
    changed = connection.execute(
        publications.update()
        .where(publications.c.id.in_(ids))
        .values(disputed=publications.c.disputed - units)
        .returning(publications.c.id, publications.c.disputed)
    )
    return [id_ for id_, left in changed if left == 0]


def settle(
    connection: Connection, ids: Collection[int]
) -> Sequence[tuple[int, str, str]]:
    """These are disputed no more; (channel id, key, SKU) of those that were."""
    asked = "SELECT id FROM publications WHERE id {among} AND disputed IS NOT NULL"
    disputed = bulk.select(connection, asked, sorted(ids), "bigint")
    if not disputed:
        return []
    were = publications.c.id.in_([row[0] for row in disputed])
    found = connection.execute(
        sa.select(channels.c.id, channels.c.key, skus.c.sku)
        .select_from(publications)
        .join(channels, channels.c.id == publications.c.channel_id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .where(were)
    ).all()
    nothing = {"disputed": None, "disputed_at": None}
    connection.execute(publications.update().where(were).values(**nothing))
    return [(row.id, row.key, row.sku) for row in found]


def is_disputed(connection: Connection, channel_id: int, sku: str) -> bool:
    """Whether a person is asked about a number of this SKU on this channel."""
    query = (
        sa.select(publications.c.id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .where(
            publications.c.channel_id == channel_id,
            publications.c.disputed.is_not(None),
            skus.c.sku == sku,
        )
        .limit(1)
    )
    return connection.execute(query).first() is not None


def unnamed_at(connection: Connection, channel_id: int) -> Instant:
    """When the newest line of a channel happened that waits for a name; 0: none does."""
    lines = sa.select(sa.func.max(stock_events.c.occurred_at)).where(
        stock_events.c.verdict == "parked",
        stock_events.c.channel_id == channel_id,
        stock_events.c.kind != OBSERVED,
    )
    return int(connection.scalar(lines) or 0)


def waiting(connection: Connection, channel_id: int) -> int:
    """How many of a channel's numbers a person is asked about."""
    rows = sa.select(sa.func.count()).where(
        publications.c.channel_id == channel_id,
        sa.func.coalesce(publications.c.disputed, 0) != 0,
    )
    return int(connection.execute(rows).scalar_one())


def of_items(
    connection: Connection, channel_id: int, items: Collection[str]
) -> dict[tuple[str, str], sa.RowMapping]:
    """The rows of a channel's items, by the item and the place as it calls them."""
    query = (
        sa.select(publications, listings.c.external_id)
        .join(listings, listings.c.id == publications.c.listing_id)
        .where(publications.c.channel_id == channel_id)
        .where(listings.c.external_id.in_(sorted(items)))
    )
    found = connection.execute(query).mappings()
    return {(row["external_id"], row["place"]): row for row in found}


def next_rows(
    connection: Connection, channel_id: int, after: int, limit: int
) -> Sequence[RowMapping]:
    """The next publications to compare: those that the channel has not refused."""
    query = (
        sa.select(publications)
        .where(
            publications.c.channel_id == channel_id,
            publications.c.id > after,
            publications.c.failed_at.is_(None),
            publications.c.discarded_at.is_(None),
        )
        .order_by(publications.c.id)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def count(connection: Connection, channel_id: int, after: int = 0) -> int:
    """How many publications are (still) to be compared."""
    rows = sa.select(sa.func.count()).where(
        publications.c.channel_id == channel_id, publications.c.id > after
    )
    return int(connection.execute(rows).scalar_one())


def move(
    connection: Connection, channel_id: int, compared_to: int, now: Instant
) -> None:
    """Note how far a comparison has come; 0 when it is through."""
    values: dict[str, Instant | int] = {"compared_to": compared_to}
    if not compared_to:
        values["compared_at"] = now
    connection.execute(
        channels.update().where(channels.c.id == channel_id).values(**values)
    )

"""Differences found between a channel's numbers and ours; only ever added to."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import channels, drifts, publications, skus

COLUMNS = (
    *("channel_id", "publication_id", "theirs", "ours", "believed"),
    *("cause", "done", "found_at"),
)


def add(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Write differences down; rows are in the order of COLUMNS."""
    bulk.insert(connection, drifts, COLUMNS, rows)


def page(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    channel: str | None = None,
    cause: str | None = None,
) -> Sequence[RowMapping]:
    """Up to `limit` differences, newest first, with `channel` and `sku`."""
    query = (
        sa.select(drifts, channels.c.key.label("channel"), skus.c.sku)
        .join(channels, channels.c.id == drifts.c.channel_id)
        .join(publications, publications.c.id == drifts.c.publication_id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .order_by(drifts.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(drifts.c.id < before)
    if channel is not None:
        query = query.where(channels.c.key == channel)
    if cause is not None:
        query = query.where(drifts.c.cause == cause)
    return connection.execute(query).mappings().all()


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

"""The ways table: which transfers and expected receipts there are, and how far they are.

Kept by what deals them out (`applying.ways`), so that finding the few that are under way
costs the same however many are over.
"""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.store import bulk, keyset
from app.store.keyset import Page, Position
from app.store.tables import lines, ways

_COLUMNS = ("way_id", "is_transfer", "state")


def keep(connection: Connection, told: Mapping[str, tuple[bool, str] | None]) -> None:
    """Write down whether each way is a transfer, and its state; None: it is none."""
    query = "SELECT way_id, id, is_transfer, state FROM ways WHERE way_id {among}"
    known = {row[0]: row[1:] for row in bulk.select(connection, query, sorted(told))}
    new, changed, gone = [], [], []
    for way_id, now in told.items():
        id_, *was = known.get(way_id, (None,))
        if now is None:
            gone += [] if id_ is None else [id_]
        elif id_ is None:
            new.append((way_id, *now))
        elif (bool(was[0]), was[1]) != now:
            changed.append((*now, id_))
    bulk.insert(connection, ways, _COLUMNS, new)
    bulk.change(connection, ways, _COLUMNS[1:], changed)
    bulk.update(connection, ways, "DELETE FROM ways WHERE id {among}", gone, "bigint")


def transfers(
    connection: Connection,
    states: Sequence[str] | None,
    *,
    limit: int,
    after: Position | None = None,
) -> Page[RowMapping]:
    """Up to `limit` transfers, in these states if any are named, newest first: id and
    way_id. Raises NoSuchPage."""
    query = sa.select(ways.c.id, ways.c.way_id).where(ways.c.is_transfer)
    if states is not None:
        query = query.where(ways.c.state.in_(states))
    return keyset.read(
        connection, query, [ways.c.id], limit=limit, after=after, newest_first=True
    )


def moving(
    connection: Connection,
    prefix: str,
    sku_ids: Collection[int],
    states: Sequence[str],
) -> Sequence[str]:
    """The ids of all ways in these states that any of these SKUs was told of, the newest
    first; with the `prefix` an id is the number of its lines."""
    query = (
        sa.select(ways.c.way_id)
        .join(lines, lines.c.order_number == sa.literal(prefix) + ways.c.way_id)
        .where(ways.c.state.in_(states), lines.c.sku_id.in_(sku_ids))
        .group_by(ways.c.id, ways.c.way_id)
        .order_by(ways.c.id.desc())
    )
    return connection.execute(query).scalars().all()

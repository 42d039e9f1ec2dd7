"""Ids for rows about to be inserted by the one applier: known before the rows are
written, so that what refers to them can be written in the same breath.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.store import driver
from app.store.engine import is_sqlite


def next_ids(connection: Connection, table: sa.Table, count: int) -> Sequence[int]:
    """Ids for rows about to be inserted by this transaction.

    Only for what nobody but the one applier inserts: it may count up itself.
    """
    (ids,) = next_ids_of(connection, {table: count})
    return ids


def next_ids_of(
    connection: Connection,
    counts: Mapping[sa.Table, int],
    reserved_: Sequence[Sequence[int]] = (),
) -> list[Sequence[int]]:
    """The same for several tables at once, in their order: those that were reserved, if
    they are enough."""
    if not any(counts.values()):
        return [()] * len(counts)
    pairs = list(zip(reserved_, counts.values(), strict=False))
    if pairs and all(len(some) >= count for some, count in pairs):
        return [some[:count] for some, count in pairs]
    columns, given = reserving(connection, counts)
    query = f"SELECT {', '.join(columns)}".replace("{given}", driver.slot(connection))
    # Sequences know nothing of rows: what waits to be written may go on waiting.
    (told,) = driver.told(connection, query, given).fetchall()
    return reserved(connection, counts, told)


def reserving(
    connection: Connection, counts: Mapping[sa.Table, int]
) -> tuple[list[str], tuple[int, ...]]:
    """Columns that reserve so many ids of each table, beside what else a query asks
    for, and what is `given` to them."""
    is_file = is_sqlite(connection)
    one = _NEWEST if is_file else _RESERVE
    columns = [one.replace("{name}", table.name) for table in counts]
    return columns, () if is_file else tuple(counts.values())


def reserved(
    connection: Connection, counts: Mapping[sa.Table, int], told: Sequence[int]
) -> list[Sequence[int]]:
    """The ids that those columns told of. On SQLite the next ones, whoever asks: they
    are to be used before any others are asked for."""
    ids: list[Sequence[int]] = []
    for newest, count in zip(told, counts.values(), strict=True):
        first = newest + 1 if is_sqlite(connection) else newest + 1 - count
        ids.append(range(first, first + count))
    return ids


_NEWEST = "(SELECT coalesce(max(id), 0) FROM {name})"
_RESERVE = (  # a query of its own: asked once, for however many rows
    "(SELECT setval('{name}_id_seq', "
    "nextval('{name}_id_seq') + greatest({given} - 1, 0)))"
)

"""Stock levels: rows made, locked in id order, and changed by increments only."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat

from sqlalchemy.engine import Connection

from app.domain.states import STATES
from app.store import bulk
from app.store.engine import is_sqlite
from app.store.tables import stock_levels

Spot = tuple[int, int]
"""SKU id and location id."""


@dataclass(slots=True)
class Level:
    """A locked stock level."""

    id: int
    counted_at: int | None
    available: int


_SELECT = (
    "SELECT sku_id, location_id, id, counted_at, available FROM stock_levels "
    "WHERE sku_id {among}"
)
Levels = Mapping[Spot, Level]


def lock(
    connection: Connection, spots: Iterable[Spot], locked: Levels | None = None
) -> Levels:
    """Make missing rows, lock the rows in id order, and return them.

    Rows of other locations of the same SKUs are locked and returned too. Those of
    `locked` are, already, and have not changed since.
    """
    wanted = set(spots)
    if not wanted:
        return {}
    ids = {sku for sku, _ in wanted}
    if locked is None:
        found = lock_skus(connection, ids)
    else:
        found = {spot: level for spot, level in locked.items() if spot[0] in ids}
    missing = sorted(wanted - found.keys())
    if missing:
        # Another writer may make the same row first; both then lock that one.
        bulk.insert(
            connection, stock_levels, ("sku_id", "location_id"), missing, or_ignore=True
        )
        found = lock_skus(connection, ids)
    return found


def lock_skus(connection: Connection, sku_ids: Collection[int]) -> dict[Spot, Level]:
    """Lock every row of these SKUs in id order, and return them."""
    ending = "" if is_sqlite(connection) else " ORDER BY id FOR UPDATE"
    rows = bulk.select(connection, _SELECT + ending, sorted(sku_ids), "bigint")
    return {row[:2]: Level(*row[2:]) for row in rows}


def all_quantities(
    connection: Connection, level_ids: Iterable[int]
) -> dict[int, dict[str, int]]:
    """How many units are in each state, by level."""
    query = f"SELECT id, {', '.join(STATES)} FROM stock_levels WHERE id {{among}}"
    rows = bulk.select(connection, query, level_ids, "bigint")
    return {row[0]: dict(zip(STATES, row[1:], strict=True)) for row in rows}


def add(connection: Connection, changes: Mapping[int, Mapping[str, int]]) -> None:
    """Add signed changes to levels: level id → state → change (none: untouched)."""
    touched = set().union(*changes.values())
    columns = tuple(state for state in STATES if state in touched)
    rows = [
        (*map(changes[level_id].get, columns, repeat(0)), level_id)
        for level_id in sorted(changes)
        if changes[level_id]
    ]
    bulk.change(connection, stock_levels, columns, rows, add=True)

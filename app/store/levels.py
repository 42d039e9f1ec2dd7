"""Stock levels: rows made, locked in id order, and changed by increments only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from app.domain.states import STATES
from app.store import bulk
from app.store.engine import is_sqlite
from app.store.tables import stock_levels

Spot = tuple[int, int]
"""SKU id and location id."""


@dataclass(frozen=True, slots=True)
class Level:
    """A locked stock level."""

    id: int
    counted_at: int | None
    quantities: tuple[int, ...]
    """In the order of STATES."""

    def __getitem__(self, state: str) -> int:
        return self.quantities[STATES.index(state)]


_SELECT = (
    f"SELECT id, sku_id, location_id, counted_at, {', '.join(STATES)} "
    "FROM stock_levels WHERE sku_id {among}"
)


def lock(connection: Connection, spots: Iterable[Spot]) -> dict[Spot, Level]:
    """Make missing rows, lock the rows in id order, and return them.

    Rows of other locations of the same SKUs are locked and returned too.
    """
    wanted = set(spots)
    if not wanted:
        return {}
    found = _locked(connection, {sku for sku, _ in wanted})
    missing = sorted(wanted - found.keys())
    if missing:
        # Another writer may make the same row first; both then lock that one.
        bulk.insert(
            connection, stock_levels, ("sku_id", "location_id"), missing, or_ignore=True
        )
        found = _locked(connection, {sku for sku, _ in wanted})
    return found


def _locked(connection: Connection, skus: set[int]) -> dict[Spot, Level]:
    ending = "" if is_sqlite(connection) else " ORDER BY id FOR UPDATE"
    rows = bulk.select(connection, _SELECT + ending, sorted(skus), "bigint")
    return {(row[1], row[2]): Level(row[0], row[3], tuple(row[4:])) for row in rows}


def add(connection: Connection, changes: Mapping[int, Mapping[str, int]]) -> None:
    """Add signed changes to levels: level id → state → change."""
    touched = {state for states in changes.values() for state in states}
    columns = tuple(state for state in STATES if state in touched)
    bulk.change(
        connection,
        stock_levels,
        columns,
        [
            (*(states.get(state, 0) for state in columns), level_id)
            for level_id, states in sorted(changes.items())
        ],
        add=True,
    )

"""Counted: the lines of a file of counts, as they are read; no two count the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.pipeline.spreadsheets.sheet import Problem
from app.store.stock.aliases import sku_ids


@dataclass(frozen=True, slots=True)
class Count:
    """One line of a file of counts, read."""

    line: int
    sku: str
    location: str
    quantity: int
    counted_at: Instant
    was: int | None = None
    """What its writer saw before: an export's number, perhaps changed since."""
    seen: int | None = None
    """What a person was shown beside it, before it was let in."""


def once_each(
    connection: Connection, counts: Sequence[Count]
) -> tuple[list[Count], list[Problem]]:
    """Leave out what counts again, by another name of its SKU, what a line before it
    counts; nobody can say which is right."""
    ids = sku_ids(connection, [count.sku for count in counts])
    first: dict[tuple[int | str, str, Instant], Count] = {}
    doubled = []
    for count in counts:
        spot = (ids.get(count.sku, count.sku), count.location, count.counted_at)
        before = first.setdefault(spot, count)
        if before is not count:
            words = (
                f"counts the same again as line {before.line}, where it is called "
                f"{before.sku}; which is right?"
            )
            doubled.append(Problem(count.line, words))
    return list(first.values()), doubled

"""Items of channels that nobody has named: what waits for each, and what it may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.pipeline.configuring import likeness
from app.store.receiving import traces

MOST: Final = 30


@dataclass(frozen=True, slots=True)
class Unnamed:
    """An item of a channel that lines wait for."""

    channel: str
    word: str
    """What it waits under."""
    external_id: str
    external_parent_id: str
    says: Sequence[str]
    """What its channel calls it."""
    lines: int
    units: int
    first_at: Instant
    last_at: Instant
    candidates: Sequence[RowMapping]
    """SKUs it may be, the likeliest first."""


def unnamed(connection: Connection) -> list[Unnamed]:
    """What waits for a SKU, what has waited longest first."""
    found = []
    for row in traces.unnamed(connection, limit=MOST):
        item = likeness.item_of(row)
        if not item.external_id:
            continue  # nothing that could be mapped: the inbox tells of it
        found.append(
            Unnamed(
                row["channel"],
                row["word"],
                item.external_id,
                item.external_parent_id,
                item.words,
                row["lines"],
                row["units"],
                row["first_at"],
                row["last_at"],
                likeness.candidates(connection, item),
            )
        )
    return found

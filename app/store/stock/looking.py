"""Looking: all that a claim asks before it writes, in one query.

On PostgreSQL the round trip costs more than any of the answers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.store import bulk, numbering
from app.store.configuration.channels import CHANGED_AT, Mark, changed_at
from app.store.engine import is_sqlite
from app.store.stock.levels import Level, Spot


@dataclass(slots=True)
class Look:
    """What there is of the SKUs asked for, and of whatever else a claim needs."""

    levels: dict[Spot, Level]
    """Locked."""
    skus: dict[str, int]
    """The codes among the words asked for that have a level → SKU ids."""
    mark: Mark
    """Of the configuration."""
    first_to_expire: Instant | None
    """When the first of all active holds expires; None also where there is no level."""
    ids: Sequence[Sequence[int]]
    """Those reserved, if there are levels; on SQLite only as long as nothing else is
    written."""

    def expires_by(self, now: Instant) -> bool:
        """Whether any hold is overdue then."""
        return self.first_to_expire is not None and self.first_to_expire <= now


_ASKED = (
    "l.sku_id, l.location_id, l.id, l.counted_at, l.available, s.sku, "
    f"{CHANGED_AT}, (SELECT min(expires_at) FROM holds WHERE state = 'active')"
)
"""The first hold to expire, of whatever SKU, stands at one end of an index. To look for
these SKUs' alone PostgreSQL would plan for longer than it takes to answer."""
_FROM = "FROM skus s JOIN stock_levels l ON l.sku_id = s.id WHERE s.sku {among}"


def look(
    connection: Connection, words: Collection[str], rows: Mapping[sa.Table, int]
) -> Look:
    """Lock every level of the SKUs with these codes in id order, and reserve ids for so
    many rows of some tables, inside an `applying` transaction."""
    columns, given = numbering.reserving(connection, rows)
    query = f"SELECT {', '.join((_ASKED, *columns))} {_FROM}"
    if not is_sqlite(connection):
        query += " ORDER BY l.id FOR UPDATE OF l"
    found = bulk.select(connection, query, sorted(words), given=given)
    if not found:
        return Look({}, {}, changed_at(connection), None, ())
    rest = found[0]
    return Look(
        {row[:2]: Level(*row[2:5]) for row in found},
        {row[5]: row[0] for row in found},
        rest[6:10],
        rest[10],
        numbering.reserved(connection, rows, rest[11:]),
    )

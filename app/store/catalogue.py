"""Which names exist: SKUs, and locations that hold stock."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.store.aliases import sku_ids
from app.store.tables import locations


def unknown_skus(connection: Connection, words: Iterable[str]) -> set[str]:
    """Those of these words that are no SKU here, by code or alias."""
    asked = set(words)
    return asked - sku_ids(connection, asked).keys()


def unknown_locations(connection: Connection, words: Iterable[str]) -> set[str]:
    """Those of these words that are no location's code; virtual places do not count."""
    asked = set(words)
    found = connection.execute(
        sa.select(locations.c.code).where(
            locations.c.code.in_(asked), locations.c.unassigned_of.is_(None)
        )
    )
    return asked - set(found.scalars())

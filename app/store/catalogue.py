"""Which names exist: SKUs, and locations that hold stock."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.store.tables import locations, skus


def unknown_skus(connection: Connection, words: Iterable[str]) -> set[str]:
    """Those of these words that are no SKU here."""
    asked = set(words)
    found = connection.execute(sa.select(skus.c.sku).where(skus.c.sku.in_(asked)))
    return asked - set(found.scalars())


def unknown_locations(connection: Connection, words: Iterable[str]) -> set[str]:
    """Those of these words that are no location's code; virtual places do not count."""
    asked = set(words)
    found = connection.execute(
        sa.select(locations.c.code).where(
            locations.c.code.in_(asked), locations.c.unassigned_of.is_(None)
        )
    )
    return asked - set(found.scalars())

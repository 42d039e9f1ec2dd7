"""Which names exist: SKUs, and locations that hold stock; what a scanned code means."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.store.stock.aliases import sku_ids
from app.store.tables import locations, skus


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


def codes(connection: Connection) -> list[str]:
    """Every location that holds stock."""
    found = connection.execute(
        sa.select(locations.c.code)
        .where(locations.c.unassigned_of.is_(None))
        .order_by(locations.c.code)
    )
    return list(found.scalars())


def scanned(connection: Connection, code: str) -> RowMapping | None:
    """The SKU with this very code or barcode (sku, name, barcode), or None.

    A SKU's own code goes before another's barcode.
    """
    found = connection.execute(
        sa.select(skus.c.sku, skus.c.name, skus.c.barcode)
        .where(sa.or_(skus.c.sku == code, skus.c.barcode == code))
        .order_by(sa.case((skus.c.sku == code, 0), else_=1), skus.c.id)
        .limit(1)
    )
    return found.mappings().first()


def resembling(
    connection: Connection, words: Sequence[str], parts: Sequence[str], limit: int
) -> Sequence[RowMapping]:
    """SKUs with one of these codes or barcodes, then some that hold one of the parts."""
    columns = (skus.c.id, skus.c.sku, skus.c.name, skus.c.barcode)
    same = sa.select(*columns).where(
        sa.or_(skus.c.barcode.in_(words), sa.func.lower(skus.c.sku).in_(_low(words)))
    )
    found = list(connection.execute(same.limit(limit)).mappings())
    for part in parts[:4]:
        like = sa.or_(
            skus.c.sku.icontains(part, autoescape=True),
            skus.c.name.icontains(part, autoescape=True),
        )
        rest = max(0, limit - len(found))
        query = sa.select(*columns).where(like).limit(rest)
        found += connection.execute(query).mappings()
    return list({row["id"]: row for row in found}.values())


def _low(words: Iterable[str]) -> list[str]:
    return [word.lower() for word in words]

"""Aliases: other texts for a SKU, from old systems and from before it was renamed.

A SKU's own code always comes first: an alias is only asked for a text that is none.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import sku_aliases, skus

ALIAS: Final = "alias"
RENAMED: Final = "renamed"

_CODES = "SELECT sku, id FROM skus WHERE sku {among}"
_ALIASES = (
    "SELECT alias, sku_id FROM sku_aliases WHERE ended_at IS NULL AND alias {among}"
)


def sku_ids(connection: Connection, words: Iterable[str]) -> dict[str, int]:
    """What texts name, by code or alias → our id; unknown ones are left out."""
    asked = set(words)
    found = dict(_pairs(connection, _CODES, asked))
    return found | of_aliases(connection, asked - found.keys())


def codes(connection: Connection, words: Iterable[str]) -> dict[str, int]:
    """The same by code alone."""
    return dict(_pairs(connection, _CODES, set(words)))


def of_aliases(connection: Connection, words: Iterable[str]) -> dict[str, int]:
    """The same for texts that are no SKU's code."""
    return dict(_pairs(connection, _ALIASES, set(words)))


def _pairs(
    connection: Connection, query: str, words: set[str]
) -> Iterable[tuple[str, int]]:
    found = bulk.select(connection, query, sorted(words)) if words else ()
    return [(row[0], row[1]) for row in found]


def sku_id(connection: Connection, word: str) -> int | None:
    """What one text names, by code or alias, or None."""
    return sku_ids(connection, [word]).get(word)


def names(word: str) -> sa.ColumnElement[bool]:
    """Whether a row of `skus` is what a text names, for a query of other tables."""
    code = skus.alias()
    # No OR: PostgreSQL would expect half of all SKUs to be meant.
    meant = sa.union_all(
        sa.select(code.c.id).where(code.c.sku == word),
        sa.select(sku_aliases.c.sku_id).where(
            sku_aliases.c.alias == word, sku_aliases.c.ended_at.is_(None)
        ),
    )
    return skus.c.id.in_(meant)


def like(part: str) -> sa.Select[tuple[int]]:
    """The SKUs with an alias that holds a text."""
    held = sku_aliases.c.alias.icontains(part, autoescape=True)
    return sa.select(sku_aliases.c.sku_id).where(held, sku_aliases.c.ended_at.is_(None))


def words_of(connection: Connection, sku_id_: int) -> list[str]:
    """Every text that ever named a SKU, its code first."""
    code = sa.select(skus.c.sku).where(skus.c.id == sku_id_)
    others = (
        sa.select(sku_aliases.c.alias)
        .where(sku_aliases.c.sku_id == sku_id_)
        .order_by(sku_aliases.c.id)
    )
    found = [connection.execute(code).scalar_one()]
    return [*found, *connection.execute(others).scalars()]


def described(connection: Connection, sku_id_: int) -> RowMapping:
    """A SKU's own row."""
    query = sa.select(skus.c.id, skus.c.sku, skus.c.name, skus.c.barcode)
    return connection.execute(query.where(skus.c.id == sku_id_)).mappings().one()


def history(connection: Connection, sku_id_: int) -> Sequence[RowMapping]:
    """A SKU's aliases, ended ones too, the oldest first."""
    query = (
        sa.select(sku_aliases)
        .where(sku_aliases.c.sku_id == sku_id_)
        .order_by(sku_aliases.c.id)
    )
    return connection.execute(query).mappings().all()


def add(
    connection: Connection,
    alias: str,
    sku_id_: int,
    kind: str,
    now: Instant,
    actor: str | None,
) -> None:
    """Let a text name a SKU."""
    bulk.insert_one(
        connection,
        sku_aliases,
        alias=alias,
        sku_id=sku_id_,
        kind=kind,
        made_at=now,
        actor=actor,
    )


def end(connection: Connection, alias: str, now: Instant) -> None:
    """A text is no alias any more, for it is a SKU's code."""
    stands = sa.and_(sku_aliases.c.alias == alias, sku_aliases.c.ended_at.is_(None))
    connection.execute(sku_aliases.update().where(stands).values(ended_at=now))

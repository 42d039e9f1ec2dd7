"""Recipes in the database: every version, and what kits are made of now."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.domain.kits import Parts, Recipe, Recipes
from app.store import bulk
from app.store.tables import kit_parts, ledger, recipes, stock_levels


def all_of_them(connection: Connection) -> Recipes:
    """Every recipe there ever was: few rows, even where there are many kits."""
    versions: dict[int, list[Recipe]] = {}
    for row in connection.execute(sa.select(recipes).order_by(recipes.c.id)):
        told = Recipe(row.valid_from, _components(row.components))
        versions.setdefault(row.sku_id, []).append(told)
    return Recipes(versions)


def history(connection: Connection, sku_id: int) -> Sequence[dict[str, Any]]:
    """One SKU's recipes, the newest first, with the components' names."""
    rows = connection.execute(
        sa.select(recipes)
        .where(recipes.c.sku_id == sku_id)
        .order_by(recipes.c.valid_from.desc(), recipes.c.id.desc())
    ).all()
    told = [(row, _components(row.components)) for row in rows]
    names = names_of(connection, {sku for _, parts in told for sku in parts})
    return [
        {
            "components": named(parts, names),
            "valid_from": row.valid_from,
            "recorded_at": row.recorded_at,
            "actor": row.actor,
        }
        for row, parts in told
    ]


def named(parts: Parts, names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Components as people read them."""
    rows = [{"sku": names[sku], "quantity": units} for sku, units in parts.items()]
    return sorted(rows, key=lambda row: str(row["sku"]))


def names_of(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """SKU id → its code."""
    query = "SELECT id, sku FROM skus WHERE id {among}"
    return {row[0]: row[1] for row in bulk.select(connection, query, ids, "bigint")}


def add(
    connection: Connection,
    sku_id: int,
    recipe: Recipe,
    now: Instant,
    actor: str | None,
) -> None:
    """Add a version."""
    bulk.insert_one(
        connection,
        recipes,
        sku_id=sku_id,
        valid_from=recipe.valid_from,
        components=json.dumps({str(s): n for s, n in recipe.components.items()}),
        recorded_at=now,
        actor=actor,
    )


def note_parts(connection: Connection, parts: Mapping[int, Parts]) -> None:
    """Write down what these kits are made of now."""
    connection.execute(kit_parts.delete().where(kit_parts.c.kit_id.in_(parts)))
    rows = [
        (kit, sku, units)
        for kit, found in sorted(parts.items())
        for sku, units in sorted(found.items())
    ]
    bulk.insert(connection, kit_parts, ("kit_id", "sku_id", "quantity"), rows)


def has_moved(connection: Connection, sku_id: int) -> bool:
    """Whether anything was ever told of a SKU's own units."""
    for table in (stock_levels, ledger):
        query = sa.select(table.c.id).where(table.c.sku_id == sku_id).limit(1)
        if connection.execute(query).first() is not None:
            return True
    return False


def _components(told: str) -> dict[int, int]:
    return {int(sku): int(units) for sku, units in json.loads(told).items()}

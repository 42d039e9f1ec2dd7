"""Transfers are found by how far they are; levels by what is on the way or to be judged.

Revision ID: 0025
Revises: 0024
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

WAYS = "way\n"
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What is known already is as far as its entries say."""
    table = op.create_table(
        "ways",
        sa.Column("id", BIG, sa.Identity(), primary_key=True),
        sa.Column("way_id", sa.Text(), nullable=False, unique=True),
        sa.Column("is_transfer", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
    )
    op.create_index("ix_ways_state", "ways", ["state", "is_transfer", "id"])
    for few in ("incoming", "inspection"):
        which = sa.text(f"{few} > 0")
        op.create_index(
            f"ix_stock_levels_{few}",
            "stock_levels",
            ["id"],
            sqlite_where=which,
            postgresql_where=which,
        )
    found = list(_told())
    if found:
        op.bulk_insert(table, found)


def _told() -> Iterator[dict[str, Any]]:
    units: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for number, kind, targets, posted in _lines():
        way = units[number.removeprefix(WAYS)]
        extra = (targets.get(kind) or [None] * 5)[4]
        way["is_transfer"] |= kind == "transferred" and isinstance(extra, int)
        for _, from_, _, to, _, _, quantity in posted:
            moved = quantity * ((to == "incoming") - (from_ == "incoming"))
            way["left"] += moved
            if kind in ("expected", "transferred"):
                way["sent"] += moved
            elif kind == "received":
                way["received"] += quantity
            else:
                way["lost"] -= moved
    for way_id, way in units.items():
        is_transfer = bool(way["is_transfer"])
        yield {"way_id": way_id, "is_transfer": is_transfer, "state": _state(way)}


def _lines() -> Iterator[tuple[str, str, dict[str, Any], list[Any]]]:
    query = sa.text(
        "SELECT order_number, case_key, targets, posted FROM lines "
        "WHERE order_number LIKE :ways ORDER BY id"
    )
    for row in op.get_bind().execute(query, {"ways": f"{WAYS}%"}):
        kind = row.case_key.partition("/")[2].partition("/")[0]
        yield row.order_number, kind, json.loads(row.targets), json.loads(row.posted)


def _state(way: dict[str, int]) -> str:
    if not way["sent"]:
        return "reversed"
    if not way["received"] and not way["lost"]:
        return "sent"
    if way["left"] > 0:
        return "partly received"
    return "closed" if way["lost"] else "received"


def downgrade() -> None:
    """Look through all of them again."""
    for few in ("incoming", "inspection"):
        op.drop_index(f"ix_stock_levels_{few}", "stock_levels")
    op.drop_table("ways")

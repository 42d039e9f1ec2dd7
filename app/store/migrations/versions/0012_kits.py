"""Recipes of kits, aliases of SKUs, and what a held kit holds.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STANDS = sa.text("ended_at IS NULL")


def _sku(table: str, name: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    foreign = sa.ForeignKeyConstraint([name], ["skus.id"], name=f"fk_{table}_{name}")
    return sa.Column(name, BIG, nullable=False), foreign


def upgrade() -> None:
    """Add the tables; nothing is a kit yet."""
    op.create_table(
        "sku_aliases",
        sa.Column("id", BIG, nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        *_sku("sku_aliases", "sku_id"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("made_at", BIG, nullable=False),
        sa.Column("ended_at", BIG, nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sku_aliases"),
    )
    op.create_index(
        "ix_sku_aliases_alias",
        "sku_aliases",
        ["alias"],
        unique=True,
        sqlite_where=STANDS,
        postgresql_where=STANDS,
    )
    op.create_index("ix_sku_aliases_sku_id", "sku_aliases", ["sku_id"])
    op.create_table(
        "recipes",
        sa.Column("id", BIG, nullable=False),
        *_sku("recipes", "sku_id"),
        sa.Column("valid_from", BIG, nullable=False),
        sa.Column("components", sa.Text(), server_default="{}", nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_recipes"),
    )
    op.create_index("ix_recipes_sku_id", "recipes", ["sku_id"])
    op.create_table(
        "kit_parts",
        sa.Column("id", BIG, nullable=False),
        *_sku("kit_parts", "kit_id"),
        *_sku("kit_parts", "sku_id"),
        sa.Column("quantity", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kit_parts"),
        sa.UniqueConstraint("kit_id", "sku_id", name="uq_kit_parts_kit_id_sku_id"),
    )
    op.create_index("ix_kit_parts_sku_id", "kit_parts", ["sku_id"])
    op.add_column("hold_lines", sa.Column("part_of", BIG, nullable=True))


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("hold_lines") as table:
        table.drop_column("part_of")
    for name in ("kit_parts", "recipes", "sku_aliases"):
        op.drop_table(name)

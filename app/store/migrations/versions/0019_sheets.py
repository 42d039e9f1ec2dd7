"""Spreadsheets are looked at on a page, let in and undone.

Revision ID: 0019
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One row a file."""
    op.create_table(
        "sheets",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("rows", sa.Text(), server_default="[]", nullable=False),
        sa.Column("problems", sa.Text(), server_default="[]", nullable=False),
        sa.Column("applied_at", BIG, nullable=True),
        sa.Column("before", sa.Text(), server_default="[]", nullable=False),
        sa.Column("result", sa.Text(), server_default="{}", nullable=False),
        sa.Column("undone_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheets")),
    )


def downgrade() -> None:
    """Forget them; what they changed stays."""
    op.drop_table("sheets")

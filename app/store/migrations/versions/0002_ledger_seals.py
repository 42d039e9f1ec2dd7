"""Seals over ranges of the ledger.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ledger_seals",
        sa.Column("id", BIG, nullable=False),
        sa.Column("first_id", BIG, nullable=False),
        sa.Column("last_id", BIG, nullable=False),
        sa.Column("entries", BIG, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("sealed_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_seals")),
        sa.UniqueConstraint("first_id", name=op.f("uq_ledger_seals_first_id")),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("ledger_seals")

"""Who looks at every ledger entry in the background, and how far they have come.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SOLD = "to_state = 'customer' AND channel_id IS NOT NULL"


def upgrade() -> None:
    """Twins are looked for from here on; no index of their own slows a sale down."""
    op.create_table(
        "ledger_readers",
        sa.Column("id", BIG, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        sa.Column("read_to", BIG, nullable=False),
    )
    op.execute(
        "INSERT INTO ledger_readers (name, read_to) "
        "SELECT 'twin', coalesce(max(id), 0) FROM ledger"
    )
    op.drop_index("ix_ledger_sold", "ledger")


def downgrade() -> None:
    """Put the index back."""
    op.create_index(
        "ix_ledger_sold",
        "ledger",
        ["sku_id", "from_location_id", "quantity", "channel_id", "occurred_at"],
        sqlite_where=sa.text(SOLD),
        postgresql_where=sa.text(SOLD),
    )
    op.drop_table("ledger_readers")

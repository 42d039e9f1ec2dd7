"""What the names in stock events meant, so that telling them again needs no guess.

Revision ID: 0006
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MEANT = ("sku_id", "location_id", "to_location_id")


def upgrade() -> None:
    """Add columns; of what moved stock before, the ledger knows the SKU."""
    for name in MEANT:
        op.add_column("stock_events", sa.Column(name, BIG, nullable=True))
    op.execute(
        "UPDATE stock_events SET sku_id = (SELECT min(ledger.sku_id) FROM ledger "
        "WHERE ledger.event_id = stock_events.id)"
    )


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("stock_events") as table:
        for name in MEANT:
            table.drop_column(name)

"""Incidents that people resolve; shipments found by channel.

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INCIDENTS: dict[str, sa.types.TypeEngine[Any]] = {
    "units": BIG,
    "resolved_at": BIG,
    "resolved_by": sa.Text(),
    "resolution": sa.Text(),
}

SOLD = "to_state = 'customer' AND channel_id IS NOT NULL"


def upgrade() -> None:
    """Add columns only: nothing is rewritten."""
    for name, kind in INCIDENTS.items():
        op.add_column("incidents", sa.Column(name, kind, nullable=True))
    op.create_index(
        "ix_ledger_sold",
        "ledger",
        ["sku_id", "from_location_id", "quantity", "channel_id", "occurred_at"],
        sqlite_where=sa.text(SOLD),
        postgresql_where=sa.text(SOLD),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_ledger_sold", "ledger")
    with op.batch_alter_table("incidents") as table:
        for name in INCIDENTS:
            table.drop_column(name)

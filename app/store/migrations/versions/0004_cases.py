"""Incidents that people resolve; shipments found by channel; ignored orders.

Revision ID: 0004
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INCIDENTS: dict[str, sa.types.TypeEngine[Any]] = {
    "units": BIG,
    "resolved_at": BIG,
    "resolved_by": sa.Text(),
    "resolution": sa.Text(),
}


def upgrade() -> None:
    """Add columns only: nothing is rewritten."""
    for name, kind in INCIDENTS.items():
        op.add_column("incidents", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("incidents") as table:
        for name in INCIDENTS:
            table.drop_column(name)

"""Channels' webhooks are looked after.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Every channel's are looked at at once."""
    due = sa.Column("webhooks_due_at", BIG, nullable=False, server_default="0")
    op.add_column("channels", due)


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("channels") as table:
        table.drop_column("webhooks_due_at")

"""Channels are polled for what lost webhooks would have told.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = ("poll_began_at", "poll_position", "poll_from")


def upgrade() -> None:
    """Every channel is polled at once: nobody knows what it missed."""
    due = sa.Column("poll_due_at", BIG, nullable=False, server_default="0")
    op.add_column("channels", due)
    for name in ADDED:
        op.add_column("channels", sa.Column(name, BIG, nullable=True))


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("channels") as table:
        for name in ("poll_due_at", *ADDED):
            table.drop_column(name)

"""Channels tell what time it is there.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = ("clock_ahead", "clock_told_at")


def upgrade() -> None:
    """Nothing is known of any clock yet."""
    for name in ADDED:
        op.add_column("channels", sa.Column(name, BIG, nullable=True))


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("channels") as table:
        for name in ADDED:
            table.drop_column(name)

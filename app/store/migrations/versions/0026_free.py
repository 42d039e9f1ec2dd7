"""Since when what a channel was held or paused for can be sent.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nothing is known of earlier pauses."""
    op.add_column("channels", sa.Column("free_since", BIG, nullable=True))


def downgrade() -> None:
    """Count from the wish again."""
    op.drop_column("channels", "free_since")

"""Up to when a channel's changed numbers were asked for.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """So far only webhooks and comparisons told of them."""
    op.add_column("channels", sa.Column("numbers_read_at", BIG, nullable=True))


def downgrade() -> None:
    """Webhooks and comparisons tell again."""
    op.drop_column("channels", "numbers_read_at")

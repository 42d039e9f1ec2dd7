"""Who said that a message means nothing here.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """So far nobody could say it."""
    op.add_column("inbox", sa.Column("dismissed_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """What was dismissed stays ignored."""
    op.drop_column("inbox", "dismissed_by")

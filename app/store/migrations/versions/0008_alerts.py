"""What people have been told is wrong.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nothing is wrong yet, as far as anybody was told."""
    op.create_table(
        "alerts",
        sa.Column("id", BIG, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("began_at", BIG, nullable=False),
        sa.Column("told_at", BIG, nullable=True),
        sa.Column("ended_at", BIG, nullable=True),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("alerts")

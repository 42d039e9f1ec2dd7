"""What was taken over from a channel, and up to which of its times.

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What was taken over before stands as it was told."""
    op.create_table(
        "adoptions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("publication_id", BIG, nullable=False),
        sa.Column("until", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_adoptions"),
    )
    op.create_index(
        "ix_adoptions_publication_id_until", "adoptions", ["publication_id", "until"]
    )
    op.add_column(
        "publications",
        sa.Column("adopted_until", BIG, nullable=False, server_default="0"),
    )


def downgrade() -> None:
    """What a channel tells late counts beside what was taken over from it."""
    op.drop_column("publications", "adopted_until")
    op.drop_table("adoptions")

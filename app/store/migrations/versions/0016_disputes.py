"""Numbers that a channel shows and a person is asked about.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = ("disputed", "disputed_at")


def upgrade() -> None:
    """Nobody has been asked yet."""
    for name in ADDED:
        op.add_column("publications", sa.Column(name, BIG, nullable=True))
    op.create_index("ix_drifts_publication_id", "drifts", ["publication_id"])


def downgrade() -> None:
    """Ours are published again."""
    op.drop_index("ix_drifts_publication_id", "drifts")
    with op.batch_alter_table("publications") as table:
        for name in ADDED:
            table.drop_column(name)

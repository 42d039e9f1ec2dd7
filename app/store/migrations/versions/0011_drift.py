"""Differences between a channel's numbers and ours, and how far they were looked for.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Every channel begins with the policy that was the only one."""
    op.create_table(
        "drifts",
        sa.Column("id", BIG, sa.Identity(), primary_key=True),
        sa.Column("channel_id", BIG, sa.ForeignKey("channels.id"), nullable=False),
        sa.Column("publication_id", BIG, nullable=False),
        sa.Column("theirs", BIG, nullable=True),
        sa.Column("ours", BIG, nullable=False),
        sa.Column("believed", BIG, nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("done", sa.Text(), nullable=False),
        sa.Column("found_at", BIG, nullable=False),
    )
    op.create_index("ix_drifts_channel_id_id", "drifts", ["channel_id", "id"])
    op.add_column(
        "channels",
        sa.Column("drift", sa.Text(), nullable=False, server_default="override"),
    )
    op.add_column("channels", sa.Column("compared_at", BIG, nullable=True))
    op.add_column(
        "channels",
        sa.Column("compared_to", BIG, nullable=False, server_default="0"),
    )


def downgrade() -> None:
    """Forget them."""
    with op.batch_alter_table("channels") as table:
        for name in ("drift", "compared_at", "compared_to"):
            table.drop_column(name)
    op.drop_table("drifts")

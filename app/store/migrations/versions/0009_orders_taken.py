"""How a channel's orders are taken: held until they are paid, or ignored as copies.

Doubtful returns are followed from now on, as oversells are.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns; no channel ignores anything or waits for a payment yet."""
    for name in ("ignore", "orders"):
        column = sa.Column(name, sa.Text(), nullable=False, server_default="{}")
        op.add_column("channels", column)
    op.add_column(
        "channels",
        sa.Column("ignoring_since", BIG, nullable=False, server_default="0"),
    )
    op.add_column("holds", sa.Column("line_key", sa.Text(), nullable=True))
    op.execute(
        "UPDATE incidents SET units = 1 WHERE closed_at IS NULL "
        "AND kind IN ('unlinked_return', 'surplus_return')"
    )
    op.create_index("ix_holds_line_key", "holds", ["line_key"], unique=True)


def downgrade() -> None:
    """Take them away again; what waited for its payment is gone with them."""
    op.drop_index("ix_holds_line_key", "holds")
    with op.batch_alter_table("holds") as table:
        table.drop_column("line_key")
    with op.batch_alter_table("channels") as table:
        for name in ("ignore", "orders", "ignoring_since"):
            table.drop_column(name)

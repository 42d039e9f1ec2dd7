"""Room for what says as many of one fact in one version, and means something else.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

NAMED = "uq_stock_events_key_version_target"
FACT = ("key", "version", "target")


def upgrade() -> None:
    """What waits leaves the room that what is posted needs."""
    with op.batch_alter_table("stock_events") as table:
        apart = sa.Column("apart", sa.Text, nullable=False, server_default="")
        table.add_column(apart)
        table.drop_constraint(NAMED)
        table.create_unique_constraint(f"{NAMED}_apart", [*FACT, "apart"])
    op.execute("UPDATE stock_events SET apart = waits_for WHERE verdict = 'parked'")


def downgrade() -> None:
    """What is apart is so by its key."""
    op.execute(
        "UPDATE stock_events SET key = key || ' (' || apart || ')' WHERE apart <> ''"
    )
    with op.batch_alter_table("stock_events") as table:
        table.drop_constraint(f"{NAMED}_apart")
        table.create_unique_constraint(NAMED, FACT)
        table.drop_column("apart")

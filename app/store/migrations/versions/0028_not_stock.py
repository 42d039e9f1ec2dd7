"""What a channel sells that nobody keeps.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

INDEX = "ix_stock_events_not_stock"


def upgrade() -> None:
    """So far everything is stock."""
    column = sa.Column("not_stock", sa.Text(), nullable=False, server_default="[]")
    op.add_column("channels", column)
    which = sa.text("verdict = 'not stock'")
    op.create_index(
        INDEX,
        "stock_events",
        ["waits_for"],
        sqlite_where=which,
        postgresql_where=which,
    )


def downgrade() -> None:
    """It waits for a name again."""
    op.execute("UPDATE stock_events SET verdict = 'parked' WHERE verdict = 'not stock'")
    op.drop_index(INDEX, "stock_events")
    op.drop_column("channels", "not_stock")

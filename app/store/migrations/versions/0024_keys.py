"""An attempt's key is found however many attempts there were.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the few that did not end well."""
    which = sa.text("result IN ('sending', 'retry', 'unknown')")
    op.create_index(
        "ix_push_attempts_keys",
        "push_attempts",
        ["channel_id", "variables_hash"],
        sqlite_where=which,
        postgresql_where=which,
    )


def downgrade() -> None:
    """Look through all of them again."""
    op.drop_index("ix_push_attempts_keys", "push_attempts")

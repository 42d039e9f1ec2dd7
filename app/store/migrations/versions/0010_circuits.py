"""Channels in trouble are held; what is due is claimed by exposure; tallies of calls.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WANTED = "wanted_version > accepted_version"
DUE = f"{WANTED} AND failed_at IS NULL AND discarded_at IS NULL"
UNRANKED = f"{WANTED} AND exposure < 0"


def _count(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, server_default=str(default))


def _channel_columns() -> list[sa.Column[int] | sa.Column[str]]:
    return [
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("tripped_at", BIG, nullable=True),
        _count("probes"),
        sa.Column("reads_held_until", BIG, nullable=True),
        _count("reads_failed"),
        sa.Column("budget", sa.Text(), nullable=True),
    ]


def upgrade() -> None:
    """Nothing that waits is lost: it is ranked when there is more than one batch."""
    for column in _channel_columns():
        op.add_column("channels", column)
    op.add_column("publications", _count("exposure", -2))
    op.add_column("publications", sa.Column("delay_reason", sa.Text(), nullable=True))
    op.add_column("push_attempts", sa.Column("error_class", sa.Text(), nullable=True))
    op.drop_index("ix_publications_due", "publications")
    op.create_index(
        "ix_publications_due",
        "publications",
        ["channel_id", "next_attempt_at", sa.text("exposure DESC"), "wanted_at"],
        sqlite_where=sa.text(DUE),
        postgresql_where=sa.text(DUE),
    )
    op.create_index(
        "ix_publications_unranked",
        "publications",
        ["channel_id"],
        sqlite_where=sa.text(UNRANKED),
        postgresql_where=sa.text(UNRANKED),
    )
    op.create_table(
        "push_tallies",
        sa.Column("channel_id", BIG, primary_key=True, autoincrement=False),
        sa.Column("what", sa.Text(), primary_key=True),
        sa.Column("times", BIG, nullable=False),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("push_tallies")
    op.drop_index("ix_publications_unranked", "publications")
    op.drop_index("ix_publications_due", "publications")
    op.drop_column("push_attempts", "error_class")
    with op.batch_alter_table("publications") as table:
        table.drop_column("exposure")
        table.drop_column("delay_reason")
    op.create_index(
        "ix_publications_due",
        "publications",
        ["channel_id", "next_attempt_at"],
        sqlite_where=sa.text(WANTED),
        postgresql_where=sa.text(WANTED),
    )
    with op.batch_alter_table("channels") as table:
        for column in _channel_columns():
            table.drop_column(column.name)

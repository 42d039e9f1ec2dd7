"""Bulk runs with their rows, filters that people keep, calls told by the hour.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=nullable)


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def upgrade() -> None:
    """Nothing that is stored already changes."""
    op.create_table(
        "bulk_runs",
        _number("id"),
        _text("action"),
        _text("actor"),
        _text("wanted", "{}"),
        _number("asked_at"),
        sa.Column("matched", BIG, server_default="0", nullable=False),
        _number("cancelled_at", nullable=True),
        sa.Column("cancelled_by", sa.Text(), nullable=True),
        _number("finished_at", nullable=True),
        _text("result", "{}"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_runs")),
    )
    op.create_table(
        "bulk_rows",
        sa.Column("run_id", BIG, autoincrement=False, nullable=False),
        sa.Column("publication_id", BIG, autoincrement=False, nullable=False),
        _number("channel_id"),
        _text("state", "waits"),
        sa.PrimaryKeyConstraint("run_id", "publication_id", name=op.f("pk_bulk_rows")),
    )
    op.create_table(
        "views",
        _number("id"),
        _number("user_id"),
        _text("name"),
        _text("filters", "{}"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_views_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_views")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_views_user_id_name")),
    )
    op.create_table(
        "push_hours",
        sa.Column("channel_id", BIG, autoincrement=False, nullable=False),
        sa.Column("hour", BIG, autoincrement=False, nullable=False),
        sa.Column("delivered", BIG, server_default="0", nullable=False),
        sa.Column("failed", BIG, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "hour", name=op.f("pk_push_hours")),
    )

    stopped = sa.text(
        "failed_at IS NOT NULL OR discarded_at IS NOT NULL "
        "OR (unsure AND wanted_version <= accepted_version)"
    )
    if op.get_bind().dialect.name == "sqlite":
        stopped = sa.text(
            "failed_at IS NOT NULL OR discarded_at IS NOT NULL "
            "OR unsure = 1 AND wanted_version <= accepted_version"
        )
    op.create_index(
        "ix_publications_stopped",
        "publications",
        ["channel_id", "failed_at"],
        sqlite_where=stopped,
        postgresql_where=stopped,
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_publications_stopped", table_name="publications")
    for name in ("push_hours", "views", "bulk_rows", "bulk_runs"):
        op.drop_table(name)

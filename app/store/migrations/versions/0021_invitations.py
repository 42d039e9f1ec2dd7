"""People are invited by a link; spreadsheets are let in and undone in portions.

Revision ID: 0021
Revises: 0020
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Links that were not used yet; how far each file has got."""
    op.create_table(
        "invitations",
        sa.Column("id", BIG, sa.Identity(), primary_key=True),
        sa.Column("email", sa.Text(), nullable=False, unique=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("user_id", BIG, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("token_hash", sa.Text(), nullable=False, unique=True),
        sa.Column("invited_by", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
    )
    asked_by = sa.Column("asked_by", sa.Text(), server_default="", nullable=False)
    op.add_column("sheets", asked_by)
    done = sa.Column("done", BIG, server_default="0", nullable=False)
    op.add_column("sheets", done)
    op.add_column("sheets", sa.Column("finished_at", BIG, nullable=True))
    op.add_column("sheets", sa.Column("undoing_at", BIG, nullable=True))
    _as_one_portion()


def _as_one_portion() -> None:
    """What was let in before this was short, and is one portion."""
    connection = op.get_bind()
    found = connection.execute(
        sa.text("SELECT * FROM sheets WHERE applied_at IS NOT NULL")
    )
    change = sa.text(
        "UPDATE sheets SET asked_by = actor, before = :before, done = :done, "
        "finished_at = :finished_at WHERE id = :id"
    )
    for row in found.mappings().all():
        is_over = row["result"] != "{}"
        told = {
            "id": row["id"],
            "before": f"[{row['before']}]",
            "done": len(json.loads(row["rows"])) if is_over else 0,
            "finished_at": row["applied_at"] if is_over else None,
        }
        connection.execute(change, told)


def downgrade() -> None:
    """Whoever was not in yet stays out; a file is let in at once."""
    op.drop_table("invitations")
    for name in ("asked_by", "done", "finished_at", "undoing_at"):
        op.drop_column("sheets", name)

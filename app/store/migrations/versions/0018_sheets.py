"""Spreadsheets are looked at on a page, let in and undone; people have second factors.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One row a file; nobody has a second factor yet."""
    op.create_table(
        "sheets",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("rows", sa.Text(), server_default="[]", nullable=False),
        sa.Column("problems", sa.Text(), server_default="[]", nullable=False),
        sa.Column("applied_at", BIG, nullable=True),
        sa.Column("before", sa.Text(), server_default="[]", nullable=False),
        sa.Column("result", sa.Text(), server_default="{}", nullable=False),
        sa.Column("undone_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheets")),
    )
    step = sa.Column("totp_step", BIG, nullable=False, server_default="0")
    codes = sa.Column("recovery", sa.Text(), nullable=False, server_default="[]")
    op.add_column("users", sa.Column("totp_secret", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("totp_since", BIG, nullable=True))
    op.add_column("users", step)
    op.add_column("users", codes)


def downgrade() -> None:
    """Forget them; what they changed stays."""
    with op.batch_alter_table("users") as table:
        for name in ("recovery", "totp_step", "totp_since", "totp_secret"):
            table.drop_column(name)
    op.drop_table("sheets")

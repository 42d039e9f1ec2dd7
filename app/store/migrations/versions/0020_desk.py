"""Channels are connected at the dashboard; how they were is kept, and what secrets did.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nothing is begun, and nothing known of before."""
    op.create_table(
        "connectings",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("doing", sa.Text(), server_default="", nullable=False),
        sa.Column("wrong", sa.Text(), server_default="", nullable=False),
        sa.Column("found", sa.Text(), server_default="{}", nullable=False),
        sa.Column("chosen", sa.Text(), server_default="{}", nullable=False),
        sa.Column("done", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connectings")),
    )
    op.create_table(
        "conditions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conditions")),
    )
    name = op.f("ix_conditions_channel_id_id")
    op.create_index(name, "conditions", ["channel_id", "id"])
    op.create_table(
        "secret_facts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("added_at", BIG, nullable=True),
        sa.Column("added_by", sa.Text(), nullable=True),
        sa.Column("ends_at", BIG, nullable=True),
        sa.Column("used_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_facts")),
        sa.UniqueConstraint(
            *("channel_id", "name", "fingerprint"),
            name=op.f("uq_secret_facts_channel_id_name_fingerprint"),
        ),
    )


def downgrade() -> None:
    """Forget them; channels and their secrets stay as they are."""
    op.drop_table("secret_facts")
    op.drop_table("conditions")
    op.drop_table("connectings")

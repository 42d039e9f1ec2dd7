"""What a listing shows by a policy of its own, and every policy there ever was.

Revision ID: 0003
Revises: 0002
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add them; what channels do now is taken for what they have always done."""
    op.add_column("listings", sa.Column("policy", sa.Text(), nullable=True))
    op.create_table(
        "policies",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("listing_id", BIG, nullable=True),
        sa.Column("version", BIG, server_default="0", nullable=False),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("locations", sa.Text(), nullable=True),
        sa.Column("changed_at", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_policies_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_policies_listing_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
    )
    op.create_index(
        op.f("ix_policies_channel_id_listing_id_id"),
        "policies",
        ["channel_id", "listing_id", "id"],
        unique=False,
    )
    _write_down_what_is()


def _write_down_what_is() -> None:
    connection = op.get_bind()
    mapped: dict[int, dict[str, str]] = {}
    for channel_id, code, external_id in connection.execute(
        sa.text(
            "SELECT cl.channel_id, l.code, cl.external_id FROM channel_locations cl "
            "JOIN locations l ON l.id = cl.location_id ORDER BY cl.position"
        )
    ):
        mapped.setdefault(channel_id, {})[code] = external_id
    found = connection.execute(sa.text("SELECT id, publish FROM channels ORDER BY id"))
    for channel_id, publish in found.all():
        connection.execute(
            sa.text(
                "INSERT INTO policies "
                "(channel_id, version, policy, locations, changed_at) "
                "VALUES (:channel, 1, :policy, :locations, 0)"
            ),
            {
                "channel": channel_id,
                "policy": publish,
                "locations": json.dumps(mapped.get(channel_id, {})),
            },
        )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("policies")
    op.drop_column("listings", "policy")

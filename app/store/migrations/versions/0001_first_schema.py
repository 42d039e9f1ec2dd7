"""The first schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "api_tokens",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("revoked_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "channels",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("settings", sa.Text(), server_default="{}", nullable=False),
        sa.Column("secrets", sa.Text(), server_default="", nullable=False),
        sa.Column("publish", sa.Text(), nullable=True),
        sa.Column("authority", sa.Text(), server_default="{}", nullable=False),
        sa.Column("ships_from", sa.Text(), nullable=True),
        sa.Column(
            "private_addresses", sa.Boolean(), server_default=sa.true(), nullable=False
        ),
        sa.Column("paused_at", BIG, nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.Column("disconnected_at", BIG, nullable=True),
        sa.Column("held_until", BIG, nullable=True),
        sa.Column("slow_until", BIG, nullable=True),
        sa.Column("failures", BIG, server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("answered_at", BIG, nullable=True),
        sa.Column("orders_read_at", BIG, nullable=True),
        sa.Column("marked_to", BIG, server_default="0", nullable=False),
        sa.Column("changed_at", BIG, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("key", name=op.f("uq_channels_key")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sku_id", BIG, nullable=False),
        sa.Column("location_id", BIG, nullable=False),
        sa.Column("occurred_at", BIG, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("counted", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint(
            "sku_id",
            "location_id",
            "occurred_at",
            name=op.f("uq_checkpoints_sku_id_location_id_occurred_at"),
        ),
    )
    op.create_table(
        "holds",
        sa.Column("id", BIG, nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("ended_at", BIG, nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('active','committed','released','expired')",
            name=op.f("ck_holds_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_holds_hold_id")),
    )
    op.create_index("ix_holds_active", "holds", ["state", "expires_at"], unique=False)
    op.create_index("ix_holds_reference", "holds", ["reference"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("lane", sa.Text(), server_default="apply", nullable=False),
        sa.Column("topic", sa.Text(), server_default="", nullable=False),
        sa.Column("headers", sa.Text(), server_default="{}", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("wants", sa.Text(), nullable=True),
        sa.Column("fetched", sa.Text(), nullable=True),
        sa.Column("fetched_at", BIG, nullable=True),
        sa.Column("received_at", BIG, nullable=False),
        sa.Column("settled_at", BIG, nullable=True),
        sa.Column("attempts", BIG, server_default="0", nullable=False),
        sa.Column("next_attempt_at", BIG, server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting','applied','ignored','parked','buried')",
            name=op.f("ck_inbox_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint(
            "channel_id",
            "delivery_id",
            "body_hash",
            name=op.f("uq_inbox_channel_id_delivery_id_body_hash"),
        ),
    )
    op.create_index("ix_inbox_state", "inbox", ["state", "id"], unique=False)
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["lane", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "ledger",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sku_id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", BIG, nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("from_location_id", BIG, nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("to_location_id", BIG, nullable=False),
        sa.Column("occurred_at", BIG, nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reverses", BIG, nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_ledger_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
    op.create_index("ix_ledger_event", "ledger", ["event_id"], unique=False)
    op.create_index(
        op.f("ix_ledger_sku_id_occurred_at_id"),
        "ledger",
        ["sku_id", "occurred_at", "id"],
        unique=False,
    )
    op.create_table(
        "lines",
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("channel_id", BIG, nullable=True),
        sa.Column("order_number", sa.Text(), nullable=True),
        sa.Column("sku_id", BIG, nullable=True),
        sa.Column("targets", sa.Text(), server_default="{}", nullable=False),
        sa.Column("posted", sa.Text(), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        sa.UniqueConstraint("case_key", "line", name=op.f("uq_lines_case_key_line")),
    )
    op.create_index(
        "ix_lines_number",
        "lines",
        ["order_number", "channel_id"],
        unique=False,
        sqlite_where=sa.text("order_number IS NOT NULL"),
        postgresql_where=sa.text("order_number IS NOT NULL"),
    )
    op.create_table(
        "push_attempt_items",
        sa.Column("id", BIG, nullable=False),
        sa.Column("attempt_id", BIG, nullable=False),
        sa.Column("publication_id", BIG, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("expected", BIG, nullable=True),
        sa.Column("version", BIG, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_attempt_items")),
    )
    op.create_index(
        op.f("ix_push_attempt_items_attempt_id"),
        "push_attempt_items",
        ["attempt_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_push_attempt_items_publication_id_id"),
        "push_attempt_items",
        ["publication_id", "id"],
        unique=False,
    )
    op.create_table(
        "refused",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("times", BIG, server_default="0", nullable=False),
        sa.Column("last_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused")),
        sa.UniqueConstraint("channel", "cause", name=op.f("uq_refused_channel_cause")),
    )
    op.create_table(
        "refused_samples",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("received_at", BIG, nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("headers", sa.Text(), server_default="{}", nullable=False),
        sa.Column("body_bytes", BIG, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_samples")),
    )
    op.create_table(
        "skus",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("barcode", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skus")),
        sa.UniqueConstraint("sku", name=op.f("uq_skus_sku")),
    )
    op.create_table(
        "stock_events",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("occurred_at", BIG, nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("inbox_id", BIG, nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_events")),
        sa.UniqueConstraint(
            "key", "version", "target", name=op.f("uq_stock_events_key_version_target")
        ),
    )
    op.create_index("ix_stock_events_inbox", "stock_events", ["inbox_id"], unique=False)
    op.create_index(
        "ix_stock_events_parked",
        "stock_events",
        ["waits_for"],
        unique=False,
        sqlite_where=sa.text("verdict = 'parked'"),
        postgresql_where=sa.text("verdict = 'parked'"),
    )
    op.create_table(
        "users",
        sa.Column("id", BIG, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("disabled_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("id", BIG, nullable=False),
        sa.Column("token_id", BIG, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("status", BIG, nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name=op.f("fk_idempotency_keys_token_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint(
            "token_id",
            "path",
            "key",
            name=op.f("uq_idempotency_keys_token_id_path_key"),
        ),
    )
    op.create_table(
        "incidents",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("channel_id", BIG, nullable=True),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.Column("times", BIG, server_default="1", nullable=False),
        sa.Column("opened_at", BIG, nullable=False),
        sa.Column("seen_at", BIG, nullable=False),
        sa.Column("closed_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_incidents_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index(
        op.f("ix_incidents_kind_subject"),
        "incidents",
        ["kind", "subject"],
        unique=False,
    )
    op.create_table(
        "listings",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("sku_id", BIG, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("external_parent_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("gone_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_listings_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["sku_id"], ["skus.id"], name=op.f("fk_listings_sku_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
        sa.UniqueConstraint(
            "channel_id", "external_id", name=op.f("uq_listings_channel_id_external_id")
        ),
    )
    op.create_index(
        op.f("ix_listings_channel_id_external_parent_id"),
        "listings",
        ["channel_id", "external_parent_id"],
        unique=False,
    )
    op.create_index(op.f("ix_listings_sku_id"), "listings", ["sku_id"], unique=False)
    op.create_table(
        "locations",
        sa.Column("id", BIG, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("custodian", sa.Text(), nullable=True),
        sa.Column("unassigned_of", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["unassigned_of"], ["channels.id"], name=op.f("fk_locations_unassigned_of")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_locations")),
        sa.UniqueConstraint("code", name=op.f("uq_locations_code")),
    )
    op.create_table(
        "push_attempts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("variables_hash", sa.Text(), nullable=False),
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("finished_at", BIG, nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("delay_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_push_attempts_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_attempts")),
    )
    op.create_index(
        op.f("ix_push_attempts_channel_id_id"),
        "push_attempts",
        ["channel_id", "id"],
        unique=False,
    )
    op.create_table(
        "channel_locations",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("location_id", BIG, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("position", BIG, server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_channel_locations_channel_id"),
        ),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["locations.id"],
            name=op.f("fk_channel_locations_location_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_locations")),
        sa.UniqueConstraint(
            "channel_id",
            "location_id",
            name=op.f("uq_channel_locations_channel_id_location_id"),
        ),
    )
    op.create_table(
        "hold_lines",
        sa.Column("id", BIG, nullable=False),
        sa.Column("hold", BIG, nullable=False),
        sa.Column("sku_id", BIG, nullable=False),
        sa.Column("location_id", BIG, nullable=False),
        sa.Column("quantity", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["hold"], ["holds.id"], name=op.f("fk_hold_lines_hold")
        ),
        sa.ForeignKeyConstraint(
            ["location_id"], ["locations.id"], name=op.f("fk_hold_lines_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["sku_id"], ["skus.id"], name=op.f("fk_hold_lines_sku_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold_lines")),
    )
    op.create_index(op.f("ix_hold_lines_hold"), "hold_lines", ["hold"], unique=False)
    op.create_index(
        op.f("ix_hold_lines_sku_id"), "hold_lines", ["sku_id"], unique=False
    )
    op.create_table(
        "publications",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_id", BIG, nullable=False),
        sa.Column("listing_id", BIG, nullable=False),
        sa.Column("sku_id", BIG, nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("wanted_version", BIG, server_default="1", nullable=False),
        sa.Column("wanted_at", BIG, server_default="0", nullable=False),
        sa.Column("accepted_version", BIG, server_default="0", nullable=False),
        sa.Column("accepted", BIG, nullable=True),
        sa.Column("accepted_at", BIG, nullable=True),
        sa.Column("observed", BIG, nullable=True),
        sa.Column("observed_at", BIG, nullable=True),
        sa.Column("believed", BIG, nullable=True),
        sa.Column("believed_at", BIG, nullable=True),
        sa.Column("unsure", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("doubt_at", BIG, nullable=True),
        sa.Column("misses", BIG, server_default="0", nullable=False),
        sa.Column("stamp", BIG, server_default="0", nullable=False),
        sa.Column("effect_at", BIG, server_default="0", nullable=False),
        sa.Column("attempts", BIG, server_default="0", nullable=False),
        sa.Column("next_attempt_at", BIG, server_default="0", nullable=False),
        sa.Column("failed_at", BIG, nullable=True),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("discarded_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_publications_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_publications_listing_id")
        ),
        sa.ForeignKeyConstraint(
            ["sku_id"], ["skus.id"], name=op.f("fk_publications_sku_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publications")),
        sa.UniqueConstraint(
            "listing_id", "place", name=op.f("uq_publications_listing_id_place")
        ),
    )
    op.create_index(
        "ix_publications_due",
        "publications",
        ["channel_id", "next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("wanted_version > accepted_version"),
        postgresql_where=sa.text("wanted_version > accepted_version"),
    )
    op.create_index(
        op.f("ix_publications_sku_id"), "publications", ["sku_id"], unique=False
    )
    op.create_table(
        "stock_levels",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sku_id", BIG, nullable=False),
        sa.Column("location_id", BIG, nullable=False),
        sa.Column("available", BIG, server_default="0", nullable=False),
        sa.Column("reserved", BIG, server_default="0", nullable=False),
        sa.Column("committed", BIG, server_default="0", nullable=False),
        sa.Column("inspection", BIG, server_default="0", nullable=False),
        sa.Column("damaged", BIG, server_default="0", nullable=False),
        sa.Column("incoming", BIG, server_default="0", nullable=False),
        sa.Column("supplier", BIG, server_default="0", nullable=False),
        sa.Column("customer", BIG, server_default="0", nullable=False),
        sa.Column("variance", BIG, server_default="0", nullable=False),
        sa.Column("scrap", BIG, server_default="0", nullable=False),
        sa.Column("counted_at", BIG, nullable=True),
        sa.CheckConstraint("committed >= 0", name=op.f("ck_stock_levels_committed")),
        sa.CheckConstraint("damaged >= 0", name=op.f("ck_stock_levels_damaged")),
        sa.CheckConstraint("inspection >= 0", name=op.f("ck_stock_levels_inspection")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_stock_levels_reserved")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["locations.id"], name=op.f("fk_stock_levels_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["sku_id"], ["skus.id"], name=op.f("fk_stock_levels_sku_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_levels")),
        sa.UniqueConstraint(
            "sku_id", "location_id", name=op.f("uq_stock_levels_sku_id_location_id")
        ),
    )


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("stock_levels")
    op.drop_table("publications")
    op.drop_table("hold_lines")
    op.drop_table("channel_locations")
    op.drop_table("push_attempts")
    op.drop_table("locations")
    op.drop_table("listings")
    op.drop_table("incidents")
    op.drop_table("idempotency_keys")
    op.drop_table("users")
    op.drop_table("stock_events")
    op.drop_table("skus")
    op.drop_table("refused_samples")
    op.drop_table("refused")
    op.drop_table("push_attempt_items")
    op.drop_table("lines")
    op.drop_table("ledger")
    op.drop_table("leases")
    op.drop_table("inbox")
    op.drop_table("holds")
    op.drop_table("checkpoints")
    op.drop_table("channels")
    op.drop_table("audit_log")
    op.drop_table("api_tokens")

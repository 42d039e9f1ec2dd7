"""Configuration: channels, locations, SKUs and how channels list them."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, UniqueConstraint

from app.store.tables.columns import Big, Text, count, id_, metadata, ref, text

channels = sa.Table(
    "channels",
    metadata,
    id_(),
    Column("key", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("base_url", Text),
    text("settings", "{}"),
    text("secrets"),  # encrypted JSON: name → list of values
    Column("publish", Text),  # JSON; NULL: listens only
    text("authority", "{}"),
    text("ignore", "{}"),  # what copied orders are known by
    count("ignoring_since"),  # when that was last changed; 0: never
    text("not_stock", "[]"),  # JSON; items of it that nobody keeps
    text("orders", "{}"),  # JSON; how its orders are taken: until_paid, in seconds
    Column("ships_from", Text),
    Column("private_addresses", sa.Boolean, nullable=False, server_default=sa.true()),
    Column("paused_at", Big),
    Column("paused_reason", Text),
    Column("disconnected_at", Big),
    Column("held_until", Big),  # nothing is sent before then
    Column("held_reason", Text),  # why, in a sentence
    Column("free_since", Big),  # when it was resumed, or what held it is over
    Column("tripped_at", Big),  # the circuit is open since: a probe closes it
    count("probes"),  # probes in a row that failed since then
    Column("reads_held_until", Big),  # nothing is fetched before then
    count("reads_failed"),  # fetches in a row that failed
    Column("budget", Text),  # JSON; the calls that the provider still allows
    Column("slow_until", Big),  # timed out: served by the slow lane until then
    count("failures"),  # channel-level failures in a row
    Column("last_error", Text),
    Column("answered_at", Big),
    Column("clock_ahead", Big),  # how far its clock is ahead of ours; 0: alike
    Column("clock_told_at", Big),  # when it last told its time
    text("drift", "override"),  # override · adopt · ask
    Column("compared_at", Big),  # when all its numbers were last read and compared
    count("compared_to"),  # the publication up to which they are; 0: none under way
    Column("orders_read_at", Big),  # all that changed before then was read
    Column("numbers_read_at", Big),  # its numbers that changed before then were read
    count("poll_due_at"),  # when its changes are read next; 0: at once
    Column("poll_began_at", Big),  # since when a round of reading is under way
    Column("poll_position", Big),  # how far that round has got
    Column("poll_from", Big),  # a person asked for all changes since then
    count("webhooks_due_at"),  # when its webhooks are looked at next; 0: at once
    count("marked_to"),  # the ledger entry up to which its publications are marked
    count("changed_at"),
)

locations = sa.Table(
    "locations",
    metadata,
    id_(),
    Column("code", Text, nullable=False, unique=True),
    text("name"),
    Column("custodian", Text),
    # The virtual place of promises that name no location yet: one per channel.
    ref("unassigned_of", "channels", nullable=True),
)

channel_locations = sa.Table(
    "channel_locations",
    metadata,
    id_(),
    ref("channel_id", "channels"),
    ref("location_id", "locations"),
    Column("external_id", Text, nullable=False),
    count("position"),
    UniqueConstraint("channel_id", "location_id"),
)

skus = sa.Table(
    "skus",
    metadata,
    id_(),
    Column("sku", Text, nullable=False, unique=True),
    text("name"),
    Column("barcode", Text),
)

sku_aliases = sa.Table(  # other texts for a SKU; an ended one is kept as history
    "sku_aliases",
    metadata,
    id_(),
    Column("alias", Text, nullable=False),
    ref("sku_id", "skus"),
    Column("kind", Text, nullable=False),  # alias · renamed (it was the SKU's code)
    Column("made_at", Big, nullable=False),
    Column("ended_at", Big),  # it is the SKU's code again
    Column("actor", Text),
    Index(
        None,
        "alias",
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    Index(None, "sku_id"),
)

recipes = sa.Table(  # every recipe there ever was; rows are only added
    "recipes",
    metadata,
    id_(),
    ref("sku_id", "skus"),
    Column("valid_from", Big, nullable=False),
    text("components", "{}"),  # JSON: SKU id → quantity; {}: no kit from then on
    Column("recorded_at", Big, nullable=False),
    Column("actor", Text),
    Index(None, "sku_id"),
)

kit_parts = sa.Table(  # what kits are made of now, nested ones taken apart
    "kit_parts",
    metadata,
    id_(),
    ref("kit_id", "skus"),
    ref("sku_id", "skus"),
    Column("quantity", Big, nullable=False),
    UniqueConstraint("kit_id", "sku_id"),
    Index(None, "sku_id"),
)

listings = sa.Table(
    "listings",
    metadata,
    id_(),
    ref("channel_id", "channels"),
    ref("sku_id", "skus"),
    Column("external_id", Text, nullable=False),
    Column("external_parent_id", Text),
    text("name"),
    Column("gone_at", Big),
    Column("policy", Text),  # JSON; what it says instead of the channel's `publish`
    UniqueConstraint("channel_id", "external_id"),
    Index(None, "channel_id", "external_parent_id"),
    Index(None, "sku_id"),
)

policies = sa.Table(  # every policy there ever was; rows are only added
    "policies",
    metadata,
    id_(),
    ref("channel_id", "channels"),
    ref("listing_id", "listings", nullable=True),  # NULL: the channel's own
    count("version"),
    Column("policy", Text),  # as in channels.publish or listings.policy
    Column("locations", Text),  # a channel's mapping: JSON, code → the channel's own id
    Column("changed_at", Big, nullable=False),
    Column("actor", Text),
    Index(None, "channel_id", "listing_id", "id"),
)

"""Every table, grouped as configuration · receiving · stock · publishing · people.

Times are microseconds since 1970 UTC (`_at`). Text columns named `targets`, `posted`,
`details`, `document` … hold JSON. Quantities are 64-bit integers.
"""

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, UniqueConstraint

from app.domain.states import STATES

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text


def _id() -> Column[int]:
    return Column("id", Big, primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Big, ForeignKey(f"{target}.id"), nullable=nullable)


def _link(name: str, *, nullable: bool = False) -> Column[int]:
    """A reference without a constraint: checking one costs ten microseconds a row on
    the hot path, and what is referred to is never deleted."""
    return Column(name, Big, nullable=nullable)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _count(name: str, default: int = 0) -> Column[int]:
    return Column(name, Big, nullable=False, server_default=str(default))


# -- configuration -----------------------------------------------------------

channels = sa.Table(
    "channels",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("base_url", Text),
    _text("settings", "{}"),
    _text("secrets"),  # encrypted JSON: name → list of values
    Column("publish", Text),  # JSON; NULL: listens only
    _text("authority", "{}"),
    Column("ships_from", Text),
    Column("private_addresses", sa.Boolean, nullable=False, server_default=sa.true()),
    Column("paused_at", Big),
    Column("paused_reason", Text),
    Column("disconnected_at", Big),
    Column("held_until", Big),  # the channel asked us to wait
    Column("slow_until", Big),  # timed out: served by the slow lane until then
    _count("failures"),  # channel-level failures in a row
    Column("last_error", Text),
    Column("answered_at", Big),
    Column("orders_read_at", Big),  # cursor of `recent`
    _count("changed_at"),
)

locations = sa.Table(
    "locations",
    metadata,
    _id(),
    Column("code", Text, nullable=False, unique=True),
    _text("name"),
    Column("custodian", Text),
    # The virtual place of promises that name no location yet: one per channel.
    _ref("unassigned_of", "channels", nullable=True),
)

channel_locations = sa.Table(
    "channel_locations",
    metadata,
    _id(),
    _ref("channel_id", "channels"),
    _ref("location_id", "locations"),
    Column("external_id", Text, nullable=False),
    _count("position"),
    UniqueConstraint("channel_id", "location_id"),
)

skus = sa.Table(
    "skus",
    metadata,
    _id(),
    Column("sku", Text, nullable=False, unique=True),
    _text("name"),
    Column("barcode", Text),
)

listings = sa.Table(
    "listings",
    metadata,
    _id(),
    _ref("channel_id", "channels"),
    _ref("sku_id", "skus"),
    Column("external_id", Text, nullable=False),
    Column("external_parent_id", Text),
    _text("name"),
    Column("gone_at", Big),
    UniqueConstraint("channel_id", "external_id"),
    Index(None, "channel_id", "external_parent_id"),
    Index(None, "sku_id"),
)

# -- receiving ---------------------------------------------------------------

inbox = sa.Table(
    "inbox",
    metadata,
    _id(),
    _link("channel_id"),
    Column("delivery_id", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    # `apply`: the applier's turn; `fetch`: the channel must be asked first.
    Column("lane", Text, nullable=False, server_default="apply"),
    _text("topic"),
    _text("headers", "{}"),
    Column("body", sa.LargeBinary),  # encrypted; gone after the first claim
    Column("document", Text),
    Column("wants", Text),  # the Read it waits for
    Column("fetched", Text),
    Column("received_at", Big, nullable=False),
    Column("settled_at", Big),
    _count("attempts"),
    _count("next_attempt_at"),
    Column("error", Text),
    UniqueConstraint("channel_id", "delivery_id", "body_hash"),
    CheckConstraint(
        "state IN ('waiting','applied','ignored','parked','buried')", name="state"
    ),
)
Index(
    "ix_inbox_waiting",
    inbox.c.lane,
    inbox.c.id,
    sqlite_where=inbox.c.state == "waiting",
    postgresql_where=inbox.c.state == "waiting",
)
Index("ix_inbox_state", inbox.c.state, inbox.c.id)

refused = sa.Table(
    "refused",
    metadata,
    _id(),
    Column("channel", Text, nullable=False),
    Column("cause", Text, nullable=False),
    _count("times"),
    Column("last_at", Big, nullable=False),
    UniqueConstraint("channel", "cause"),
)

refused_samples = sa.Table(
    "refused_samples",
    metadata,
    _id(),
    Column("channel", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("received_at", Big, nullable=False),
    _text("message"),
    _text("headers", "{}"),  # names only where a value could be a secret
    _count("body_bytes"),
)

# -- stock -------------------------------------------------------------------

stock_events = sa.Table(
    "stock_events",
    metadata,
    _id(),
    _link("channel_id", nullable=True),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Big, nullable=False),
    Column("version", Big, nullable=False),
    Column("occurred_at", Big, nullable=False),
    Column("recorded_at", Big, nullable=False),
    # posted · superseded · quarantined · parked · observed
    Column("verdict", Text, nullable=False),
    Column("note", Text),
    Column("waits_for", Text),
    Column("inbox_id", Big),
    Column("actor", Text),
    _text("details", "{}"),  # the rest of the event, as the source told it
    UniqueConstraint("key", "version", "target"),
)
Index("ix_stock_events_inbox", stock_events.c.inbox_id)
Index(
    "ix_stock_events_parked",
    stock_events.c.waits_for,
    sqlite_where=stock_events.c.verdict == "parked",
    postgresql_where=stock_events.c.verdict == "parked",
)

lines = sa.Table(
    "lines",
    metadata,
    _id(),
    Column("case_key", Text, nullable=False),  # the order, receipt, transfer …
    Column("line", Text, nullable=False),
    _link("channel_id", nullable=True),
    Column("order_number", Text),
    _link("sku_id", nullable=True),
    _text("targets", "{}"),
    _text("posted", "[]"),
    UniqueConstraint("case_key", "line"),
)
Index(
    "ix_lines_number",
    lines.c.order_number,
    lines.c.channel_id,
    sqlite_where=lines.c.order_number.is_not(None),
    postgresql_where=lines.c.order_number.is_not(None),
)

ledger = sa.Table(
    "ledger",
    metadata,
    _id(),
    _link("sku_id"),
    Column("kind", Text, nullable=False),
    Column("quantity", Big, nullable=False),
    Column("from_state", Text, nullable=False),
    _link("from_location_id"),
    Column("to_state", Text, nullable=False),
    _link("to_location_id"),
    Column("occurred_at", Big, nullable=False),
    Column("recorded_at", Big, nullable=False),
    _link("event_id"),
    _link("channel_id", nullable=True),
    Column("actor", Text),
    Column("reason", Text),
    Column("reverses", Big),
    CheckConstraint("quantity > 0", name="positive"),
    Index(None, "sku_id", "occurred_at", "id"),
)
Index("ix_ledger_event", ledger.c.event_id)

stock_levels = sa.Table(
    "stock_levels",
    metadata,
    _id(),
    _ref("sku_id", "skus"),
    _ref("location_id", "locations"),
    *(_count(state) for state in STATES),
    Column("counted_at", Big),  # the newest checkpoint here
    UniqueConstraint("sku_id", "location_id"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("committed >= 0", name="committed"),
    CheckConstraint("inspection >= 0", name="inspection"),
    CheckConstraint("damaged >= 0", name="damaged"),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    _id(),
    _link("sku_id"),
    _link("location_id"),
    Column("occurred_at", Big, nullable=False),
    Column("scope", Text, nullable=False),
    Column("counted", Big, nullable=False),
    Column("version", Big, nullable=False),
    Column("key", Text, nullable=False),
    UniqueConstraint("sku_id", "location_id", "occurred_at"),
)

holds = sa.Table(
    "holds",
    metadata,
    _id(),
    Column("hold_id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),  # active · committed · released · expired
    Column("reference", Text),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big, nullable=False),
    Column("ended_at", Big),
    Column("actor", Text),
    Column("answer", Text),  # what the commit answered, for a second commit
    CheckConstraint(
        "state IN ('active','committed','released','expired')", name="state"
    ),
)
Index("ix_holds_active", holds.c.state, holds.c.expires_at)
Index("ix_holds_reference", holds.c.reference)

hold_lines = sa.Table(
    "hold_lines",
    metadata,
    _id(),
    _ref("hold", "holds"),
    _ref("sku_id", "skus"),
    _ref("location_id", "locations"),
    Column("quantity", Big, nullable=False),
    Index(None, "hold"),
    Index(None, "sku_id"),
)

# -- publishing --------------------------------------------------------------

publications = sa.Table(
    "publications",
    metadata,
    _id(),
    _ref("channel_id", "channels"),
    _ref("listing_id", "listings"),
    _ref("sku_id", "skus"),
    _text("place"),  # the channel's own location id; '' where it has none
    _count("wanted_version", 1),
    _count("wanted_at"),
    _count("accepted_version"),
    Column("accepted", Big),
    Column("accepted_at", Big),
    Column("observed", Big),
    Column("observed_at", Big),
    Column("believed", Big),
    Column("believed_at", Big),
    Column("unsure", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("doubt_at", Big),  # it showed a number that we cannot explain yet
    _count("misses"),  # compare-and-set misses in a row
    _count("stamp"),  # the time our newest write was stamped with
    _count("effect_at"),  # the newest event of this channel applied here
    _count("attempts"),
    _count("next_attempt_at"),
    Column("failed_at", Big),
    Column("error_class", Text),
    Column("last_error", Text),
    Column("discarded_at", Big),
    UniqueConstraint("listing_id", "place"),
    Index(None, "sku_id"),
)
Index(
    "ix_publications_due",
    publications.c.channel_id,
    publications.c.next_attempt_at,
    sqlite_where=publications.c.wanted_version > publications.c.accepted_version,
    postgresql_where=publications.c.wanted_version > publications.c.accepted_version,
)

push_attempts = sa.Table(
    "push_attempts",
    metadata,
    _id(),
    _ref("channel_id", "channels"),
    Column("key", Text, nullable=False),
    Column("variables_hash", Text, nullable=False),
    Column("started_at", Big, nullable=False),
    Column("finished_at", Big),
    # sending · accepted · partly · refused · retry · unknown
    Column("result", Text, nullable=False),
    Column("error", Text),
    Column("delay_reason", Text),
    Index(None, "channel_id", "id"),
)

push_attempt_items = sa.Table(
    "push_attempt_items",
    metadata,
    _id(),
    _link("attempt_id"),
    _link("publication_id"),
    Column("number", Big, nullable=False),
    Column("expected", Big),
    Column("version", Big, nullable=False),
    Column("verdict", Text),
    Column("reason", Text),
    Index(None, "publication_id", "id"),
    Index(None, "attempt_id"),
)

leases = sa.Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Big, nullable=False),
)

incidents = sa.Table(
    "incidents",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    _ref("channel_id", "channels", nullable=True),
    _text("message"),
    _text("details", "{}"),
    _count("times", 1),
    Column("opened_at", Big, nullable=False),
    Column("seen_at", Big, nullable=False),
    Column("closed_at", Big),
    Index(None, "kind", "subject"),
)

# -- people ------------------------------------------------------------------

users = sa.Table(
    "users",
    metadata,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("disabled_at", Big),
)

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("revoked_at", Big),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    _id(),
    _ref("token_id", "api_tokens"),
    Column("path", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("status", Big, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    UniqueConstraint("token_id", "path", "key"),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    _id(),
    Column("at", Big, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    _text("details", "{}"),
)

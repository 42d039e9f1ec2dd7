"""Stock: events, cases, the ledger, levels, counts and holds."""

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint

from app.domain.states import STATES
from app.store.tables.columns import Big, Text, count, id_, link, metadata, ref, text

stock_events = sa.Table(
    "stock_events",
    metadata,
    id_(),
    link("channel_id", nullable=True),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Big, nullable=False),
    Column("version", Big, nullable=False),
    Column("occurred_at", Big, nullable=False),
    Column("recorded_at", Big, nullable=False),
    # posted · superseded · quarantined · parked · observed · not stock
    Column("verdict", Text, nullable=False),
    Column("note", Text),
    Column("waits_for", Text),
    Column("inbox_id", Big),
    Column("actor", Text),
    text("details", "{}"),  # the rest of the event, as the source told it
    # What its names meant then: listings and channels' locations change.
    link("sku_id", nullable=True),
    link("location_id", nullable=True),
    link("to_location_id", nullable=True),
    text("apart"),  # what another row of this fact, version and target does not say
    UniqueConstraint("key", "version", "target", "apart"),
)
Index("ix_stock_events_inbox", stock_events.c.inbox_id)
for _name, _verdict in (("parked", "parked"), ("not_stock", "not stock")):
    Index(
        f"ix_stock_events_{_name}",
        stock_events.c.waits_for,
        sqlite_where=stock_events.c.verdict == _verdict,
        postgresql_where=stock_events.c.verdict == _verdict,
    )

lines = sa.Table(
    "lines",
    metadata,
    id_(),
    Column("case_key", Text, nullable=False),  # the order, receipt, transfer …
    Column("line", Text, nullable=False),
    link("channel_id", nullable=True),
    Column("order_number", Text),
    link("sku_id", nullable=True),
    text("targets", "{}"),
    text("posted", "[]"),
    UniqueConstraint("case_key", "line"),
)
Index(
    "ix_lines_number",
    lines.c.order_number,
    lines.c.channel_id,
    sqlite_where=lines.c.order_number.is_not(None),
    postgresql_where=lines.c.order_number.is_not(None),
)

ways = sa.Table(  # transfers and expected receipts, and how far they are
    "ways",
    metadata,
    id_(),
    Column("way_id", Text, nullable=False, unique=True),  # their own
    Column("is_transfer", sa.Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Index("ix_ways_state", "state", "is_transfer", "id"),
)

return_cases = sa.Table(  # how far the return of a case's units is
    "return_cases",
    metadata,
    id_(),
    Column("case_key", Text, nullable=False),
    Column("line", Text, nullable=False),
    link("channel_id", nullable=True),
    Column("order_number", Text),
    link("sku_id"),
    *(
        count(units)
        for units in (
            "advised",
            "received",
            "surplus",
            "unlinked",
            "sellable",
            "to_judge",
            "damaged",
        )
    ),
    link("judged_at", nullable=True),  # the location where they wait
    Column("began_at", Big, nullable=False),
    Column("changed_at", Big, nullable=False),
    UniqueConstraint("case_key", "line"),
)

ledger = sa.Table(
    "ledger",
    metadata,
    id_(),
    link("sku_id"),
    Column("kind", Text, nullable=False),
    Column("quantity", Big, nullable=False),
    Column("from_state", Text, nullable=False),
    link("from_location_id"),
    Column("to_state", Text, nullable=False),
    link("to_location_id"),
    Column("occurred_at", Big, nullable=False),
    Column("recorded_at", Big, nullable=False),
    link("event_id"),
    link("channel_id", nullable=True),
    Column("actor", Text),
    Column("reason", Text),
    Column("reverses", Big),
    CheckConstraint("quantity > 0", name="positive"),
    Index(None, "sku_id", "occurred_at", "id"),
)
Index("ix_ledger_event", ledger.c.event_id)

ledger_readers = sa.Table(  # who looks at every entry in the background
    "ledger_readers",
    metadata,
    id_(),
    Column("name", Text, nullable=False, unique=True),
    Column("read_to", Big, nullable=False),  # the last entry looked at
)

ledger_seals = sa.Table(
    "ledger_seals",
    metadata,
    id_(),
    Column("first_id", Big, nullable=False, unique=True),
    Column("last_id", Big, nullable=False),
    Column("entries", Big, nullable=False),
    Column("hash", Text, nullable=False),  # of these entries and the seal before
    text("previous"),  # the hash of the seal before
    text("marks", "{}"),  # entry id → the first digits of its own hash
    Column("sealed_at", Big, nullable=False),
)

stock_levels = sa.Table(
    "stock_levels",
    metadata,
    id_(),
    ref("sku_id", "skus"),
    ref("location_id", "locations"),
    *(count(state) for state in STATES),
    Column("counted_at", Big),  # the newest checkpoint here
    UniqueConstraint("sku_id", "location_id"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("committed >= 0", name="committed"),
    CheckConstraint("inspection >= 0", name="inspection"),
    CheckConstraint("damaged >= 0", name="damaged"),
)
for _few in ("incoming", "inspection"):
    Index(
        f"ix_stock_levels_{_few}",
        stock_levels.c.id,
        sqlite_where=stock_levels.c[_few] > 0,
        postgresql_where=stock_levels.c[_few] > 0,
    )

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    id_(),
    link("sku_id"),
    link("location_id"),
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
    id_(),
    Column("hold_id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),  # active · committed · released · expired
    Column("reference", Text),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big, nullable=False),
    Column("ended_at", Big),
    Column("actor", Text),
    Column("answer", Text),  # what the commit answered, for a second commit
    Column("line_key", Text),  # the order line that waits for its payment
    CheckConstraint(
        "state IN ('active','committed','released','expired')", name="state"
    ),
)
Index("ix_holds_active", holds.c.state, holds.c.expires_at)
Index("ix_holds_reference", holds.c.reference)
Index("ix_holds_line_key", holds.c.line_key, unique=True)

hold_lines = sa.Table(
    "hold_lines",
    metadata,
    id_(),
    link("hold"),
    link("sku_id"),
    link("location_id"),
    Column("quantity", Big, nullable=False),
    link("part_of", nullable=True),  # a component's: the line of the kit that is held
    Index(None, "hold"),
    Index(None, "sku_id"),
)

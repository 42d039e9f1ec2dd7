"""Receiving: the inbox, and what was refused."""

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint

from app.store.tables.columns import Big, Text, count, id_, link, metadata, text

inbox = sa.Table(
    "inbox",
    metadata,
    id_(),
    link("channel_id"),
    Column("delivery_id", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    # `apply`: the applier's turn; `apply again`: the same, once nothing else waits;
    # `fetch`: the channel must be asked first.
    Column("lane", Text, nullable=False, server_default="apply"),
    text("topic"),
    text("headers", "{}"),
    Column("body", sa.LargeBinary),  # encrypted; gone after the first claim
    Column("document", Text),
    Column("wants", Text),  # the Read it waits for
    Column("fetched", Text),
    Column("fetched_at", Big),
    Column("received_at", Big, nullable=False),
    Column("settled_at", Big),
    count("attempts"),
    count("next_attempt_at"),
    Column("error", Text),
    Column("dismissed_by", Text),  # who said that it means nothing here
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
    id_(),
    Column("channel", Text, nullable=False),
    Column("cause", Text, nullable=False),
    count("times"),
    Column("last_at", Big, nullable=False),
    UniqueConstraint("channel", "cause"),
)

refused_samples = sa.Table(
    "refused_samples",
    metadata,
    id_(),
    Column("channel", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("received_at", Big, nullable=False),
    text("message"),
    text("headers", "{}"),  # names only where a value could be a secret
    count("body_bytes"),
)

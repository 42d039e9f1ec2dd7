"""Watching: what people have been told is wrong, how channels were, what secrets did."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, UniqueConstraint

from app.store.tables.columns import Big, Text, id_, link, metadata, text

alerts = sa.Table(
    "alerts",
    metadata,
    id_(),
    Column("name", Text, nullable=False, unique=True),  # what is wrong with what
    Column("words", Text, nullable=False),
    Column("began_at", Big, nullable=False),
    Column("told_at", Big),
    Column("ended_at", Big),
)

conditions = sa.Table(
    "conditions",
    metadata,
    id_(),
    link("channel_id"),
    Column("at", Big, nullable=False),
    Column("state", Text, nullable=False),  # as in app.domain.condition
    text("why"),
    Index(None, "channel_id", "id"),
)

secret_facts = sa.Table(
    "secret_facts",
    metadata,
    id_(),
    link("channel_id"),
    Column("name", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),  # the secret itself is the channel's
    Column("added_at", Big),  # at the dashboard
    Column("added_by", Text),
    Column("ends_at", Big),  # a webhook signed with it is refused from then on
    Column("used_at", Big),  # it last proved a webhook, to the minute
    UniqueConstraint("channel_id", "name", "fingerprint"),
)

"""Channels that somebody is about to connect at the dashboard."""

import sqlalchemy as sa
from sqlalchemy import Column

from app.store.tables.columns import Big, Text, id_, metadata, text

connectings = sa.Table(
    "connectings",
    metadata,
    id_(),
    Column("at", Big, nullable=False),
    Column("actor", Text, nullable=False),
    Column("key", Text, nullable=False),  # the channel's, as it will be
    Column("provider", Text, nullable=False),
    text("asked"),  # encrypted JSON with the secrets; empty once it is connected
    Column("state", Text, nullable=False),  # looking · found · taking · done
    text("doing"),  # what is done just now, in words
    text("wrong"),  # why it does not go on, a sentence; a person tries again
    text("found", "{}"),  # JSON: its locations, and how its items fit
    text("chosen", "{}"),  # JSON: its locations as a person mapped them; opening
    text("done", "{}"),  # JSON: what came of it
)

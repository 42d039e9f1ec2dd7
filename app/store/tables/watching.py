"""Watching: what people have been told is wrong."""

import sqlalchemy as sa
from sqlalchemy import Column

from app.store.tables.columns import Big, Text, id_, metadata

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

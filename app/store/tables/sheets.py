"""Spreadsheets that people brought: looked at first, then let in, perhaps undone."""

import sqlalchemy as sa
from sqlalchemy import Column

from app.store.tables.columns import Big, Text, count, id_, metadata, text

sheets = sa.Table(
    "sheets",
    metadata,
    id_(),
    Column("at", Big, nullable=False),
    Column("actor", Text, nullable=False),
    Column(
        "kind", Text, nullable=False
    ),  # skus · recipes · listings · counts · adjustments
    Column("name", Text, nullable=False),  # the file's
    Column("digest", Text, nullable=False),  # of the file's bytes
    text("source"),  # whose columns it had, when they were not ours
    text("rows", "[]"),  # JSON: [line, {column: text}], with what was seen beside it
    text("problems", "[]"),  # JSON: [line, words]
    Column("applied_at", Big),  # when somebody let it in
    text("asked_by"),  # who did, or who undoes it
    count("done"),  # rows that are let in, and not undone
    text("before", "[]"),  # JSON, a part for each portion: what there was until then
    text(
        "result", "{}"
    ),  # JSON: how many lines, what was left out, why undoing stopped
    Column("finished_at", Big),  # all of it was let in
    Column("undoing_at", Big),  # when somebody asked for it
    Column("undone_at", Big),
)

"""Bulk runs: what a person sets off for many deliveries at once."""

import sqlalchemy as sa
from sqlalchemy import Column

from app.store.tables.columns import Big, Text, count, id_, link, metadata, text

bulk_runs = sa.Table(
    "bulk_runs",
    metadata,
    id_(),
    Column("action", Text, nullable=False),  # retry · discard
    Column("actor", Text, nullable=False),
    text("wanted", "{}"),  # the filter, or how many ids
    Column("asked_at", Big, nullable=False),
    count("matched"),
    Column("cancelled_at", Big),
    Column("cancelled_by", Text),
    Column("finished_at", Big),
    text("result", "{}"),  # state → rows, once it is finished and its rows are gone
)

bulk_rows = sa.Table(  # only of runs that are not finished
    "bulk_rows",
    metadata,
    Column("run_id", Big, primary_key=True, autoincrement=False),
    Column("publication_id", Big, primary_key=True, autoincrement=False),
    link("channel_id"),
    # waits · sent · done · skipped · failed · retrying · cancelled
    text("state", "waits"),
)

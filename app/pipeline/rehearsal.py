"""Rehearsal: every stock event again, in another order, into an empty database.

The events are the whole truth only if they lead to the same levels whatever order they
come in and however often. Those that were superseded, or wait, have moved nothing.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.states import STATES
from app.pipeline.apply import apply
from app.pipeline.hearing import hear
from app.pipeline.house import House, read_house
from app.pipeline.told import POSTED, Told, event_of
from app.store.engine import applying, open_engine
from app.store.tables import (
    channel_locations,
    channels,
    lines,
    listings,
    locations,
    metadata,
    skus,
    stock_events,
    stock_levels,
)

BATCH = 100
AGAIN = 0.1
"""The share of the events that is told twice."""
_CONFIGURATION = (channels, locations, channel_locations, skus, listings)

Levels = dict[tuple[int, int], list[int]]
Progress = Callable[[int, int], None]


def rehearse(
    connection: Connection, now: Instant, seed: int, progress: Progress | None = None
) -> Iterator[str]:
    """What the replayed levels differ in from the present ones, in sentences."""
    with _empty() as engine:
        with applying(engine) as copy:
            _copy_configuration(connection, copy)
            house = read_house(copy)
        told = _told(connection, house, now)
        dice = random.Random(seed)
        told += dice.sample(told, int(len(told) * AGAIN))
        dice.shuffle(told)
        for first in range(0, len(told), BATCH):
            with applying(engine) as copy:
                apply(copy, house, told[first : first + BATCH], now)
            if progress is not None:
                progress(min(first + BATCH, len(told)), len(told))
        with engine.connect() as copy:
            replayed = _levels(copy)
    yield from _differences(connection, _levels(connection), replayed)


@contextmanager
def _empty() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="onecount-") as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'rehearsal.db'}")
        try:
            metadata.create_all(engine)
            yield engine
        finally:
            engine.dispose()


def _copy_configuration(here: Connection, there: Connection) -> None:
    """Channels refer to locations and the other way round: check when all is there."""
    there.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    for table in _CONFIGURATION:
        rows = [dict(row) for row in here.execute(sa.select(table)).mappings()]
        if table is channels:
            rows = [{**row, "secrets": ""} for row in rows]
        if rows:
            there.execute(table.insert(), rows)


def _told(connection: Connection, house: House, now: Instant) -> list[Told]:
    """Everything that counts, each event with the SKU that its line has."""
    rows = connection.execute(
        sa.select(stock_events)
        .where(stock_events.c.verdict == POSTED)
        .order_by(stock_events.c.id)
    ).all()
    known = _skus_of_lines(connection)
    return [
        _with_sku(house, known, Told(row.channel_id, [event_of(row)], now))
        for row in rows
    ]


def _skus_of_lines(connection: Connection) -> dict[tuple[str, str], str]:
    found = connection.execute(
        sa.select(lines.c.case_key, lines.c.line, skus.c.sku).join(
            skus, skus.c.id == lines.c.sku_id
        )
    )
    return {(row.case_key, row.line): row.sku for row in found}


def _with_sku(house: House, known: dict[tuple[str, str], str], told: Told) -> Told:
    """A listing may mean another SKU now than when the line was first told of."""
    (said,) = hear(house, told)
    sku = known.get((said.case_key, said.event.line or ""))
    if sku is None:
        return told
    event: StockEvent = replace(
        said.event, sku=sku, external_id=None, external_parent_id=None
    )
    return replace(told, events=[event])


def _levels(connection: Connection) -> Levels:
    columns = [stock_levels.c[state] for state in STATES]
    spot = (stock_levels.c.sku_id, stock_levels.c.location_id)
    found = map(tuple, connection.execute(sa.select(*spot, *columns)))
    return {(sku, place): units for sku, place, *units in found if any(units)}


def _differences(
    connection: Connection, present: Levels, replayed: Levels
) -> Iterator[str]:
    names = {row.id: row.sku for row in connection.execute(sa.select(skus))}
    places = {row.id: row.code for row in connection.execute(sa.select(locations))}
    nothing = [0] * len(STATES)
    for spot in sorted(present.keys() | replayed.keys()):
        now, then = present.get(spot, nothing), replayed.get(spot, nothing)
        for state, here, there in zip(STATES, now, then, strict=True):
            if here != there:
                yield (
                    f"{names.get(spot[0])} at {places.get(spot[1])}: {state} is {here}, "
                    f"all its stock events told again make it {there}"
                )

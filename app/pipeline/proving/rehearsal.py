"""Rehearsal: every stock event again, in another order, into an empty database.

The events are the whole truth only if they lead to the same levels whatever order they
come in and however often.
"""

import random
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.errors import MalformedPayload
from app.domain.instants import Instant
from app.domain.states import STATES
from app.pipeline.proving.recalling import forgotten
from app.pipeline.proving.retelling import Progress, tellable, told_again
from app.store.tables import locations, skus, stock_levels

AGAIN = 0.1
"""The share of the events that is told twice."""

Levels = dict[tuple[int, int], list[int]]


def rehearse(
    connection: Connection, now: Instant, seed: int, progress: Progress | None = None
) -> Iterator[str]:
    """What the replayed levels differ in from the present ones, in sentences."""
    dice = random.Random(seed)
    ids = tellable(connection)
    ids += dice.sample(ids, int(len(ids) * AGAIN))
    dice.shuffle(ids)
    try:
        with (
            told_again(connection, ids, now, progress) as engine,
            engine.connect() as copy,
        ):
            replayed = levels_of(copy)
            cases = forgotten(connection, copy)
    except MalformedPayload as error:
        yield str(error)
        return
    yield from compared(connection, levels_of(connection), replayed)
    yield from cases


def levels_of(connection: Connection) -> Levels:
    """Every stock level that is not empty: units by state."""
    columns = [stock_levels.c[state] for state in STATES]
    spot = (stock_levels.c.sku_id, stock_levels.c.location_id)
    found = map(tuple, connection.execute(sa.select(*spot, *columns)))
    return {(sku, place): units for sku, place, *units in found if any(units)}


def compared(
    connection: Connection, present: Levels, replayed: Levels
) -> Iterator[str]:
    """Where these levels differ, in sentences."""
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

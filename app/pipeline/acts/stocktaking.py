"""Stocktaking: a count of many SKUs at one location, and what a whole one left out.

A stocktake has thousands of lines. Each is a checkpoint by itself, so they are written
some at a time, and sales get in between.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.events import StockEvent
from app.domain.instants import Instant, iso
from app.domain.states import ON_HAND
from app.pipeline.acts.facts import Waker, check_names, record
from app.pipeline.applying.told import Verdict
from app.pipeline.house import current
from app.pipeline.spreadsheets.importing import LINES_A_TRANSACTION, portions
from app.store.engine import applying
from app.store.stock.aliases import sku_ids
from app.store.tables import skus, stock_levels
from app.store.watching import incidents

UNCOUNTED: Final = "uncounted"
_MOST_NAMED: Final = 100


class Uncounted(NamedTuple):
    """A SKU with units at a location that a whole count did not name."""

    sku: str
    on_hand: int


def take_stock(
    engine: Engine,
    events: Sequence[StockEvent],
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> list[Verdict]:
    """Record counts, a hundred in each transaction.

    Raises UnknownName and BadConfiguration before anything is written. A repeat with
    the same `now` is the same count.
    """
    with engine.connect() as connection:
        check_names(connection, current(connection), events)
    verdicts: list[Verdict] = []
    for some in portions(events, LINES_A_TRANSACTION):
        recorded = record(engine, some, actor=actor, now=now, wakes=wakes)
        verdicts += recorded.events
    return verdicts


def note_uncounted(
    engine: Engine, location: str, counted: Collection[str], now: Instant
) -> list[Uncounted]:
    """Put before a person what a whole count left out; nothing is set to zero.

    The next whole count of the location that leaves nothing out closes the incident.
    """
    with applying(engine) as connection:
        place = current(connection).codes[location]
        named = set(sku_ids(connection, counted).values())
        missed = [one for id_, one in _there(connection, place) if id_ not in named]
        if not missed:
            incidents.close_incidents(connection, UNCOUNTED, location, now)
            return []
        units = sum(one.on_hand for one in missed)
        incidents.open_incident(
            connection,
            UNCOUNTED,
            location,
            f"The whole of {location} was counted, but not "
            f"{len(missed)} {'SKU' if len(missed) == 1 else 'SKUs'} of which there "
            f"should be {units} units. Count them too: what is not there is 0.",
            now=now,
            details={
                "location": location,
                "told_at": iso(now),
                "number": len(missed),
                "skus": dict(missed[:_MOST_NAMED]),
            },
        )
    return missed


def _there(connection: Connection, place: int) -> list[tuple[int, Uncounted]]:
    first, *others = (stock_levels.c[state] for state in ON_HAND)
    on_hand = sum(others, start=first)
    rows = connection.execute(
        sa.select(skus.c.id, skus.c.sku, on_hand)
        .join(skus, skus.c.id == stock_levels.c.sku_id)
        .where(stock_levels.c.location_id == place, on_hand != 0)
        .order_by(skus.c.sku)
    )
    return [(row[0], Uncounted(row[1], int(row[2]))) for row in rows]

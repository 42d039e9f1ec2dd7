"""Inspecting: units that came back or arrived unjudged become sellable, damaged or scrap.

Nobody can judge more units than wait at a location: all lines are taken or none. Of a
kit its components wait, and are judged together, or each by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.errors import ShortOfUnits
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.kits import Asked, take
from app.pipeline.acts.facts import (
    Recorded,
    Waker,
    check_names,
    record_in,
    wake_all,
)
from app.pipeline.house import API, House, current
from app.store.engine import applying
from app.store.stock import cases
from app.store.stock.aliases import sku_ids
from app.store.tables import stock_levels

Lines = Sequence[Mapping[str, Any]]
"""{"sku", "quantity", "disposition"} each."""


def inspect(
    engine: Engine,
    location: str,
    lines: Lines,
    *,
    actor: str,
    now: Instant,
    occurred_at: Instant,
    fact_id: str,
    wakes: Waker | None = None,
) -> Recorded:
    """Judge units that wait at a location. Raises ShortOfUnits, UnknownName.

    A repeat with the same `fact_id` and `now` is the same inspection.
    """
    with applying(engine) as connection:
        recorded, woken = inspect_in(
            connection,
            location,
            lines,
            actor=actor,
            now=now,
            occurred_at=occurred_at,
            fact_id=fact_id,
        )
    wake_all(wakes, woken)
    return recorded


def inspect_in(
    connection: Connection,
    location: str,
    lines: Lines,
    *,
    actor: str,
    now: Instant,
    occurred_at: Instant,
    fact_id: str,
) -> tuple[Recorded, set[str]]:
    """The same inside a caller's `applying` transaction; also the lanes to wake."""
    events = [
        StockEvent(
            kinds.INSPECTED,
            int(line["quantity"]),
            occurred_at,
            now,
            sku=str(line["sku"]),
            place=location,
            line=str(number),
            fact=fact_id,
            disposition=str(line["disposition"]),
        )
        for number, line in enumerate(lines, 1)
    ]
    house = current(connection)
    check_names(connection, house, events)
    if not cases.load(connection, [f"{API}/{kinds.INSPECTED}/{fact_id}"]):
        _refuse_more_than_waits(connection, house, events)
    return record_in(connection, events, actor=actor, now=now)


def _refuse_more_than_waits(
    connection: Connection, house: House, events: Sequence[StockEvent]
) -> None:
    """Two lines for one SKU count as their sum."""
    words = [event.sku or "" for event in events]
    known = sku_ids(connection, words)
    asked = [
        Asked(
            word,
            known[word],
            event.quantity,
            house.recipes.units(known[word], event.occurred_at),
        )
        for word, event in zip(words, events, strict=True)
    ]
    rows = connection.execute(
        sa.select(stock_levels.c.sku_id, stock_levels.c.inspection).where(
            stock_levels.c.sku_id.in_({part for one in asked for part in one.parts}),
            stock_levels.c.location_id == house.codes[events[0].place or ""],
        )
    )
    short = take(asked, {row.sku_id: row.inspection for row in rows})
    if short:
        raise ShortOfUnits([one._asdict() for one in short])

"""Consuming: an order, or a till's sale, takes over the hold that names it.

What it promises is not reserved any more. While a line of it waits for a name, nobody
knows which units that one will take: what the known lines do not name stays held.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.instants import Instant
from app.pipeline.applying.deciding import Decider
from app.pipeline.applying.hearing import Said, hear
from app.pipeline.applying.told import PARKED, Told, released
from app.pipeline.house import House
from app.store import timekeeper
from app.store.stock import holds


@dataclass(slots=True)
class _Order:
    """What is told of an order under one of its names."""

    placed_at: Instant = 0
    skus: set[int | None] = field(default_factory=set)
    """What it takes, as far as that is known."""
    waits: bool = False
    """Whether a line of it is not known yet."""


def consume(
    connection: Connection,
    house: House,
    decider: Decider,
    heard: Sequence[Said],
    now: Instant,
) -> None:
    """End the holds whose reference is an order that takes something, or what they hold
    of what it takes."""
    orders = {name: order for name, order in _orders(heard).items() if order.skus}
    moment = timekeeper.theirs(connection, now)
    for hold, held in holds.referring(connection, orders, moment).items():
        order = orders[held[0].reference]
        rows = [row for row in held if not order.waits or row.sku_id in order.skus]
        if not rows:
            continue
        if len(rows) < len(held):
            hold = holds.part(connection, hold, [row.line_id for row in rows])
        holds.end(connection, hold, holds.COMMITTED, moment)
        # Promised from then on, so not reserved any more.
        let_go = released(rows, moment, order.placed_at)
        told = Told(None, let_go, moment, actor="order")
        said = hear(house, told)
        decider.book.open(said)
        decider.names.skus |= {row.sku: row.sku_id for row in rows}
        decider.decide(told, said)


def _orders(heard: Sequence[Said]) -> dict[str, _Order]:
    found = defaultdict[str, _Order](_Order)
    for said in heard:
        if not said.told.inbox_id or not kinds.is_taken(said.event):
            continue
        for name in kinds.order_names(said.event):
            order = found[name]
            if said.verdict.verdict == PARKED:
                order.waits = True
            else:
                order.placed_at = said.event.occurred_at
                order.skus.add(said.verdict.meant.sku_id)
    return found

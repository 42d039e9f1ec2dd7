"""Twins: one sale told by two channels, most likely because something copies orders.

The same SKU, quantity and place, sold by two channels within ten minutes. Both may be
true, so nothing is taken back: a person is told of both. Looked for in the background,
from the ledger, so that no sale is slower for it. What a warehouse or carrier
reports about an order is in that order's own case and no sale of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.instants import MINUTE, Instant, iso
from app.domain.states import Movement
from app.pipeline.applying.hearing import case_key
from app.pipeline.applying.told import event_of
from app.pipeline.house import API, House, current
from app.store.engine import reading, writing
from app.store.publishing.marks import last_entry
from app.store.stock import cases, history, sales
from app.store.stock.cases import Case
from app.store.stock.sales import Probe
from app.store.tables import channels, ledger, skus, stock_events
from app.store.watching import incidents

KIND: Final = "twin"
WITHIN: Final[Instant] = 10 * MINUTE
_PORTION = 1000
"""Entries looked at in one go."""
_KEPT = 20
"""Pairs told of at most, per SKU and place."""


class _Sale(NamedTuple):
    movement: Movement
    quantity: int
    case: Case
    sold_at: Instant
    """When it was ordered; the same order may be handed over any time later."""


def look(engine: Engine, now: Instant) -> None:
    """Open an incident for every sale since the last look that another channel told
    as well."""
    while True:
        with reading(engine) as connection:
            after = sales.read_to(connection, KIND)
            upto = min(after + _PORTION, last_entry(connection))
            pairs = _pairs(connection, sales.between(connection, after, upto))
        if upto <= after:
            return
        with writing(engine, durable=bool(pairs)) as connection:
            if not sales.read_on(connection, KIND, after, upto):
                return  # somebody else looks, too
            if pairs:
                _compare(connection, current(connection), pairs, now)


def _pairs(connection: Connection, sold: Sequence[Any]) -> list[tuple[Any, int]]:
    """Each sale with the entry of another channel's that may be the same."""
    alike: dict[tuple[int, ...], list[Any]] = defaultdict(list)
    for row in sold:
        spot = (row.sku_id, row.from_location_id, row.quantity, row.channel_id)
        alike[spot].append(row)
    # A SKU that sells all day is asked for once.
    probes = [_probe(spot, rows) for spot, rows in alike.items()]
    hits = sales.by_others(connection, probes)
    found = zip(alike.items(), hits, strict=True)
    suspects = [item for item, hit in found if hit is not None]
    everybody = connection.execute(sa.select(channels.c.id)).scalars().all()
    asked = [
        (row, _probe((*spot[:-1], other), [row]))
        for spot, rows in suspects
        for row in rows
        for other in everybody
        if other != row.channel_id
    ]
    others = sales.by_channel(connection, [probe for _, probe in asked])
    return [
        (row, other)
        for (row, _), other in zip(asked, others, strict=True)
        if other is not None
    ]


def _probe(spot: Sequence[int], rows: Sequence[Any]) -> Probe:
    """Sales of the same units at about the same time, written down before."""
    times = [row.occurred_at for row in rows]
    since, until = min(times) - WITHIN, max(times) + WITHIN
    sku_id, location_id, quantity, channel_id = spot
    return Probe(sku_id, location_id, quantity, channel_id, since, until, rows[-1].id)


def _compare(
    connection: Connection,
    house: House,
    pairs: Sequence[tuple[Any, int]],
    now: Instant,
) -> None:
    others = {
        row.id: row
        for row in connection.execute(
            sa.select(ledger).where(ledger.c.id.in_({other for _, other in pairs}))
        )
    }
    events = {row.event_id for row, _ in pairs}
    events |= {row.event_id for row in others.values()}
    book = _Book(connection, house, events)
    told: set[frozenset[tuple[str, str]]] = set()
    for row, other in pairs:
        one, two = book.sale(row), book.sale(others[other])
        if one is None or two is None or not _are_twins(one, two):
            continue
        pair = frozenset((sale.case.case_key, sale.case.line) for sale in (one, two))
        if pair not in told:
            told.add(pair)
            _tell(connection, house, two, one, now)


def _are_twins(one: _Sale, two: _Sale) -> bool:
    return (
        one.case.channel_id != two.case.channel_id
        and abs(one.sold_at - two.sold_at) <= WITHIN
    )


class _Book:
    """The cases that some sales belong to."""

    def __init__(
        self, connection: Connection, house: House, event_ids: set[int]
    ) -> None:
        rows = connection.execute(
            sa.select(stock_events).where(stock_events.c.id.in_(event_ids))
        )
        self._names: dict[int, tuple[str, str]] = {}
        for row in rows:
            event = event_of(row)
            teller = house.channels.get(row.channel_id or 0)
            owner = event.order_channel or (teller.key if teller else API)
            number = event.order_number or event.order or event.fact or ""
            self._names[row.id] = case_key(owner, event), number
        keys = sorted({key for key, _ in self._names.values()})
        numbers = sorted({number for _, number in self._names.values()})
        self._cases = [
            *cases.load(connection, keys),
            *cases.load_numbers(connection, numbers),
        ]

    def sale(self, row: Any) -> _Sale | None:
        """What this entry sold; None if it was taken back since."""
        movement = history.moved(row)
        key, number = self._names.get(row.event_id, ("", ""))
        for case in self._cases:
            if key != case.case_key and number != case.order_number:
                continue
            if movement in case.posted:
                placed = case.targets.get(kinds.PLACED)
                sold_at = placed.occurred_at if placed else movement.occurred_at
                return _Sale(movement, row.quantity, case, sold_at)
        return None


def _tell(
    connection: Connection, house: House, first: _Sale, second: _Sale, now: Instant
) -> None:
    move = second.movement
    place = house.names[move.from_location]
    sku = connection.execute(
        sa.select(skus.c.sku).where(skus.c.id == move.sku_id)
    ).scalar_one()
    both = [_words(house, sale) for sale in (first, second)]
    named = " and ".join(f"{one['channel']} {one['number']}" for one in both)
    incidents.add_to(
        connection,
        KIND,
        f"{sku} at {place}",
        f"{named} both took {second.quantity} of {sku} at {place} within ten minutes",
        {"sku": sku, "location": place, "quantity": second.quantity, "sales": both},
        now=now,
        most=_KEPT,
    )


def _words(house: House, sale: _Sale) -> dict[str, Any]:
    channel = house.channels.get(sale.case.channel_id or 0)
    order = sale.case.case_key.partition("/order/")[2]
    return {
        "channel": channel.key if channel else API,
        "order": order,
        "number": sale.case.order_number or order,
        "occurred_at": iso(sale.movement.occurred_at),
    }

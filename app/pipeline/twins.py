"""Twins: one sale told by two channels, most likely because something copies orders.

The same SKU, quantity and place, sold by two channels within ten minutes. Both may be
true, so nothing is taken back: a person is told of both. What a warehouse or carrier
reports about an order is in that order's own case and no sale of its own.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.instants import MINUTE, Instant, iso
from app.domain.states import AVAILABLE, CUSTOMER, Movement
from app.pipeline.hearing import case_key
from app.pipeline.house import API, House
from app.pipeline.posting import Entry
from app.pipeline.told import event_of
from app.store import cases, history, incidents, sales
from app.store.cases import Case
from app.store.sales import Probe
from app.store.tables import ledger, skus, stock_events

KIND: Final = "twin"
WITHIN: Final[Instant] = 10 * MINUTE
_KEPT = 20
"""Pairs told of at most, per SKU and place."""


class _Sale(NamedTuple):
    movement: Movement
    quantity: int
    case: Case
    sold_at: Instant
    """When it was ordered; the same order may be handed over any time later."""


def look(
    connection: Connection, house: House, entries: Sequence[Entry], now: Instant
) -> None:
    """Open an incident for every sale just posted that another channel told as well."""
    if len(house.channels) < 2:
        return
    sold = [entry for entry in entries if _is_sale(entry)]
    probes = [_probe(entry, entry.channel_id or 0) for entry in sold]
    asked = [
        (entry, _probe(entry, other))
        for entry, hit in zip(sold, sales.by_others(connection, probes), strict=True)
        if hit is not None
        for other in house.channels
        if other != entry.channel_id
    ]
    found = sales.by_channel(connection, [probe for _, probe in asked])
    pairs = [
        (entry, other)
        for (entry, _), other in zip(asked, found, strict=True)
        if other is not None
    ]
    if pairs:
        _compare(connection, house, pairs, now)


def _is_sale(entry: Entry) -> bool:
    move = entry.movement
    return (
        move.to_state == CUSTOMER
        and move.from_state == AVAILABLE
        and entry.channel_id is not None
    )


def _probe(entry: Entry, channel_id: int) -> Probe:
    """The same units sold there at about the same time."""
    move = entry.movement
    at = move.occurred_at
    spot = (move.sku_id, move.from_location)
    return Probe(*spot, entry.quantity, channel_id, at - WITHIN, at + WITHIN)


def _compare(
    connection: Connection,
    house: House,
    pairs: Sequence[tuple[Entry, int]],
    now: Instant,
) -> None:
    others = {
        row.id: row
        for row in connection.execute(
            sa.select(ledger).where(ledger.c.id.in_({other for _, other in pairs}))
        )
    }
    events = {entry.event_id for entry, _ in pairs}
    events |= {row.event_id for row in others.values()}
    book = _Book(connection, house, events)
    told: set[frozenset[tuple[str, str]]] = set()
    for entry, other in pairs:
        row = others[other]
        one = book.sale(entry.event_id, entry.movement, entry.quantity)
        two = book.sale(row.event_id, history.moved(row), row.quantity)
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

    def sale(self, event_id: int, movement: Movement, quantity: int) -> _Sale | None:
        """The case that has posted this movement; None if it was taken back since."""
        key, number = self._names.get(event_id, ("", ""))
        for case in self._cases:
            if key != case.case_key and number != case.order_number:
                continue
            if movement in case.posted:
                placed = case.targets.get(kinds.PLACED)
                sold_at = placed.occurred_at if placed else movement.occurred_at
                return _Sale(movement, quantity, case, sold_at)
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
        f"{named} both took {second.quantity} of {sku} at {place} within ten minutes: "
        "if that is one sale, one of the two channels must cancel it",
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

"""Claims: units asked for through our own API. Only claims can be refused.

A claim ends the expired holds of its SKUs, works out what is free by the same rule as
what channels are shown, and moves all its lines or none.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.errors import HoldEnded, ShortOfUnits, UnknownName
from app.domain.events import StockEvent
from app.domain.instants import SECOND, Instant, iso
from app.domain.shown import allot, sellable
from app.pipeline import desired
from app.pipeline.apply import Told, apply, released
from app.pipeline.facts import Waker, record_in, sku_ids, wake_all
from app.pipeline.house import House, current
from app.pipeline.listings import lanes
from app.store import holds
from app.store.engine import applying
from app.store.tables import stock_events

Lines = Sequence[Mapping[str, Any]]


def hold(
    engine: Engine,
    lines: Lines,
    expires_in: int,
    reference: str | None = None,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    hold_id: str | None = None,
) -> dict[str, Any]:
    """Reserve units for `expires_in` seconds. Lines are {"sku","quantity","location"?}.

    A `hold_id` of the caller's own makes a repeat the same hold. Raises ShortOfUnits or
    UnknownName; then nothing is held.
    """
    hold_id = hold_id or str(uuid4())
    expires_at = now + expires_in * SECOND
    with applying(engine) as connection:
        known = holds.find(connection, hold_id)
        if known is not None:
            return _answer(hold_id, known["state"], known["expires_at"])
        house = current(connection)
        claimed = _claim(connection, house, lines, now)
        row = holds.make(connection, hold_id, reference, actor, now, expires_at)
        events = []
        for sku, sku_id, location, quantity in claimed:
            line = holds.add_line(connection, row, sku_id, location, quantity)
            place = house.names[location]
            events.append(_held(hold_id, line, sku, place, quantity, now))
        applied = apply(connection, house, [Told(None, events, now, actor=actor)], now)
        woken = lanes(house, applied.wake)
    wake_all(wakes, woken)
    return {"id": hold_id, "state": holds.ACTIVE, "expires_at": iso(expires_at)}


def _held(
    hold_id: str, line: int, sku: str, place: str, quantity: int, now: Instant
) -> StockEvent:
    return StockEvent(
        kinds.HELD,
        quantity,
        now,
        now - 1,
        sku=sku,
        place=place,
        fact=hold_id,
        line=str(line),
    )


def _claim(
    connection: Connection, house: House, lines: Lines, now: Instant
) -> list[tuple[str, int, int, int]]:
    """Work out where the units come from: (sku, sku id, location id, quantity)."""
    known = sku_ids(connection, [str(line["sku"]) for line in lines])
    for number, line in enumerate(lines):
        _check_line(house, known, number, line)
    _expire(connection, house, holds.overdue(connection, now, known.values()), now)
    free = desired.available(connection, known.values(), now)
    short, claimed = [], []
    asked: dict[str, int] = defaultdict(int)
    for line in lines:
        sku, quantity = str(line["sku"]), int(line["quantity"])
        asked[sku] += quantity
        here = free[known[sku]]
        places = _places(house, line)
        physical = {spot: here.get(spot, 0) for spot in house.physical}
        owed = desired.promises(house, here)
        taken = allot(physical, owed, places, quantity)
        if taken is None:
            units = sellable(physical, owed, places)
            short.append({"sku": sku, "requested": asked[sku], "available": units})
            continue
        for spot, units in taken.items():
            here[spot] -= units
            claimed.append((sku, known[sku], spot, units))
    if short:
        raise ShortOfUnits(short)
    return claimed


def _check_line(
    house: House, known: Mapping[str, int], number: int, line: Mapping[str, Any]
) -> None:
    if line["sku"] not in known:
        raise UnknownName(f"there is no SKU {line['sku']!r}", f"lines[{number}].sku")
    place = line.get("location")
    if place is not None and place not in house.codes:
        raise UnknownName(
            f"there is no location {place!r}", f"lines[{number}].location"
        )


def _places(house: House, line: Mapping[str, Any]) -> tuple[int, ...]:
    place = line.get("location")
    return house.physical if place is None else (house.codes[place],)


def expire_holds(engine: Engine, now: Instant) -> set[str]:
    """End every hold whose time is over; return the lanes to wake."""
    with engine.connect() as connection:
        if not holds.overdue(connection, now):
            return set()
    with applying(engine) as connection:
        house = current(connection)
        return _expire(connection, house, holds.overdue(connection, now), now)


def _expire(
    connection: Connection,
    house: House,
    over: Mapping[int, Sequence[Any]],
    now: Instant,
) -> set[str]:
    woken: set[str] = set()
    for hold_, rows in over.items():
        if holds.end(connection, hold_, holds.EXPIRED, now):
            woken |= _give_back(connection, house, rows, "expiry", now)
    return woken


def _give_back(
    connection: Connection, house: House, rows: Sequence[Any], actor: str, now: Instant
) -> set[str]:
    told = Told(None, released(rows, now), now, actor=actor)
    return lanes(house, apply(connection, house, [told], now).wake)


def _open(connection: Connection, hold_id: str) -> sa.RowMapping:
    row = holds.find(connection, hold_id)
    if row is None:
        raise UnknownName(f"there is no hold {hold_id!r}", "id")
    return row


def release(
    engine: Engine,
    hold_id: str,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> dict[str, Any]:
    """Give held units back. Raises HoldEnded once committed, UnknownName."""
    woken: set[str] = set()
    with applying(engine) as connection:
        row = _open(connection, hold_id)
        if row["state"] == holds.COMMITTED:
            raise HoldEnded("the hold was committed")
        state = row["state"]
        if state == holds.ACTIVE:
            state = holds.RELEASED if row["expires_at"] > now else holds.EXPIRED
            house = current(connection)
            holds.end(connection, row["id"], state, now)
            rows = holds.lines(connection, row["id"])
            woken = _give_back(connection, house, rows, actor, now)
    wake_all(wakes, woken)
    return _answer(hold_id, state, row["expires_at"])


def commit(
    engine: Engine,
    hold_id: str,
    channel: str | None = None,
    order: str | None = None,
    lines: Lines | None = None,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> dict[str, Any]:
    """Turn a hold into an order's promise; the same answer again when repeated.

    `lines` may name the order's own lines: {"id","sku"}. Raises HoldEnded after expiry
    or release, UnknownName.
    """
    answer: dict[str, Any] | None = None
    woken: set[str] = set()
    with applying(engine) as connection:
        row = _open(connection, hold_id)
        if row["state"] == holds.COMMITTED:
            known = json.loads(row["answer"]) if row["answer"] else None
            return known or _answer(hold_id, holds.COMMITTED, row["expires_at"])
        house = current(connection)
        if channel is not None and channel not in house.by_key:
            raise UnknownName(f"there is no channel {channel!r}", "channel")
        if row["state"] == holds.ACTIVE:
            rows = holds.lines(connection, row["id"])
            if row["expires_at"] > now:
                answer = _answer(hold_id, holds.COMMITTED, row["expires_at"])
                answer |= {"order": order or f"hold-{hold_id}"}
                holds.end(connection, row["id"], holds.COMMITTED, now, answer)
                events = _placed(rows, channel, answer["order"], lines or (), now)
                told = [*released(rows, now), *events]
                _, woken = record_in(connection, told, actor=actor, now=now)
            else:
                woken = _expire(connection, house, {row["id"]: rows}, now)
    wake_all(wakes, woken)
    if answer is None:
        raise HoldEnded("the hold has expired or was released; claim the units again")
    return answer


def _placed(
    rows: Sequence[Any],
    channel: str | None,
    order: str,
    lines: Lines,
    now: Instant,
) -> list[StockEvent]:
    """The order's promise, at version 0: its own webhook, whenever it comes, wins."""
    ids = {str(line["sku"]): str(line["id"]) for line in lines if line.get("id")}
    units: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        units[row.sku, row.location] += row.quantity
    first: dict[str, str] = {}
    totals: dict[str, int] = defaultdict(int)
    for (sku, place), quantity in units.items():
        first.setdefault(sku, place)
        totals[sku] += quantity
    placed = [
        StockEvent(
            kinds.PLACED,
            total,
            now,
            0,
            sku=sku,
            place=first[sku],
            order=order,
            order_channel=channel,
            line=ids.get(sku),
        )
        for sku, total in totals.items()
    ]
    routed = [
        StockEvent(
            kinds.ROUTED,
            quantity,
            now,
            0,
            sku=sku,
            place=place,
            order=order,
            order_channel=channel,
            line=ids.get(sku),
            fact=f"hold-{place}",
        )
        for (sku, place), quantity in units.items()
        if place != first[sku]
    ]
    return placed + routed


def _answer(hold_id: str, state: str, expires_at: Instant) -> dict[str, Any]:
    return {"id": hold_id, "state": state, "expires_at": iso(expires_at)}


def transfer(
    engine: Engine,
    from_: str,
    to: str,
    lines: Lines,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    transfer_id: str | None = None,
) -> dict[str, Any]:
    """Send units to another location. Raises ShortOfUnits, UnknownName.

    A `transfer_id` of the caller's own, with the same `now`, makes a repeat the same
    transfer.
    """
    transfer_id = transfer_id or str(uuid4())
    with applying(engine) as connection:
        house = current(connection)
        asked = [{**line, "location": from_} for line in lines]
        if not _is_told(connection, f"api:{kinds.TRANSFERRED}:{transfer_id}:"):
            _claim(connection, house, asked, now)
        events = [
            StockEvent(
                kinds.TRANSFERRED,
                int(line["quantity"]),
                now,
                now,
                sku=str(line["sku"]),
                place=from_,
                to_place=to,
                fact=transfer_id,
                line=str(number),
            )
            for number, line in enumerate(lines, 1)
        ]
        recorded, woken = record_in(connection, events, actor=actor, now=now)
    wake_all(wakes, woken)
    keys = [verdict.key for verdict in recorded.events]
    return {"id": transfer_id, "state": "sent", "events": keys}


def receive_transfer(
    engine: Engine,
    transfer_id: str,
    lines: Lines,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    fact_id: str | None = None,
) -> dict[str, Any]:
    """Take in units that were sent. Raises ShortOfUnits (more than is on the way).

    A `fact_id` of the caller's own, with the same `now`, makes a repeat the same fact.
    """
    fact = f"{transfer_id}/{fact_id or uuid4()}"
    with applying(engine) as connection:
        to, on_the_way = _on_the_way(connection, transfer_id)
        if not _is_told(connection, f"api:{kinds.RECEIVED}:{fact}:"):
            _take_in(on_the_way, lines)
        events = [
            StockEvent(
                kinds.RECEIVED,
                int(line["quantity"]),
                now,
                now,
                sku=str(line["sku"]),
                place=to,
                fact=fact,
                of=transfer_id,
                line=str(number),
            )
            for number, line in enumerate(lines, 1)
        ]
        recorded, woken = record_in(connection, events, actor=actor, now=now)
    wake_all(wakes, woken)
    state = "partly received" if any(on_the_way.values()) else "received"
    keys = [verdict.key for verdict in recorded.events]
    return {"id": transfer_id, "state": state, "events": keys}


def _take_in(on_the_way: dict[str, int], lines: Lines) -> None:
    """Take lines off what is on the way; two lines for one SKU count as their sum."""
    asked: dict[str, int] = defaultdict(int)
    for line in lines:
        asked[str(line["sku"])] += int(line["quantity"])
    short = [
        {"sku": sku, "requested": units, "available": on_the_way.get(sku, 0)}
        for sku, units in asked.items()
        if units > on_the_way.get(sku, 0)
    ]
    if short:
        raise ShortOfUnits(short)
    for sku, units in asked.items():
        on_the_way[sku] -= units


def _is_told(connection: Connection, prefix: str) -> bool:
    query = sa.select(stock_events.c.id).where(
        stock_events.c.key.startswith(prefix, autoescape=True)
    )
    return connection.execute(query.limit(1)).first() is not None


def _on_the_way(connection: Connection, transfer_id: str) -> tuple[str, dict[str, int]]:
    """Where a transfer goes, and which units have not arrived yet."""
    found = connection.execute(
        sa.select(stock_events).where(
            sa.or_(
                stock_events.c.key.startswith(
                    f"api:{kinds.TRANSFERRED}:{transfer_id}:", autoescape=True
                ),
                stock_events.c.key.startswith(
                    f"api:{kinds.RECEIVED}:{transfer_id}/", autoescape=True
                ),
            )
        )
    ).all()
    to = None
    units: dict[str, int] = defaultdict(int)
    for row in found:
        told = json.loads(row.details)
        sent = row.kind == kinds.TRANSFERRED
        to = told["to_place"] if sent else to
        units[told["sku"]] += row.target if sent else -row.target
    if to is None:
        raise UnknownName(f"there is no transfer {transfer_id!r}", "id")
    return to, units

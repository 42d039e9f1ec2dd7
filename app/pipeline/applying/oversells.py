"""Oversells: more is promised and sold than there is. Facts are never refused, so a
person is told which orders it hits and what the ways out are.

Found in what posting has in hand anyway; a batch that leaves nothing short asks the
database nothing. A case opens by itself and closes by itself.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.instants import Instant, iso
from app.domain.shown import sellable, unserved
from app.domain.states import AVAILABLE, COMMITTED, CUSTOMER, RESERVED
from app.pipeline.applying.hearing import ORDER_KINDS, case_key
from app.pipeline.applying.told import event_of
from app.pipeline.house import API, House, current as current_house
from app.pipeline.publishing import desired
from app.store.engine import applying
from app.store.stock import cases
from app.store.stock.levels import Level, Spot
from app.store.tables import (
    incidents as incidents_table,
    ledger,
    skus,
    stock_events,
    stock_levels,
)
from app.store.watching import incidents

KIND: Final = "oversell"
_LOOKED_AT = 100
"""Ledger entries searched for the newest orders."""
_TOLD = 20
"""Orders told of at most."""
_WORDS: Final = {
    COMMITTED: "promised",
    RESERVED: "not paid yet",
    CUSTOMER: "handed over",
}


def suspects(
    house: House, before: Mapping[Spot, Level], changes: Mapping[int, Mapping[str, int]]
) -> set[int]:
    """SKUs that are short of units after these changes, or were before."""
    after = {
        spot: level.available + changes[level.id].get(AVAILABLE, 0)
        for spot, level in before.items()
    }
    below = {sku for (sku, _), level in before.items() if level.available < 0} | {
        sku for (sku, _), units in after.items() if units < 0
    }
    if not below:
        return below
    then = {spot: level.available for spot, level in before.items()}
    return {
        sku for sku in below if _short(house, sku, after) or _short(house, sku, then)
    }


def _short(house: House, sku: int, levels: Mapping[Spot, int]) -> int:
    here = {place: units for (one, place), units in levels.items() if one == sku}
    return short_of(house, here)


def short_of(house: House, here: Mapping[int, int]) -> int:
    """How many units of one SKU are promised or sold that are not there."""
    return unserved(desired.physical(house, here), desired.promises(house, here))


def judge(
    connection: Connection, house: House, sku_ids: Collection[int], now: Instant
) -> None:
    """Open, bring up to date or close the cases of these SKUs."""
    levels = desired.available(connection, sku_ids, now)
    named = connection.execute(
        sa.select(skus.c.id, skus.c.sku).where(skus.c.id.in_(sku_ids))
    )
    names = {row.id: row.sku for row in named}
    known = incidents.followed(connection, KIND, names.values())
    for sku_id, name in sorted(names.items()):
        here = levels.get(sku_id, {})
        units = short_of(house, here)
        if units:
            told = _told(connection, house, sku_id, name, here, units)
            incidents.follow(connection, KIND, name, told, known.get(name), now)
        elif name in known:
            incidents.end(connection, known[name], now)


def review(engine: Engine, now: Instant) -> None:
    """Close the cases of what is not short any more, wherever units came from."""
    with engine.connect() as connection:
        over = _not_short(connection, now)
    if over:
        with applying(engine) as connection:
            judge(connection, current_house(connection), over, now)


def _not_short(connection: Connection, now: Instant) -> list[int]:
    found = connection.execute(
        sa.select(skus.c.id)
        .join(incidents_table, incidents_table.c.subject == skus.c.sku)
        .where(incidents_table.c.kind == KIND, incidents_table.c.units > 0)
    )
    ids = list(found.scalars())
    if not ids:
        return []
    house, levels = current_house(connection), desired.available(connection, ids, now)
    return [sku for sku in ids if not short_of(house, levels.get(sku, {}))]


def up_to_date(
    connection: Connection, rows: Sequence[sa.RowMapping], now: Instant
) -> list[dict[str, Any]]:
    """The same incidents; open oversells say what is so now and what the ways out are.

    One that is over says so until it is closed, which takes seconds.
    """
    told = [dict(row) for row in rows]
    short = {row["subject"]: row for row in told if _is_open_case(row)}
    named = connection.execute(
        sa.select(skus.c.id, skus.c.sku).where(skus.c.sku.in_(short))
    ).all()
    if not named:
        return told
    house = current_house(connection)
    levels = desired.available(connection, [row.id for row in named], now)
    for sku_id, name in named:
        here = levels.get(sku_id, {})
        units = short_of(house, here)
        found = _told(connection, house, sku_id, name, here, units)
        before = json.loads(short[name]["details"])
        kept = {word: before[word] for word in ("resolutions",) if word in before}
        details = json.dumps({**found.details, **kept})
        message = found.message if units else f"{name}: nothing is short any more"
        short[name] |= {"details": details, "message": message}
    return told


def _is_open_case(row: Mapping[str, Any]) -> bool:
    return row["kind"] == KIND and row["closed_at"] is None


def _told(
    connection: Connection,
    house: House,
    sku_id: int,
    name: str,
    here: Mapping[int, int],
    units: int,
) -> incidents.Measure:
    places = [place for place in sorted(here) if here[place] < 0]
    orders = _orders(connection, house, sku_id, places)
    spots = [_place(house, place, here[place]) for place in places]
    where = ", ".join(
        spot["location"] or f"orders of {spot['channel']}" for spot in spots
    )
    message = f"{name}: {units} more promised or sold than there is ({where})"
    if orders:
        newest = orders[0]
        message += f"; newest order: {newest['channel']} {newest['number']}"
    details = {
        "sku": name,
        "units": units,
        "places": spots,
        "orders": orders,
        "ways_out": [
            *(_elsewhere(connection, house, sku_id, here) if units else ()),
            *_cancelling(orders, units),
        ],
    }
    return incidents.Measure(units, message, details)


def _place(house: House, place: int, available: int) -> dict[str, Any]:
    channel = house.unassigned.get(place)
    return {
        "location": None if channel is not None else house.names[place],
        "channel": None if channel is None else house.channels[channel].key,
        "available": available,
    }


def _orders(
    connection: Connection, house: House, sku_id: int, places: Collection[int]
) -> list[dict[str, Any]]:
    """The orders that took units there and still have them, newest first."""
    rows = connection.execute(
        sa.select(stock_events)
        .join(ledger, ledger.c.event_id == stock_events.c.id)
        .where(
            ledger.c.sku_id == sku_id,
            ledger.c.from_state == AVAILABLE,
            ledger.c.from_location_id.in_(places),
            ledger.c.to_state.in_((COMMITTED, RESERVED, CUSTOMER)),
            stock_events.c.kind.in_(ORDER_KINDS),
        )
        .order_by(ledger.c.occurred_at.desc(), ledger.c.id.desc())
        .limit(_LOOKED_AT)
    )
    found: dict[str, Any] = {}
    for row in rows:
        event = event_of(row)
        teller = house.channels.get(row.channel_id or 0)
        owner = event.order_channel or (teller.key if teller else API)
        found.setdefault(case_key(owner, event), (owner, event))
    units = _taken(connection, sku_id, places, found)
    orders = (
        {
            "channel": owner,
            "order": event.order or event.fact,
            "number": event.order_number or event.order or event.fact,
            "units": units[key, state],
            "state": word,
            "occurred_at": iso(event.occurred_at),
        }
        for key, (owner, event) in found.items()
        for state, word in _WORDS.items()
        if units.get((key, state), 0) > 0
    )
    return list(islice(orders, _TOLD))


def _taken(
    connection: Connection,
    sku_id: int,
    places: Collection[int],
    keys: Collection[str],
) -> dict[tuple[str, str], int]:
    """What each order has of a SKU from these places: case key and state → units."""
    units: dict[tuple[str, str], int] = {}
    for case in cases.load(connection, keys):
        for move, quantity in case.posted.items():
            if move.sku_id != sku_id:
                continue
            if move.to_location in places:
                spot = case.case_key, move.to_state
                units[spot] = units.get(spot, 0) + quantity
            if move.from_location in places:
                spot = case.case_key, move.from_state
                units[spot] = units.get(spot, 0) - quantity
    return units


def _elsewhere(
    connection: Connection, house: House, sku_id: int, here: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Units that are free at other locations, or on the way."""
    physical = desired.physical(house, here)
    owed = desired.promises(house, here)
    free = {place: sellable(physical, owed, (place,)) for place in house.physical}
    coming = connection.execute(
        sa.select(stock_levels.c.location_id, stock_levels.c.incoming)
        .where(stock_levels.c.sku_id == sku_id, stock_levels.c.incoming > 0)
        .order_by(stock_levels.c.location_id)
    )
    return [
        *(
            {"way": "other_location", "location": house.names[place], "units": units}
            for place, units in free.items()
            if units
        ),
        *(
            {
                "way": "on_the_way",
                "location": house.names[row.location_id],
                "units": row.incoming,
            }
            for row in coming
        ),
    ]


def _cancelling(orders: Collection[dict[str, Any]], units: int) -> list[dict[str, Any]]:
    """The newest promises, until nothing is short any more."""
    ways: list[dict[str, Any]] = []
    for order in orders:
        if units > 0 and order["state"] != _WORDS[CUSTOMER]:
            part = min(units, order["units"])
            units -= part
            ways.append(
                {
                    "way": "cancel",
                    "channel": order["channel"],
                    "order": order["order"],
                    "units": part,
                }
            )
    return ways

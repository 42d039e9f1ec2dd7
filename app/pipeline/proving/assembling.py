"""Assembling: the stock of kits, as it is told to people.

A kit has no stock of its own. What is told as its available is how many can be put
together at each location of what is available there; its other states are 0. In total
it is as many as every promise leaves, those too that name no location yet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from app.domain.building import Kit, Part, build, most
from app.domain.kits import Parts
from app.domain.states import AVAILABLE
from app.pipeline.house import House, current
from app.pipeline.publishing.desired import kits_among, supply
from app.store.stock import balances, recipes
from app.store.stock.balances import Quantities, When

Spots = Mapping[int, Mapping[int, Quantities]]
"""SKU id → location id → quantities."""


def stock_of(connection: Connection, sku: str, when: When) -> dict[str, Any] | None:
    """One SKU's stock, a kit's too; None when nobody has told us of it."""
    found = balances.stock_of(connection, sku, when)
    return None if found is None else with_kits(connection, [found], when)[0]


def with_kits(
    connection: Connection, found: Sequence[dict[str, Any]], when: When
) -> list[dict[str, Any]]:
    """The same balances, those of kits worked out from their components."""
    house = current(connection)
    kits = kits_among(house, {row["id"] for row in found}, when.moment)
    if not kits:
        return list(found)
    ids = set[int]().union(*kits.values())
    spots = balances.spots_of_all(connection, ids, when)
    names = recipes.names_of(connection, ids)
    return [
        _kit(house, row, kits[row["id"]], spots, names) if row["id"] in kits else row
        for row in found
    ]


def with_stock(connection: Connection, sku_id: int, when: When) -> set[int]:
    """Whose ledger is a SKU's: its own, and of a kit its components' of then."""
    return {sku_id, *current(connection).recipes.parts(sku_id, when.moment)}


def buildable(house: House, parts: Parts, spots: Spots) -> dict[int, int]:
    """Location id → how many kits can be put together of what is available there.

    Every location is named where a component has ever been.
    """
    places = {place for sku in parts for place in spots.get(sku, {})}
    physical = sorted(places.intersection(house.physical))
    there = [
        Part(units, _available(spots.get(sku, {}))) for sku, units in parts.items()
    ]
    built = build(Kit(there), physical)
    return {place: built.get(place, 0) for place in physical}


def _available(here: Mapping[int, Quantities]) -> dict[int, int]:
    return {place: found[AVAILABLE] for place, found in here.items()}


def at_location(available: int) -> Quantities:
    """What is told of a kit at one location."""
    return {**dict.fromkeys(("on_hand", *balances.SHOWN), 0), AVAILABLE: available}


def _kit(
    house: House,
    row: dict[str, Any],
    parts: Parts,
    spots: Spots,
    names: Mapping[int, str],
) -> dict[str, Any]:
    built = buildable(house, parts, spots)
    levels = {sku: _available(spots.get(sku, {})) for sku in parts}
    total = most(supply(house, parts, levels), house.physical)
    return {
        **row,
        **at_location(total),
        "unassigned": 0,
        "locations": [
            {"location": house.names[place], **at_location(units)}
            for place, units in built.items()
        ],
        "components": recipes.named(parts, names),
    }

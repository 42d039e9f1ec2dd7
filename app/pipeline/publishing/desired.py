"""Desired: the number each publication should show now.

Worked out whenever it is read or sent, by the policies then; never stored. Holds that
have expired count as ended even when nobody has swept them up yet.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from app.domain.building import Kit, Part, reckon_kit
from app.domain.instants import Instant, now as clock
from app.domain.kits import Parts
from app.domain.shown import Policy, Promise, Reckoning, reckon
from app.pipeline.house import House, Place, read_house
from app.pipeline.publishing.ruling import At, Ruling, ruling
from app.store import bulk, timekeeper
from app.store.configuration import policies

Levels = Mapping[int, Mapping[int, int]]
"""SKU id → location id → available."""


def numbers(
    connection: Connection,
    rows: Iterable[RowMapping],
    house: House | None = None,
    now: Instant | None = None,
    *,
    disputed: bool = True,
) -> dict[int, int]:
    """Publication id → what it should show. Rows are rows of `publications`.

    Not to ask for what is `disputed` is to work out ours by the policies alone.
    """
    wanted = list(rows)
    if not wanted:
        return {}
    house = house or read_house(connection)
    moment = clock() if now is None else now
    kits = kits_among(house, {row["sku_id"] for row in wanted}, moment)
    ids = {row["sku_id"] for row in wanted}.union(*kits.values())
    levels = available(connection, ids, timekeeper.theirs(connection, moment))
    own = policies.of_listings(connection, {row["listing_id"] for row in wanted})
    plain = {
        id_: ruling(house, house.channels[id_])
        for id_ in {row["channel_id"] for row in wanted}
    }
    found: dict[int, int] = {}
    for row in wanted:
        channel_id, listing_id = row["channel_id"], row["listing_id"]
        rules = plain[channel_id]
        if listing_id in own:
            rules = ruling(house, house.channels[channel_id], own[listing_id])
        sku_id, place = row["sku_id"], row["place"]
        if sku_id in kits:
            kit = supply(house, kits[sku_id], levels)
            shown = reckoned_kit(rules, place, kit).shown
        else:
            here = levels.get(sku_id, {})
            shown = reckoned(house, rules, place, here).shown
        found[row["id"]] = careful(shown, row["disputed"]) if disputed else shown
    return found


def careful(ours: int, disputed: int | None) -> int:
    """The smaller of ours and theirs, until a person says which of the two is right."""
    return max(0, ours + disputed) if disputed is not None and disputed < 0 else ours


def kits_among(house: House, sku_ids: Collection[int], at: Instant) -> dict[int, Parts]:
    """Those of these SKUs that are kits at a time, and what they are made of."""
    made = {
        sku: house.recipes.parts(sku, at) for sku in sku_ids if sku in house.recipes
    }
    return {sku: parts for sku, parts in made.items() if parts}


def supply(house: House, parts: Parts, levels: Levels) -> Kit:
    """A kit's components, with what is available of each, and who was promised what.

    Levels do not say whether a component was promised by itself or in a kit. What may
    have been this kit counts as one: then it must be there at one place, too.
    """
    nothing: Mapping[int, int] = {}
    here = {sku: levels.get(sku, nothing) for sku in parts}
    kits: list[Promise] = []
    loose: dict[int, list[Promise]] = {sku: [] for sku in parts}
    for spot, draws_from in _owing(house):
        owed = {sku: max(0, -here[sku].get(spot, 0)) for sku in parts}
        whole = min(owed[sku] // parts[sku] for sku in parts)
        kits.append(Promise(whole, draws_from))
        for sku, units in owed.items():
            loose[sku].append(Promise(units - whole * parts[sku], draws_from))
    return Kit(
        [
            Part(quantity, physical(house, here[sku]), loose[sku])
            for sku, quantity in parts.items()
        ],
        kits,
    )


_NOWHERE = At((), Policy(), ())


def reckoned(
    house: House, rules: Ruling, place: str, here: Mapping[int, int]
) -> Reckoning:
    """What one listing may show at one of its channel's places, and why.

    `here` is what is available per location, the virtual ones included.
    """
    at = rules.at(place) or _NOWHERE
    return reckon(
        physical(house, here),
        promises(house, here),
        at.draws_from,
        at.policy,
        at.counted_at,
    )


def reckoned_kit(rules: Ruling, place: str, kit: Kit) -> Reckoning:
    """The same as `reckoned`, of a kit."""
    at = rules.at(place) or _NOWHERE
    return reckon_kit(kit, at.draws_from, at.policy, at.counted_at)


def physical(house: House, here: Mapping[int, int]) -> dict[int, int]:
    """What is available of one SKU per location; what the first of a pool is short of is
    among the promises."""
    there = {spot: here.get(spot, 0) for spot in house.physical}
    return there | {spot: max(0, there[spot]) for spot in house.pools}


def promises(house: House, here: Mapping[int, int]) -> list[Promise]:
    """The promises of one SKU that no location of ours has been named for."""
    return [
        Promise(-here[spot], draws_from)
        for spot, draws_from in _owing(house)
        if here.get(spot, 0) < 0
    ]


def _owing(house: House) -> Iterator[tuple[int, Sequence[int]]]:
    """Where it is written down what several locations owe, and which these are."""
    for spot, channel_id in house.unassigned.items():
        yield spot, draws(house.channels[channel_id])
    yield from house.pools.items()


def draws(channel: Place) -> Sequence[int]:
    """Where a channel's promises without a location may be served from."""
    return channel.mapped or channel.draws_from


def available(
    connection: Connection, sku_ids: Iterable[int], now: Instant | None = None
) -> dict[int, dict[int, int]]:
    """What is available per SKU and location.

    What holds that were over by `now` (by the database's clock) still keep is given
    back; without it they must have been ended.
    """
    ids = sorted(set(sku_ids))
    levels: dict[int, dict[int, int]] = defaultdict(dict)
    found = bulk.select(
        connection,
        "SELECT sku_id, location_id, available, reserved "
        "FROM stock_levels WHERE sku_id {among}",
        ids,
        "bigint",
    )
    held = set()
    for sku_id, location_id, units, reserved in found:
        levels[sku_id][location_id] = units
        if reserved:
            held.add(sku_id)
    for sku_id, location_id, units in expired(connection, held, now) if now else ():
        # PostgreSQL sums whole numbers up to a decimal one.
        levels[sku_id][location_id] += int(units)
    return levels


def expired(
    connection: Connection, sku_ids: Iterable[int], now: Instant
) -> Sequence[Any]:
    """Units of holds that are over but not swept yet: (sku, location, units)."""
    return bulk.select(
        connection,
        "SELECT hl.sku_id, hl.location_id, sum(hl.quantity) FROM hold_lines hl "
        "JOIN holds h ON h.id = hl.hold WHERE h.state = 'active' "
        "AND h.expires_at <= {given} AND hl.sku_id {among} "
        "GROUP BY hl.sku_id, hl.location_id",
        sorted(sku_ids),
        "bigint",
        (now,),
    )

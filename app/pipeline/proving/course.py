"""Course: how much there was of a SKU at the end of each day, by what is known today.

Told backwards from what there is: what a day changed is taken off what was there at its
end. Of a kit it is how many could be put together, by the recipe of that day.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.engine import Connection

from app.domain.building import most
from app.domain.instants import DAY, Instant
from app.domain.kits import Parts
from app.domain.states import AVAILABLE
from app.pipeline.house import House, current
from app.pipeline.publishing.desired import supply
from app.store.stock import balances, history
from app.store.stock.balances import When

Level = tuple[int, int]
"""Available and on hand."""
Levels = dict[int, dict[int, Level]]
"""SKU id → location id → what there is."""


def course(
    connection: Connection, sku_id: int, days: Sequence[Instant], when: When
) -> list[Level]:
    """What there was at the end of each of these days (UTC, without a gap), and at
    last at that moment. A kit has nothing on hand."""
    house = current(connection)
    moment = when.now if when.at is None else when.at
    ends = [min(day + DAY - 1, moment) for day in days]
    recipes = [house.recipes.parts(sku_id, end) for end in ends]
    ids = {sku_id}.union(*recipes)
    levels: Levels = defaultdict(lambda: defaultdict(lambda: (0, 0)))
    for sku, spots in balances.spots_of_all(connection, ids, when).items():
        for place, units in spots.items():
            levels[sku][place] = (units[AVAILABLE], units["on_hand"])
    changes = history.changes_by_day(connection, ids, days[0] - 1, moment)
    told = []
    for day, parts in zip(reversed(days), reversed(recipes), strict=True):
        told.append(_kit(house, parts, levels) if parts else _own(levels, sku_id))
        for (sku, place), (free, held) in changes.get(day, {}).items():
            available, on_hand = levels[sku][place]
            levels[sku][place] = (available - free, on_hand - held)
    return told[::-1]


def _own(levels: Levels, sku_id: int) -> Level:
    there = levels[sku_id].values()
    return sum(free for free, _ in there), sum(held for _, held in there)


def _kit(house: House, parts: Parts, levels: Levels) -> Level:
    free = {
        sku: {place: available for place, (available, _) in levels[sku].items()}
        for sku in parts
    }
    return most(supply(house, parts, free), house.physical), 0

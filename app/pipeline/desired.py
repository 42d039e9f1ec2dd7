"""Desired: the number each publication should show now.

Worked out whenever it is read or sent; never stored. Holds that have expired count as
ended even when nobody has swept them up yet.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant, now as clock
from app.domain.shown import Promise, sellable, shown
from app.pipeline.house import House, Place, read_house
from app.store import bulk

Levels = Mapping[int, Mapping[int, int]]
"""SKU id → location id → available."""


def numbers(
    connection: Connection,
    rows: Iterable[RowMapping],
    house: House | None = None,
    now: Instant | None = None,
) -> dict[int, int]:
    """Publication id → what it should show. Rows are rows of `publications`."""
    wanted = list(rows)
    if not wanted:
        return {}
    house = house or read_house(connection)
    levels = available(
        connection, {row["sku_id"] for row in wanted}, clock() if now is None else now
    )
    return {
        row["id"]: number(
            house,
            house.channels[row["channel_id"]],
            row["place"],
            levels,
            row["sku_id"],
        )
        for row in wanted
    }


def number(
    house: House, channel: Place, place: str, levels: Levels, sku_id: int
) -> int:
    """What one channel may show for one SKU at one of its places."""
    policy = channel.publish or {}
    here = levels.get(sku_id, {})
    units = sellable(
        {spot: here.get(spot, 0) for spot in house.physical},
        promises(house, here),
        channel.places.get(place, ()),
    )
    return shown(
        units,
        buffer=int(policy.get("buffer", 0)),
        cap=policy.get("cap"),
        share=int(policy.get("share", 100)),
    )


def promises(house: House, here: Mapping[int, int]) -> list[Promise]:
    """The promises of one SKU that no location has been named for."""
    return [
        Promise(-here[spot], _draws(house.channels[channel_id]))
        for spot, channel_id in house.unassigned.items()
        if here.get(spot, 0) < 0
    ]


def _draws(channel: Place) -> Sequence[int]:
    return channel.mapped or channel.draws_from


def available(
    connection: Connection, sku_ids: Iterable[int], now: Instant
) -> dict[int, dict[int, int]]:
    """What is available per SKU and location, expired holds given back."""
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
    for sku_id, location_id, units in expired(connection, held, now):
        levels[sku_id][location_id] += units
    return levels


def expired(
    connection: Connection, sku_ids: Iterable[int], now: Instant
) -> Sequence[Any]:
    """Units of holds that are over but not swept yet: (sku, location, units)."""
    return bulk.select(
        connection,
        "SELECT hl.sku_id, hl.location_id, sum(hl.quantity) FROM hold_lines hl "
        "JOIN holds h ON h.id = hl.hold WHERE h.state = 'active' "
        f"AND h.expires_at <= {int(now)} AND hl.sku_id {{among}} "
        "GROUP BY hl.sku_id, hl.location_id",
        sorted(sku_ids),
        "bigint",
    )

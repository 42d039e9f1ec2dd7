"""Claims: units asked for through our own API. Only claims can be refused.

A claim ends the expired holds of its SKUs, works out what is free by the same rule as
what channels are shown, and moves all its lines or none. `granting` and `transferring`
claim.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.engine import Connection, Engine

from app.domain.building import settle
from app.domain.errors import ShortOfUnits, UnknownName
from app.domain.instants import Instant
from app.domain.kits import NO_PARTS, Parts
from app.domain.shown import allot, sellable
from app.pipeline.apply import apply
from app.pipeline.applying import paying
from app.pipeline.applying.told import Told, released
from app.pipeline.configuring.listings import lanes
from app.pipeline.house import House, current
from app.pipeline.publishing import desired
from app.store.engine import applying
from app.store.stock import holds, levels
from app.store.stock.aliases import sku_ids
from app.store.stock.looking import look

Lines = Sequence[Mapping[str, Any]]
"""{"sku", "quantity", "location"?} each."""


class Taken(NamedTuple):
    """Units of one SKU at one location that a claim may move."""

    sku: str
    sku_id: int
    location_id: int
    quantity: int
    parts: Parts = NO_PARTS
    """What a kit's units are made of."""


class Claims:
    """What may be claimed at one moment: read once, for one claim or for several."""

    def __init__(
        self,
        connection: Connection,
        lines: Lines,
        now: Instant,
        rows: Mapping[Table, int],
    ) -> None:
        """`lines` are those of all claims; their SKUs' expired holds end here.

        `rows`: how many of some tables will be written for them.
        """
        words = {str(line["sku"]) for line in lines}
        seen = look(connection, words, rows)
        self.house: House = current(connection, seen.mark)
        others = sku_ids(connection, words - seen.skus.keys())
        self._known = seen.skus | others
        self._kits = desired.kits_among(self.house, set(self._known.values()), now)
        if others or self._kits or seen.expires_by(now):
            ids = set(self._known.values()).union(*self._kits.values())
            over = holds.overdue(connection, now, ids)
            give_back_expired(connection, self.house, over, now)
            seen.levels, seen.ids = levels.lock_skus(connection, ids), ()
        self.levels: levels.Levels = seen.levels
        """Those of these SKUs, locked: what is claimed may be applied to them."""
        self.ids: Sequence[Sequence[int]] = seen.ids
        """Reserved for `rows`; none where others had to be written before."""
        self._free: dict[int, dict[int, int]] = defaultdict(dict)
        for (sku_id, spot), level in self.levels.items():
            self._free[sku_id][spot] = level.available

    def claim(self, lines: Lines) -> list[Taken]:
        """Take units from what is free, all lines or none; nothing is written yet.

        Raises ShortOfUnits or UnknownName.
        """
        for number, line in enumerate(lines):
            self._check(number, line)
        claimed: list[Taken] = []
        short: dict[str, dict[str, Any]] = {}
        for line in lines:
            sku, quantity = str(line["sku"]), int(line["quantity"])
            sku_id, places = self._known[sku], _places(self.house, line)
            parts = self._kits.get(sku_id, NO_PARTS)
            taken, most = _allotted(
                self.house, self._free, sku_id, parts, places, quantity
            )
            if taken is None:
                before = sum(one.quantity for one in claimed if one.sku_id == sku_id)
                short[sku] = {
                    "sku": sku,
                    "requested": self._asked(lines, sku_id),
                    "available": before + most,
                }
                continue
            for spot, units in taken.items():
                claimed.append(Taken(sku, sku_id, spot, units, parts))
                self._take(claimed[-1], units)
        if short:
            for one in claimed:
                self._take(one, -one.quantity)
            raise ShortOfUnits(list(short.values()))
        return claimed

    def _take(self, taken: Taken, units: int) -> None:
        for sku_id, each in (taken.parts or {taken.sku_id: 1}).items():
            self._free[sku_id][taken.location_id] -= units * each

    def _asked(self, lines: Lines, sku_id: int) -> int:
        """Two lines for one SKU count as their sum."""
        return sum(
            int(line["quantity"])
            for line in lines
            if self._known[str(line["sku"])] == sku_id
        )

    def _check(self, number: int, line: Mapping[str, Any]) -> None:
        if line["sku"] not in self._known:
            raise UnknownName(
                f"there is no SKU {line['sku']!r}", f"lines[{number}].sku"
            )
        place = line.get("location")
        if place is not None and place not in self.house.codes:
            raise UnknownName(
                f"there is no location {place!r}", f"lines[{number}].location"
            )


def _allotted(
    house: House,
    free: Mapping[int, Mapping[int, int]],
    sku_id: int,
    parts: Parts,
    places: Sequence[int],
    quantity: int,
) -> tuple[Mapping[int, int] | None, int]:
    """Where to take units of one line from, or None; and the most there are."""
    if parts:
        kit, built = settle(desired.supply(house, parts, free), places)
        taken = allot(built, kit.promises, places, quantity)
        return taken, kit.left(built, places)
    here = free[sku_id]
    physical = desired.physical(house, here)
    owed = desired.promises(house, here)
    allotted = allot(physical, owed, places, quantity)
    return allotted, 0 if allotted is not None else sellable(physical, owed, places)


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
        return give_back_expired(connection, house, holds.overdue(connection, now), now)


def give_back_expired(
    connection: Connection,
    house: House,
    over: Mapping[int, Sequence[Any]],
    now: Instant,
) -> set[str]:
    """End these holds (as `holds.overdue` gives them); return the lanes to wake."""
    woken: set[str] = set()
    unpaid: list[Any] = []
    for hold_, rows in over.items():
        if rows[0].line_key is not None:
            unpaid += rows
        elif holds.end(connection, hold_, holds.EXPIRED, now):
            woken |= give_back(connection, house, rows, "expiry", now)
    if unpaid:
        told = Told(None, paying.lapses(unpaid), now, actor="expiry")
        woken |= lanes(house, apply(connection, house, [told], now).wake)
    return woken


def give_back(
    connection: Connection, house: House, rows: Sequence[Any], actor: str, now: Instant
) -> set[str]:
    """Make held units available again; return the lanes to wake."""
    told = Told(None, released(rows, now), now, actor=actor)
    return lanes(house, apply(connection, house, [told], now).wake)

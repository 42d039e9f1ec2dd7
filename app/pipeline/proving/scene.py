"""Scene: everything that made a number, as it was at a moment.

A kit's is what can be put together of its components as they were then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.domain.kits import Parts
from app.domain.shown import Reckoning
from app.domain.states import AVAILABLE
from app.pipeline.house import House, Place, read_house
from app.pipeline.proving import assembling
from app.pipeline.publishing import desired
from app.pipeline.publishing.ruling import Ruling
from app.store.stock import balances, recipes
from app.store.stock.balances import Quantities, When


@dataclass(frozen=True, slots=True)
class Scene:
    """What was so at a moment."""

    connection: Connection
    house: House
    channel: Place
    moment: Instant
    is_past: bool
    sku: str
    sku_id: int
    parts: Parts
    """What the SKU was made of, if it was a kit."""
    stock: Mapping[int, Mapping[int, Quantities]]
    """The same of every SKU with stock: its own, or a kit's components."""
    known: Mapping[int, Mapping[int, Quantities]]
    """The same by what had been written down by then: what came late is left out."""
    names: Mapping[int, str]

    @property
    def spots(self) -> Mapping[int, Quantities]:
        """What is told of it per location id."""
        if not self.parts:
            return self.stock.get(self.sku_id, {})
        built = assembling.buildable(self.house, self.parts, self.stock)
        return {place: assembling.at_location(n) for place, n in built.items()}

    def here(self, sku_id: int) -> dict[int, int]:
        """What is available of a SKU with stock, per location id."""
        return _available(self.stock, sku_id)

    def reckoned(
        self, rules: Ruling, place: str, *, as_known: bool = False
    ) -> Reckoning:
        """What may be shown at one of the channel's own places, and why; `as_known`:
        what was worked out then."""
        stock = self.known if as_known else self.stock
        if not self.parts:
            here = _available(stock, self.sku_id)
            return desired.reckoned(self.house, rules, place, here)
        levels = {sku: _available(stock, sku) for sku in self.parts}
        kit = desired.supply(self.house, self.parts, levels)
        return desired.reckoned_kit(rules, place, kit)

    def codes(self, places: Sequence[int]) -> list[str]:
        """What these locations are called."""
        return [self.house.names[place] for place in places]


def seen(
    connection: Connection,
    sku_id: int,
    channel_key: str,
    at: Instant | None,
    now: Instant,
) -> Scene:
    """What was so then, or is now. Raises UnknownName for an unknown channel."""
    house = read_house(connection, at=at)
    channel = house.known(channel_key)
    moment = now if at is None else at
    parts = house.recipes.parts(sku_id, moment)
    stocked = list(parts) or [sku_id]
    names = recipes.names_of(connection, {sku_id, *stocked})
    stock = known = balances.spots_of_all(connection, stocked, When(now, at))
    if at is not None:
        known = balances.spots_of_all(connection, stocked, When(now, at, at))
    return Scene(
        connection,
        house,
        channel,
        moment,
        at is not None,
        names[sku_id],
        sku_id,
        parts,
        stock,
        known,
        {sku: names[sku] for sku in stocked},
    )


def _available(
    stock: Mapping[int, Mapping[int, Quantities]], sku_id: int
) -> dict[int, int]:
    found = stock.get(sku_id, {})
    return {place: quantities[AVAILABLE] for place, quantities in found.items()}

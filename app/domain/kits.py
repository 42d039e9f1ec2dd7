"""Kits: SKUs that are made of others, by a recipe, and have no stock of their own.

A pack of six is a kit of one component, six times. What moves a kit moves its
components. Recipes have a history: a line keeps the recipe in force when it was ordered.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from app.domain import events
from app.domain.instants import Instant
from app.domain.targets import BEGAN, Movements, Target, Targets

Parts: TypeAlias = Mapping[int, int]
"""SKU id → how many of it one kit takes; every SKU in it is one with stock."""

NO_PARTS: Final[Parts] = {}


class Recipe(NamedTuple):
    """What a SKU is made of from a time on; no components: it is no kit any more."""

    valid_from: Instant
    components: Mapping[int, int]
    """Component → quantity; a component may be a kit itself."""


class Recipes:
    """Every recipe there ever was. A SKU is `in` it when it ever was a kit."""

    def __init__(self, versions: Mapping[int, Sequence[Recipe]] | None = None) -> None:
        self.versions = {
            sku: sorted(told, key=lambda one: one.valid_from)
            for sku, told in (versions or {}).items()
        }

    def __contains__(self, sku_id: object) -> bool:
        return sku_id in self.versions

    def components(self, sku_id: int, at: Instant) -> Mapping[int, int]:
        """What the recipe in force at a time names; empty when it was no kit then."""
        found: Mapping[int, int] = NO_PARTS
        for recipe in self.versions.get(sku_id, ()):
            if recipe.valid_from > at:
                break
            found = recipe.components
        return found

    def parts(self, sku_id: int, at: Instant) -> Parts:
        """The same down to the SKUs that have stock."""
        found: dict[int, int] = {}
        for sku, quantity in self.components(sku_id, at).items():
            for part, units in self.units(sku, at).items():
                found[part] = found.get(part, 0) + units * quantity
        return found

    def units(self, sku_id: int, at: Instant) -> Parts:
        """The parts of a kit; of what was none then, one of itself."""
        return self.parts(sku_id, at) or {sku_id: 1}

    def holding(self, sku_id: int) -> set[int]:
        """Every kit that has, or ever had, a SKU in it, however deep."""
        found: set[int] = set()
        waiting = [sku_id]
        while waiting:
            one = waiting.pop()
            for kit, told in self.versions.items():
                if kit not in found and any(one in each.components for each in told):
                    found.add(kit)
                    waiting.append(kit)
        return found

    def adding(self, sku_id: int, recipe: Recipe) -> "Recipes":
        """These recipes and one more."""
        told = [*self.versions.get(sku_id, ()), recipe]
        return Recipes({**self.versions, sku_id: told})

    def cycle(self, sku_id: int, since: Instant) -> list[int] | None:
        """A kit that would hold itself at some time from `since` on: from it to it."""
        times = {since} | {
            recipe.valid_from
            for told in self.versions.values()
            for recipe in told
            if recipe.valid_from > since
        }
        for at in sorted(times):
            for found in self._ways(sku_id, at, [sku_id]):
                return found
        return None

    def _ways(self, sku_id: int, at: Instant, way: list[int]) -> Iterator[list[int]]:
        for sku in sorted(self.components(sku_id, at)):
            if sku == way[0]:
                yield [*way, sku]
            elif sku not in way:
                yield from self._ways(sku, at, [*way, sku])


class Asked(NamedTuple):
    """Units of a SKU that somebody names, and what they are made of."""

    word: str
    sku_id: int
    units: int
    parts: Parts
    """Of a SKU that is no kit: one of itself."""


class Short(NamedTuple):
    """A SKU of which more was asked than there is."""

    sku: str
    requested: int
    available: int
    line: int
    """The first line that asked for too many."""


def take(asked: Sequence[Asked], left: MutableMapping[int, int]) -> list[Short]:
    """Take lines off what is left of SKUs with stock; return what there is too little of.

    Two lines for one SKU count as their sum.
    """
    requested: dict[int, int] = {}
    short: dict[int, Short] = {}
    for number, (word, sku_id, units, parts) in enumerate(asked):
        most = min(left.get(part, 0) // each for part, each in parts.items())
        before = requested.get(sku_id, 0)
        requested[sku_id] = before + units
        if units > most:
            first = short.get(sku_id, Short(word, 0, 0, number))
            short[sku_id] = first._replace(
                requested=before + units, available=max(0, before + most)
            )
        for part, each in parts.items():
            left[part] = left.get(part, 0) - units * each
    return list(short.values())


def ordered_at(targets: Targets) -> Instant:
    """The time whose recipe a case keeps: when it was ordered or, of what is or was on
    the way, first sent; else its oldest word."""
    begun = targets.get(events.PLACED) or targets.get(BEGAN)
    if begun is not None:
        return begun.occurred_at
    return min((target.occurred_at for target in targets.values()), default=0)


def of_parts(wanted: Movements, parts: Parts) -> Movements:
    """What movements of a kit are: each of them by every component of it."""
    return {
        movement._replace(sku_id=sku): quantity * units
        for movement, quantity in wanted.items()
        for sku, units in parts.items()
    }


def of_part(targets: Targets, units: int) -> dict[str, Target]:
    """What is said of a kit, as said of a component that it takes so many of.

    The same movements as `of_parts` of the kit's; a name keeps no mark of being
    reported by the kit's SKU, lest it be taken for a report of the component.
    """
    return {
        name.replace("\n", "\r"): target._replace(quantity=target.quantity * units)
        for name, target in targets.items()
    }

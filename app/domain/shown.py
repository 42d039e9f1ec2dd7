"""What a channel is shown: the most it can sell without touching another's promise.

Channel c may sell the largest x such that every promise already made and x more units
for c can be served, each from the locations it may draw from: a small maximum flow per
SKU. Without unassigned promises it is the sum of what is available, never below zero.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    """Units promised without a location yet, and where they may come from."""

    units: int
    draws_from: Collection[int]


def sellable(
    available: Mapping[int, int],
    promises: Sequence[Promise],
    draws_from: Collection[int],
) -> int:
    """How many more units may be sold from these locations; never below zero.

    `available` is per physical location and may be negative. When the promises cannot
    all be served anyway, x is what is left after serving as many as possible.
    """
    left = {place: max(0, units) for place, units in available.items()}
    owed = [promise for promise in promises if promise.units > 0]
    if not owed:
        return sum(left.get(place, 0) for place in set(draws_from))
    flow = _Flow(left)
    for promise in owed:
        flow.serve(promise.units, frozenset(promise.draws_from))
    return flow.serve(sum(left.values()), frozenset(draws_from))


def unserved(available: Mapping[int, int], promises: Sequence[Promise]) -> int:
    """How many units are promised or sold that are not there.

    What a place of its own lacks, and what promises without a place cannot draw.
    """
    short = -sum(units for units in available.values() if units < 0)
    owed = sum(promise.units for promise in promises if promise.units > 0)
    if not owed:
        return short
    left = {place: max(0, units) for place, units in available.items()}
    if all(
        sum(left.get(place, 0) for place in promise.draws_from) >= owed
        for promise in promises
    ):
        return short
    flow = _Flow(left)
    for promise in promises:
        served = flow.serve(promise.units, frozenset(promise.draws_from))
        short += max(0, promise.units - served)
    return short


def allot(
    available: Mapping[int, int],
    promises: Sequence[Promise],
    draws_from: Collection[int],
    units: int,
) -> dict[int, int] | None:
    """Where to take `units` from so that every promise can still be served.

    None when there are not enough.
    """
    flow = _Flow({place: max(0, units_) for place, units_ in available.items()})
    for promise in promises:
        if promise.units > 0:
            flow.serve(promise.units, frozenset(promise.draws_from))
    if flow.serve(units, frozenset(draws_from)) < units:
        return None
    taken = flow.used[-1]
    return {place: count for place, count in taken.items() if count}


def shown(
    sellable_units: int, *, buffer: int = 0, cap: int | None = None, share: int = 100
) -> int:
    """The number to publish: a share of what may be sold, less the buffer, capped."""
    number = max(0, sellable_units * share // 100 - buffer)
    return number if cap is None else min(number, max(0, cap))


class _Flow:
    """Demands served one after the other; an earlier one is moved, never dropped."""

    def __init__(self, left: dict[int, int]) -> None:
        self.left = dict(left)
        self.draws: list[frozenset[int]] = []
        self.used: list[dict[int, int]] = []

    def serve(self, units: int, draws_from: frozenset[int]) -> int:
        """Serve one more demand as far as possible; return how far."""
        self.draws.append(draws_from)
        self.used.append({})
        served = 0
        while served < units:
            pushed = self._augment(len(self.draws) - 1, units - served, set())
            if not pushed:
                break
            served += pushed
        return served

    def _augment(self, demand: int, units: int, seen: set[int]) -> int:
        for place in sorted(self.draws[demand] - seen):
            seen.add(place)
            free = min(units, self.left.get(place, 0))
            if free:
                self.left[place] -= free
                self._take(demand, place, free)
                return free
            for other, used in enumerate(self.used):
                movable = min(units, used.get(place, 0)) if other != demand else 0
                moved = self._augment(other, movable, seen) if movable else 0
                if moved:
                    self._take(other, place, -moved)
                    self._take(demand, place, moved)
                    return moved
        return 0

    def _take(self, demand: int, place: int, units: int) -> None:
        used = self.used[demand]
        used[place] = used.get(place, 0) + units

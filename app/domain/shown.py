"""What a channel is shown: the most it can sell without touching another's promise.

Channel c may sell the largest x such that every promise already made and x more units
for c can be served, each from the locations it may draw from: a small maximum flow per
SKU. Without unassigned promises it is the sum of what is available, never below zero.

From x to the number shown, in this order (no step can raise it again):

1. `preorder`: units that are not there yet are one more place that c may draw from,
   after every promise that reaches the same locations; so what was sold beyond what is
   there counts against the limit. x includes what is left of it.
2. `stop_at`: when x is at or below it, 0 is shown, and the rest is left out.
3. `share`: so many percent of x, rounded down.
4. `buffer`: less so many units, not below 0.
5. `cap`: at most so many.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BEYOND: Final = -1
"""The place of units that are not there yet and may be pre-ordered; no location's id."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Units promised without a location yet, and where they may come from."""

    units: int
    draws_from: Collection[int]


@dataclass(frozen=True, slots=True)
class Policy:
    """How much of what may be sold is shown."""

    buffer: int = 0
    cap: int | None = None
    share: int = 100
    stop_at: int = 0
    preorder: int = 0


@dataclass(frozen=True, slots=True)
class Reckoning:
    """A number to show, and what it was made of."""

    there: int
    """Available at the locations it may be sold from; what is short counts as 0."""
    stock: int
    """Those of them that no promise needs."""
    ahead: int
    """Units beyond what is there that may still be pre-ordered."""
    policy: Policy
    shown: int

    @property
    def sellable(self) -> int:
        """What may be sold."""
        return self.stock + self.ahead


def reckon(
    available: Mapping[int, int],
    promises: Sequence[Promise],
    draws_from: Collection[int],
    policy: Policy,
    counted_at: Collection[int] = (),
) -> Reckoning:
    """Work out the number to show and keep the steps; see `sellable` and `shown`."""
    stock = units = sellable(available, promises, draws_from)
    if policy.preorder:
        units = sellable(
            available, promises, draws_from, policy.preorder, counted_at=counted_at
        )
    number = shown(
        units,
        buffer=policy.buffer,
        cap=policy.cap,
        share=policy.share,
        stop_at=policy.stop_at,
    )
    there = sum(max(0, available.get(place, 0)) for place in set(draws_from))
    return Reckoning(there, stock, units - stock, policy, number)


def sellable(
    available: Mapping[int, int],
    promises: Sequence[Promise],
    draws_from: Collection[int],
    preorder: int = 0,
    *,
    counted_at: Collection[int] = (),
) -> int:
    """How many more units may be sold from these locations; never below zero.

    `available` is per physical location and may be negative. When the promises cannot
    all be served anyway, x is what is left after serving as many as possible. What was
    sold beyond what is there, at these locations or at those of `counted_at`, counts
    against `preorder`.
    """
    left = {place: max(0, units) for place, units in available.items()}
    if preorder > 0:
        promises = reaching(available, promises, {*draws_from, *counted_at})
        left[BEYOND] = preorder
        draws_from = {*draws_from, BEYOND}
    owed = [promise for promise in promises if promise.units > 0]
    if not owed:
        return sum(left.get(place, 0) for place in set(draws_from))
    flow = _Flow(left)
    for promise in owed:
        flow.serve(promise.units, frozenset(promise.draws_from))
    return flow.serve(sum(left.values()), frozenset(draws_from))


def reaching(
    available: Mapping[int, int], promises: Sequence[Promise], over: set[int]
) -> list[Promise]:
    """The promises when units beyond what is there may serve those made at `over`.

    A location that is short is a promise of what it lacks.
    """
    short = {place: -available.get(place, 0) for place in sorted(over)}
    return [
        *(
            one
            if over.isdisjoint(one.draws_from)
            else Promise(one.units, {*one.draws_from, BEYOND})
            for one in promises
        ),
        *(Promise(units, {BEYOND}) for units in short.values() if units > 0),
    ]


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


def served(available: Mapping[int, int], promises: Sequence[Promise]) -> list[int]:
    """How much of each promise can be served, of all of them as much as possible."""
    flow = _Flow({place: max(0, units) for place, units in available.items()})
    return [flow.serve(one.units, frozenset(one.draws_from)) for one in promises]


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
    sellable_units: int,
    *,
    buffer: int = 0,
    cap: int | None = None,
    share: int = 100,
    stop_at: int = 0,
) -> int:
    """The number to publish: a share of what may be sold, less the buffer, capped;
    0 when no more may be sold than where selling stops."""
    if sellable_units <= stop_at:
        return 0
    number = max(0, sellable_units * share // 100 - buffer)
    return number if cap is None else min(number, max(0, cap))


def sentence(found: Reckoning, who: str, where: Collection[str]) -> str:
    """Say in words why it is this number."""
    return f"{who} shows {found.shown}: {_sold(found, where)}{_told(found)}."


def _sold(found: Reckoning, where: Collection[str]) -> str:
    """What may be sold, and why so many."""
    places = " and ".join(where) or "any location it may sell from"
    words = [f"{_units(found.there)} available at {places}"]
    kept = found.there - found.stock
    if kept:
        words.append(f"{kept} kept for promises that name no location")
    limit = found.policy.preorder
    if limit:
        words.append(f"{found.ahead} more may be pre-ordered (limit {limit})")
    if len(words) > 1:
        words.append(f"so {_units(found.sellable)} may be sold")
    return ", ".join(words)


def _told(found: Reckoning) -> str:
    """What the policy makes of it."""
    policy, units = found.policy, found.sellable
    if units <= policy.stop_at and policy.stop_at:
        return f"; selling stops at {policy.stop_at}"
    words = []
    number = units * policy.share // 100
    if policy.share != 100:
        words.append(f"{policy.share} % of that is {number}")
    if policy.buffer:
        number = max(0, number - policy.buffer)
        words.append(f"less a buffer of {policy.buffer} is {number}")
    if policy.cap is not None and policy.cap < number:
        words.append(f"the cap is {policy.cap}")
    return "".join(f"; {one}" for one in words)


def _units(number: int) -> str:
    return f"{number} unit" if number == 1 else f"{number} units"


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

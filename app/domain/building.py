"""How many of a kit a channel may sell: what can be put together, place by place.

A kit is handed over at one place: there are as many as the scarcest of its components
allows there, and their sum over the places. No promise already made for a kit or for a
component may go short for it. Promises that name no place may be served from several;
where that leaves a choice, the one is searched that keeps the most promised kits, and
of those the one that leaves the most. A promised kit that no place can put together is
kept in its components.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.shown import (
    BEYOND,
    Policy,
    Promise,
    Reckoning,
    reaching,
    sellable,
    served,
    shown,
)

MOST_LOOKS: Final = 200
"""Choices tried at most; then what was found by then is offered, which is never too
much. The best one is nearly always the first."""


@dataclass(frozen=True, slots=True)
class Part:
    """A component: how many of it one kit takes, where it is, who was promised it."""

    quantity: int
    available: Mapping[int, int]
    promises: Sequence[Promise] = ()

    def in_kits(self, places: Collection[int]) -> int:
        """For how many kits it suffices at these places; no promise goes short."""
        return sellable(self.available, self.promises, places) // self.quantity

    def less(self, taken: Mapping[int, int]) -> "Part":
        """What is left when kits are taken away: place → kits."""
        left = {
            place: max(0, units) - taken.get(place, 0) * self.quantity
            for place, units in self.available.items()
        }
        return Part(self.quantity, left, self.promises)

    def owing(self, kits: Sequence[Promise]) -> "Part":
        """The same with these kits promised, too."""
        more = [Promise(one.units * self.quantity, one.draws_from) for one in kits]
        return Part(self.quantity, self.available, [*self.promises, *more])

    def ahead(self, kits: int, places: set[int]) -> "Part":
        """The same with units for so many kits beyond what is there."""
        promises = reaching(self.available, self.promises, places)
        there = {**self.available, BEYOND: kits * self.quantity}
        return Part(self.quantity, there, promises)


@dataclass(frozen=True, slots=True)
class Kit:
    """What a kit is made of, and the promises of it that name no place yet.

    What is promised of kits is not among what is promised of their components.
    """

    parts: Sequence[Part]
    promises: Sequence[Promise] = ()

    def ahead(self, kits: int, places: set[int]) -> "Kit":
        """The same with so many kits beyond what is there."""
        parts = [part.ahead(kits, places) for part in self.parts]
        return Kit(parts, reaching({}, self.promises, places))

    def kept(self, built: Mapping[int, int]) -> int:
        """How many of its promises the kits that are built keep."""
        return sum(served(built, self.promises))

    def apart(self, built: Mapping[int, int]) -> "Kit":
        """The same with every promise that these kits do not keep as components."""
        kept, rest = [], []
        for one, units in zip(self.promises, served(built, self.promises), strict=True):
            kept.append(Promise(units, one.draws_from))
            rest.append(Promise(one.units - units, one.draws_from))
        return Kit([part.owing(rest) for part in self.parts], kept)

    def left(self, built: Mapping[int, int], draws_from: Collection[int]) -> int:
        """How many of the kits that are built no promise of kits needs."""
        return sellable(built, self.promises, draws_from)


def most(kit: Kit, draws_from: Collection[int]) -> int:
    """How many more kits may be sold from these locations; never below zero."""
    kit, built = settle(kit, draws_from)
    return kit.left(built, draws_from)


def settle(kit: Kit, draws_from: Collection[int]) -> tuple[Kit, dict[int, int]]:
    """The kit with all its promises kept, and how many to put together where."""
    built = build(kit, draws_from)
    while kit.kept(built) < sum(one.units for one in kit.promises):
        kit = kit.apart(built)
        built = build(kit, draws_from)
    return kit, built


def build(kit: Kit, draws_from: Collection[int]) -> dict[int, int]:
    """How many kits to put together where, those promised too: place → kits.

    So that the most promises are kept, and the most are left for these locations.
    """
    reach = set(draws_from).union(*(one.draws_from for one in kit.promises))
    whole = {
        place: min(
            max(0, part.available.get(place, 0)) // part.quantity for part in kit.parts
        )
        for place in sorted(reach)
    }
    whole = {place: kits for place, kits in whole.items() if kits}
    owed = [part for part in kit.parts if any(one.units > 0 for one in part.promises)]
    if not owed or not whole:
        return whole
    return _Search(kit, owed, whole, draws_from).best


def reckon_kit(
    kit: Kit,
    draws_from: Collection[int],
    policy: Policy,
    counted_at: Collection[int] = (),
) -> Reckoning:
    """The same as `shown.reckon`, in kits."""
    free = Kit([Part(part.quantity, part.available) for part in kit.parts])
    stock = units = most(kit, draws_from)
    if policy.preorder:
        more = kit.ahead(policy.preorder, {*draws_from, *counted_at})
        units = max(stock, most(more, {*draws_from, BEYOND}))
    number = shown(
        units,
        buffer=policy.buffer,
        cap=policy.cap,
        share=policy.share,
        stop_at=policy.stop_at,
    )
    return Reckoning(most(free, draws_from), stock, units - stock, policy, number)


class _Search:
    """Takes as many kits as it can place by place; goes back while more may be had."""

    def __init__(
        self,
        kit: Kit,
        owed: Sequence[Part],
        whole: Mapping[int, int],
        draws_from: Collection[int],
    ) -> None:
        self.kit, self.owed, self.whole = kit, owed, whole
        self.draws_from = draws_from
        self.places = list(whole)
        self.best: dict[int, int] = {}
        self.found = (0, 0)
        self.looks = 0
        self.goal = self._bound({}, 0)
        self._look({}, 0)

    def _bound(self, taken: Mapping[int, int], at: int) -> tuple[int, int]:
        """No more can be kept and left than this, whatever is taken from here on."""
        left = self.places[at:]
        everything = {**taken, **{place: self.whole[place] for place in left}}
        rest = min(part.less(taken).in_kits(left) for part in self.owed)
        units = sum(taken.values()) + rest
        return (
            min(units, self.kit.kept(everything)),
            min(units, self.kit.left(everything, self.draws_from)),
        )

    def _look(self, taken: dict[int, int], at: int) -> None:
        self.looks += 1
        found = (self.kit.kept(taken), self.kit.left(taken, self.draws_from))
        if found > self.found:
            self.best, self.found = taken, found
        if at == len(self.places) or self._bound(taken, at) <= self.found:
            return
        place = self.places[at]
        room = min(
            self.whole[place],
            *(part.less(taken).in_kits((place,)) for part in self.owed),
        )
        for kits in range(room, -1, -1):
            self._look({**taken, place: kits} if kits else taken, at + 1)
            if self.found >= self.goal or self.looks >= MOST_LOOKS:
                return

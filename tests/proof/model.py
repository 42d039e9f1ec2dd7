"""What ought to be there: a small pure model of the trade, written without the code.

It tells all known facts again in the order in which they happened, whatever order they
became known in, and knows nothing of webhooks, cases, ledgers or databases.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SHELF = "shelf"
"""Units a customer could be given, promised ones included."""
UNASSIGNED = "unassigned"
"""Where promises sit that name no place."""
STATE_OF = {"sellable": SHELF, "inspect": "inspection", "damaged": "damaged"}

Spot = tuple[str, str]
"""SKU and place."""


class Fact(NamedTuple):
    """The word of one source on one fact; a higher version corrects it."""

    kind: str
    key: str
    version: int
    at: int
    sku: str
    place: str | None
    units: int
    order: tuple[str | None, str] | None = None
    """Whose order it is about, and its number."""
    more: str | None = None
    """The disposition, the scope of a count, or where a transfer goes."""
    split: tuple[tuple[str, int], ...] = ()
    """Where a committed hold promised its units."""


@dataclass
class Held:
    """A hold: its units by SKU and place, and when it ends by itself."""

    id: str
    units: dict[Spot, int]
    expires_at: int
    reference: str | None
    state: str = "active"

    def is_live(self, now: int) -> bool:
        return self.state == "active" and self.expires_at > now


@dataclass
class Book:
    """Everything that has become known."""

    facts: dict[str, Fact] = field(default_factory=dict)
    mistaken: dict[str, int] = field(default_factory=dict)
    """Facts that were reversed, and what was said up to which version."""
    holds: dict[str, Held] = field(default_factory=dict)

    def learn(self, fact: Fact) -> None:
        known = self.facts.get(fact.key)
        if known is None or known.version < fact.version:
            self.facts[fact.key] = fact

    def promise(self, fact: Fact) -> None:
        """What holds promise an order counts in sum, until its channel speaks."""
        known = self.facts.get(fact.key)
        if known is not None and known.version < 0:
            split = dict(known.split)
            for place, units in fact.split:
                split[place] = split.get(place, 0) + units
            units = known.units + fact.units
            version = known.version + 1
            fact = known._replace(
                units=units, version=version, split=tuple(split.items())
            )
        self.learn(fact)

    def counted(self) -> list[Fact]:
        """The facts that count as said, oldest first."""
        told = [
            fact
            for fact in self.facts.values()
            if fact.key not in self.mistaken or fact.version > self.mistaken[fact.key]
        ]
        return sorted(told, key=lambda fact: (fact.at, fact.key))

    def levels(self, now: int) -> dict[Spot, dict[str, int]]:
        """(SKU, place) → state → units; what is there, as GET /stock tells it."""
        there = _physical(self.counted())
        promised = self._promised()
        reserved = self.reserved(now)
        found = {}
        for spot in {*there, *promised, *reserved}:
            units = there[spot]
            committed, kept = promised[spot], reserved[spot]
            found[spot] = {
                "available": units[SHELF] - committed - kept,
                "reserved": kept,
                "committed": committed,
                "inspection": units["inspection"],
                "damaged": units["damaged"],
                "incoming": units["incoming"],
            }
        return found

    def reserved(self, now: int) -> dict[Spot, int]:
        found: dict[Spot, int] = defaultdict(int)
        for hold in self.holds.values():
            for spot, units in hold.units.items():
                found[spot] += units * hold.is_live(now)
        return found

    def _promised(self) -> dict[Spot, int]:
        found: dict[Spot, int] = defaultdict(int)
        for line in lines_of(self.counted()):
            for place, units in line.promises().items():
                found[line.sku, place] += units
        return found

    def free(self, sku: str, places: list[str], now: int) -> int:
        """How many units a claim may have from these places: none that is promised."""
        levels = self.levels(now)
        there = {
            place: max(0, states["available"])
            for (one, place), states in levels.items()
            if one == sku and place != UNASSIGNED
        }
        owed = levels.get((sku, UNASSIGNED), {}).get("committed", 0)
        everything = sum(there.values())
        reachable = sum(there.get(place, 0) for place in places)
        return min(reachable, everything - min(owed, everything))


@dataclass
class Line:
    """All that is known of one SKU of one order."""

    sku: str
    told: dict[str, list[Fact]]

    def units(self, kind: str) -> int:
        return sum(fact.units for fact in self.told[kind])

    def returns(self) -> list[tuple[Fact, int]]:
        """Each return, oldest first, and how many of its units had gone out."""
        left, found = self.units("shipped"), []
        for fact in self.told["returned"]:
            counted = min(fact.units, left)
            left -= counted
            found.append((fact, counted))
        return found

    def promises(self) -> dict[str, int]:
        """What is promised and not handed over yet, by place."""
        if not self.told["placed"]:
            return {}
        [placed] = self.told["placed"]
        own = placed.place or UNASSIGNED
        open_ = dict(placed.split) or {own: placed.units}
        ends = [(fact.at, fact.place, fact.units) for fact in self.told["shipped"]]
        ends += [(fact.at, None, fact.units) for fact in self.told["released"]]
        ends += [(fact.at, fact.place, fact.units - n) for fact, n in self.returns()]
        for _, where, units in sorted(ends, key=lambda end: end[0]):
            for place in sorted(open_, key=lambda p: (p != where, p != own, p)):
                taken = min(units, open_[place])
                open_[place] -= taken
                units -= taken
        return open_


def lines_of(facts: list[Fact]) -> list[Line]:
    found: dict[Any, Line] = {}
    for fact in facts:
        if fact.order is not None:
            key = (fact.order, fact.sku)
            line = found.setdefault(key, Line(fact.sku, defaultdict(list)))
            line.told[fact.kind].append(fact)
    return list(found.values())


Change = tuple[int, str, str, str, int]
"""When, SKU, place, state, and by how many units."""


def _physical(facts: list[Fact]) -> dict[Spot, dict[str, int]]:
    """What is physically there, state by state: the facts in their own order."""
    there: dict[Spot, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    counts = [(fact.at, 1, fact) for fact in facts if fact.kind == "counted"]
    changes = [(change[0], 0, change) for change in _changes(facts)]
    for _, is_count, told in sorted(counts + changes, key=lambda one: one[:2]):
        if is_count:
            spot = there[told.sku, told.place]
            scope = (SHELF,) if told.more == "sellable" else STATE_OF.values()
            spot[SHELF] += told.units - sum(spot[state] for state in scope)
        else:
            _, sku, place, state, units = told
            there[sku, place][state] += units
    return there


def _changes(facts: list[Fact]) -> list[Change]:
    found: list[Change] = []
    for line in lines_of(facts):
        for fact in line.told["shipped"]:
            found.append((fact.at, fact.sku, fact.place or "", SHELF, -fact.units))
        for fact, units in line.returns():
            state = STATE_OF[fact.more or "sellable"]
            found.append((fact.at, fact.sku, fact.place or "", state, units))
    for fact in facts:
        if fact.order is None:
            found += _moved(fact)
    return found


def _moved(fact: Fact) -> list[Change]:
    """What a fact that is about no order changes."""
    at, sku, place, units = fact.at, fact.sku, fact.place or "", fact.units
    state = STATE_OF.get(fact.more or "sellable")
    if fact.kind in ("received", "returned"):
        return [(at, sku, place, state or "", units)]
    if fact.kind == "adjusted":
        shelf = (at, sku, place, SHELF, units)
        return [shelf, (at, sku, place, "damaged", -units)][: 1 + (state == "damaged")]
    if fact.kind == "inspected":
        left = (at, sku, place, "inspection", -units)
        return [left] if state is None else [left, (at, sku, place, state, units)]
    if fact.kind == "transferred":
        sent = (at, sku, place, SHELF, -units)
        return [sent, (at, sku, fact.more or "", "incoming", units)]
    if fact.kind == "arrived":
        return [(at, sku, place, "incoming", -units), (at, sku, place, SHELF, units)]
    return []

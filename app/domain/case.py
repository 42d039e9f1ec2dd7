"""A case: the newest targets of one line, and the movements they call for.

An order line, a receipt line, an adjustment: each is a case. What it has done to stock
is a pure function of its newest targets, so a duplicate, a retry, another order of
arrival or a correction can only ever post the difference to what was posted before.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from app.domain import events, states
from app.domain.instants import Instant
from app.domain.states import Movement


class Target(NamedTuple):
    """The newest word on one fact."""

    quantity: int
    version: int
    location: int | None
    """Our location; None when the report named none."""
    occurred_at: Instant
    extra: str | int | None = None
    """The disposition, the other location of a transfer, or what a receipt fulfils."""


Targets: TypeAlias = Mapping[str, Target]
"""Fact → target. Facts that several sources or shipments report are named
`kind:source:id`; the others by their kind alone."""

Movements: TypeAlias = dict[Movement, int]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a case must know about the channel that took the order."""

    unassigned: int | None = None
    """The channel's virtual place; None where the channel has one location only."""
    ships_from: int | None = None
    """Where a shipment leaves that names no place and has no assigned promise."""
    preferred: tuple[str, ...] = ()
    """Sources in order of authority, for a tie between shipment reports."""
    custodians: Mapping[int, str] = field(default_factory=dict)
    """Location → the only source whose returns count there."""


_DISPOSITIONS = {
    events.SELLABLE: states.AVAILABLE,
    events.INSPECT: states.INSPECTION,
    events.DAMAGED: states.DAMAGED,
    events.SCRAP: states.SCRAP,
}


UNLINKED = "!"
"""Behind a return's disposition: it names no order, so no shipment limits it."""


class _Report(NamedTuple):
    occurred_at: Instant
    name: str
    quantity: int
    location: int
    state: str = states.AVAILABLE
    linked: bool = True


def movements(sku_id: int, targets: Targets, rules: Rules) -> Movements:
    """All movements that these targets call for, together; quantities are > 0."""
    wanted: Movements = defaultdict(int)
    for movement, quantity in _calls(sku_id, targets, rules):
        if quantity:
            wanted[movement] += quantity
    return wanted


def difference(wanted: Movements, posted: Movements) -> Movements:
    """What must be posted to get from `posted` to `wanted`.

    Less of a movement is the movement backwards at the same time.
    """
    missing: Movements = defaultdict(int)
    for movement, quantity in wanted.items():
        change = quantity - posted.get(movement, 0)
        if change > 0:
            missing[movement] += change
        elif change < 0:
            missing[movement.reversed()] -= change
    for movement, quantity in posted.items():
        if movement not in wanted:
            missing[movement.reversed()] += quantity
    return missing


def _calls(sku: int, targets: Targets, rules: Rules) -> Iterator[tuple[Movement, int]]:
    facts: dict[str, list[tuple[str, Target]]] = defaultdict(list)
    for name, target in targets.items():
        facts[name.partition(":")[0]].append((name, target))
    if not _ORDER_KINDS.isdisjoint(facts):
        yield from _order(sku, facts, rules)
    for kind, calls in _SIMPLE.items():
        for _, target in facts.get(kind, ()):
            yield from calls(sku, target)


# -- order lines -------------------------------------------------------------

_ORDER_KINDS = {
    events.PLACED,
    events.RELEASED,
    events.WITHDRAWN,
    events.SHIPPED,
    events.RETURNED,
}


def _order(
    sku: int, facts: dict[str, list[tuple[str, Target]]], rules: Rules
) -> Iterator[tuple[Movement, int]]:
    placed = facts[events.PLACED][0][1] if events.PLACED in facts else None
    leaves_from = _leaves_from(placed, rules)
    shipments = _shipments(facts.get(events.SHIPPED, []), leaves_from, rules)
    for report in shipments:
        yield _move(sku, states.AVAILABLE, states.CUSTOMER, report), report.quantity
    left = sum(report.quantity for report in shipments)
    never_left: list[_Report] = []
    for report in _returns(facts.get(events.RETURNED, []), rules):
        counted = min(report.quantity, left) if report.linked else report.quantity
        left -= counted if report.linked else 0
        yield _move(sku, states.CUSTOMER, report.state, report), counted
        never_left.append(report._replace(quantity=report.quantity - counted))
    for _, target in facts.get(events.WITHDRAWN, ()):
        place = target.location if target.location is not None else leaves_from
        if place is not None:
            report = _Report(target.occurred_at, "", target.quantity, place)
            yield _move(sku, states.AVAILABLE, states.INSPECTION, report), report[2]
    if placed is not None and placed.quantity > 0 and placed.location is not None:
        ends = [*shipments, *never_left, *_releases(facts)]
        yield from _promise(sku, placed, facts.get(events.ROUTED, []), ends)


def _leaves_from(placed: Target | None, rules: Rules) -> int | None:
    if placed is None or placed.location in (None, rules.unassigned):
        return rules.ships_from
    return placed.location


def _move(sku: int, from_state: str, to_state: str, report: _Report) -> Movement:
    place = report.location
    return Movement(sku, from_state, place, to_state, place, report.occurred_at)


def _shipments(
    facts: list[tuple[str, Target]], leaves_from: int | None, rules: Rules
) -> list[_Report]:
    """The shipments of the source that reports the most; authority breaks a tie."""
    sources: dict[str, list[_Report]] = defaultdict(list)
    for name, target in facts:
        place = target.location if target.location is not None else leaves_from
        if place is not None:
            sources[name.split(":", 2)[1]].append(
                _Report(target.occurred_at, name, target.quantity, place)
            )
    if not sources:
        return []
    if len(sources) == 1:
        return sorted(next(iter(sources.values())))
    return sorted(_largest(sources, rules.preferred))


def _returns(facts: list[tuple[str, Target]], rules: Rules) -> list[_Report]:
    """Per place the reports of one source, oldest first."""
    if not facts:
        return []
    places: dict[int, dict[str, list[_Report]]] = defaultdict(lambda: defaultdict(list))
    for name, target in facts:
        if target.location is None:
            continue
        source = name.split(":", 2)[1]
        if rules.custodians.get(target.location, source) != source:
            continue
        word = str(target.extra or events.SELLABLE)
        state = _DISPOSITIONS[word.removesuffix(UNLINKED)]
        linked = not word.endswith(UNLINKED)
        places[target.location][source].append(
            _Report(
                target.occurred_at,
                name,
                target.quantity,
                target.location,
                state,
                linked,
            )
        )
    return sorted(
        report
        for sources in places.values()
        for report in _largest(sources, rules.preferred)
    )


def _largest(
    sources: Mapping[str, list[_Report]], preferred: tuple[str, ...]
) -> list[_Report]:
    def weight(source: str) -> tuple[int, int, str]:
        total = sum(report.quantity for report in sources[source])
        rank = preferred.index(source) if source in preferred else len(preferred)
        return (-total, rank, source)

    return sources[min(sources, key=weight)]


def _releases(facts: dict[str, list[tuple[str, Target]]]) -> list[_Report]:
    return [
        _Report(target.occurred_at, name, target.quantity, -1)
        for name, target in facts.get(events.RELEASED, ())
    ]


def _promise(
    sku: int,
    placed: Target,
    routes: list[tuple[str, Target]],
    ends: list[_Report],
) -> Iterator[tuple[Movement, int]]:
    """Commit what was placed, and let go of it again as it ships or is released.

    The promise sits where it was routed, what is not routed at the line's own place.
    What ended no later than it began is left out, so a till's order that is handed
    over in the same second writes no promise at all.
    """
    buckets = _buckets(placed, routes)
    began = placed.occurred_at
    kept = dict(buckets)
    later: list[tuple[Movement, int]] = []
    for end in sorted(ends):
        for place in _taken_first(kept, end.location, placed.location):
            quantity = min(kept[place], end.quantity)
            if quantity <= 0:
                continue
            kept[place] -= quantity
            end = end._replace(quantity=end.quantity - quantity)
            if end.occurred_at <= began:
                buckets[place] -= quantity
                continue
            at = end.occurred_at
            later.append(
                (
                    Movement(sku, states.COMMITTED, place, states.AVAILABLE, place, at),
                    quantity,
                )
            )
    for place, quantity in buckets.items():
        yield (
            Movement(sku, states.AVAILABLE, place, states.COMMITTED, place, began),
            quantity,
        )
    yield from later


def _buckets(placed: Target, routes: list[tuple[str, Target]]) -> dict[int, int]:
    left = placed.quantity
    buckets: dict[int, int] = defaultdict(int)
    for _, route in sorted(routes):
        if route.location is not None:
            quantity = min(left, max(0, route.quantity))
            buckets[route.location] += quantity
            left -= quantity
    if placed.location is not None:
        buckets[placed.location] += left
    return buckets


def _taken_first(buckets: dict[int, int], same: int, own: int | None) -> list[int]:
    return sorted(buckets, key=lambda place: (place != same, place != own, place))


# -- everything else ---------------------------------------------------------


def _within(
    sku: int, target: Target, from_state: str, to_state: str
) -> Iterator[tuple[Movement, int]]:
    place = target.location
    if place is not None and target.quantity > 0:
        at = target.occurred_at
        yield Movement(sku, from_state, place, to_state, place, at), target.quantity


def _received(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    disposition, _, fulfils = str(target.extra or "").partition("|")
    origin = states.INCOMING if fulfils else states.SUPPLIER
    arrives = _DISPOSITIONS[disposition or events.SELLABLE]
    return _within(sku, target, origin, arrives)


def _expected(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    return _within(sku, target, states.SUPPLIER, states.INCOMING)


def _transferred(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    if target.location is not None and isinstance(target.extra, int):
        yield (
            Movement(
                sku,
                states.AVAILABLE,
                target.location,
                states.INCOMING,
                target.extra,
                target.occurred_at,
            ),
            target.quantity,
        )


def _adjusted(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    other = _DISPOSITIONS[str(target.extra)] if target.extra else states.VARIANCE
    if target.quantity < 0:
        lost = target._replace(quantity=-target.quantity)
        return _within(sku, lost, states.AVAILABLE, other)
    return _within(sku, target, other, states.AVAILABLE)


def _inspected(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    judged = _DISPOSITIONS[str(target.extra or events.SELLABLE)]
    return _within(sku, target, states.INSPECTION, judged)


def _held(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    return _within(sku, target, states.AVAILABLE, states.RESERVED)


_SIMPLE = {
    events.RECEIVED: _received,
    events.EXPECTED: _expected,
    events.TRANSFERRED: _transferred,
    events.ADJUSTED: _adjusted,
    events.INSPECTED: _inspected,
    events.HELD: _held,
}

"""An order line: what its promise, shipments and returns call for.

Each shipment: available → customer. Returns, oldest first, count up to what was shipped;
what is left over never went out, so it acts as a release. What remains of the promise:
available → committed, where it was routed; until it is paid, where a channel waits for
that, → reserved (see `payment`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from app.domain import events, states
from app.domain.instants import Instant
from app.domain.payment import Phase, kept, phases
from app.domain.states import Movement
from app.domain.targets import DISPOSITIONS, UNLINKED, WITNESS, Rules, Target


class Report(NamedTuple):
    """A shipment or a return that somebody tells of, at one location."""

    occurred_at: Instant
    name: str
    quantity: int
    location: int
    state: str = states.AVAILABLE
    linked: bool = True


class Doubtful(NamedTuple):
    """Units that came back and that a person should look at, by location."""

    unlinked: Mapping[int, int]
    """They name no order."""
    surplus: Mapping[int, int]
    """They are more than was shipped, so they wait for the shipment."""


ORDER_KINDS: Final = {
    events.PLACED,
    events.RELEASED,
    events.WITHDRAWN,
    events.SHIPPED,
    events.RETURNED,
}


Facts: TypeAlias = dict[str, list[tuple[str, Target]]]
"""Kind → names and targets."""


def calls(sku: int, facts: Facts, rules: Rules) -> Iterator[tuple[Movement, int]]:
    placed = _placed(facts)
    leaves_from = _leaves_from(facts, rules)
    shipments = _shipments(facts, leaves_from, rules)
    for report in shipments:
        yield _move(sku, states.AVAILABLE, states.CUSTOMER, report), report.quantity
    never_left: list[Report] = []
    returns = _came_back(facts, shipments, rules) if events.RETURNED in facts else ()
    for report, counted in returns:
        yield _move(sku, states.CUSTOMER, report.state, report), counted
        never_left.append(report._replace(quantity=report.quantity - counted))
    for _, target in facts.get(events.WITHDRAWN, ()):
        place = target.location if target.location is not None else leaves_from
        if place is not None:
            report = Report(target.occurred_at, "", target.quantity, place)
            yield _move(sku, states.AVAILABLE, states.INSPECTION, report), report[2]
    if placed is not None and placed.quantity > 0 and placed.location is not None:
        ends = [*shipments, *never_left, *_releases(facts)]
        routes = facts.get(events.ROUTED, [])
        through = phases(_payment(facts), placed.occurred_at)
        yield from _promise(sku, placed, routes, ends, through)


def doubtful(facts: Facts, rules: Rules) -> Doubtful:
    """What came back in a way that the line alone does not explain."""
    unlinked: dict[int, int] = defaultdict(int)
    surplus: dict[int, int] = defaultdict(int)
    for report, counted in came_back(facts, rules):
        if not report.linked and counted:
            unlinked[report.location] += counted
        elif report.quantity > counted:
            surplus[report.location] += report.quantity - counted
    return Doubtful(unlinked, surplus)


def shipped(facts: Facts, rules: Rules) -> Iterator[tuple[int, int]]:
    """Where units were handed over, oldest first, and how many."""
    for report in _shipments(facts, _leaves_from(facts, rules), rules):
        yield report.location, report.quantity


def above(facts: Facts, rules: Rules, owner: str) -> dict[int, int]:
    """Units that others than its channel say left above what a line takes, by location."""
    found: dict[int, int] = defaultdict(int)
    placed = _placed(facts)
    if placed is None or events.is_by_hold(placed.version):
        return found
    left = placed.quantity - sum(report.quantity for report in _releases(facts))
    for report in _shipments(facts, _leaves_from(facts, rules), rules):
        if source_of(report.name) == owner:
            return {}
        surplus = report.quantity - max(0, left)
        left -= report.quantity
        if surplus > 0:
            found[report.location] += surplus
    return found


def assumed(facts: Facts, rules: Rules) -> dict[int, int]:
    """What left a location that neither the shipment nor the promise named."""
    found: dict[int, int] = defaultdict(int)
    is_known = _leaves_from(facts, replace(rules, ships_from=None)) is not None
    if is_known:
        return found
    unplaced = {
        name for name, one in facts.get(events.SHIPPED, ()) if one.location is None
    }
    for report in _shipments(facts, rules.ships_from, rules):
        if report.name in unplaced and report.quantity:
            found[report.location] += report.quantity
    return found


def _payment(facts: Facts) -> dict[str, Target]:
    return {kind: facts[kind][0][1] for kind in events.PAYMENT if kind in facts}


def came_back(facts: Facts, rules: Rules) -> Iterator[tuple[Report, int]]:
    """Each return that counts, oldest first, and how many of its units went out."""
    shipments = _shipments(facts, _leaves_from(facts, rules), rules)
    yield from _came_back(facts, shipments, rules)


def _placed(facts: Facts) -> Target | None:
    return facts[events.PLACED][0][1] if events.PLACED in facts else None


def _leaves_from(facts: Facts, rules: Rules) -> int | None:
    """Where the promise sits, or most of it; else the channel's usual place."""
    sits = [
        (-route.quantity, name, route.location)
        for name, route in facts.get(events.ROUTED, ())
        if route.location is not None
    ]
    placed = _placed(facts)
    if placed is not None and placed.location not in (None, rules.unassigned):
        left = placed.quantity + sum(less for less, *_ in sits)
        if left > 0 or not sits:
            sits.append((-left, "", placed.location))
    return min(sits)[2] if sits else rules.ships_from


def _move(sku: int, from_state: str, to_state: str, report: Report) -> Movement:
    place = report.location
    return Movement(sku, from_state, place, to_state, place, report.occurred_at)


def _shipments(facts: Facts, leaves_from: int | None, rules: Rules) -> list[Report]:
    """The shipments of the source that reports the most; authority breaks a tie."""
    sources: dict[str, list[Report]] = {}
    for name, target in facts.get(events.SHIPPED, ()):
        place = target.location if target.location is not None else leaves_from
        if place is not None:
            report = Report(target.occurred_at, name, target.quantity, place)
            sources.setdefault(name.split(":", 2)[1], []).append(report)
    return sorted(_largest(sources, rules.preferred)) if sources else []


def _came_back(
    facts: Facts, shipments: list[Report], rules: Rules
) -> Iterator[tuple[Report, int]]:
    """Each return that counts, oldest first, and how many of its units went out."""
    left = sum(report.quantity for report in shipments)
    for report in _returns(facts.get(events.RETURNED, []), rules):
        counted = min(report.quantity, left) if report.linked else report.quantity
        left -= counted if report.linked else 0
        yield report, counted


def _returns(facts: list[tuple[str, Target]], rules: Rules) -> list[Report]:
    """Per place the reports of one source, oldest first."""
    if not facts:
        return []
    places: dict[int, dict[str, list[Report]]] = defaultdict(lambda: defaultdict(list))
    for name, target in facts:
        if target.location is None:
            continue
        source, who = name.split(":", 2)[1], source_of(name)
        if rules.custodians.get(target.location, who) != who:
            continue
        word = str(target.extra or events.SELLABLE)
        state = DISPOSITIONS[word.removesuffix(UNLINKED)]
        linked = not word.endswith(UNLINKED)
        places[target.location][source].append(
            Report(
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
    sources: Mapping[str, list[Report]], preferred: tuple[str, ...]
) -> list[Report]:
    if len(sources) == 1:
        return next(iter(sources.values()))

    def weight(source: str) -> tuple[int, int, str]:
        total = sum(report.quantity for report in sources[source])
        who = source.partition(WITNESS)[0]
        rank = preferred.index(who) if who in preferred else len(preferred)
        return (-total, rank, source)

    return sources[min(sources, key=weight)]


def source_of(name: str) -> str:
    """Who reports this, whichever of its own systems it says it by."""
    return name.split(":", 2)[1].partition(WITNESS)[0]


def _releases(facts: Facts) -> list[Report]:
    return [
        Report(target.occurred_at, name, target.quantity, -1)
        for name, target in facts.get(events.RELEASED, ())
    ]


def _promise(
    sku: int,
    placed: Target,
    routes: list[tuple[str, Target]],
    ends: list[Report],
    through: list[Phase],
) -> Iterator[tuple[Movement, int]]:
    """Keep what was placed, and let go of it again as it ships or is released.

    The promise sits where it was routed, what is not routed at the line's own place.
    What ended no later than it began is left out, so a till's order that is handed
    over in the same second writes no promise at all.
    """
    buckets = _buckets(placed, routes)
    left = dict(buckets)
    ended: dict[int, list[tuple[Instant, int]]] = defaultdict(list)
    for end in sorted(ends):
        for place in _taken_first(left, end.location, placed.location):
            quantity = min(left[place], end.quantity)
            if quantity > 0:
                left[place] -= quantity
                end = end._replace(quantity=end.quantity - quantity)
                ended[place].append((end.occurred_at, quantity))
    for place, quantity in buckets.items():
        yield from kept(sku, place, quantity, ended.get(place, ()), through)


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

"""A case: the newest targets of one line, and the movements they call for.

An order line, a receipt line, an adjustment: each is a case. What it has done to stock
is a pure function of its newest targets, so a duplicate, a retry, another order of
arrival or a correction can only ever post the difference to what was posted before.
"""

from collections import defaultdict
from collections.abc import Iterator

from app.domain import events, order_line, states, way
from app.domain.kits import NO_PARTS, Parts, of_parts
from app.domain.states import Movement
from app.domain.targets import DISPOSITIONS, Movements, Rules, Target, Targets


def movements(
    sku_id: int, targets: Targets, rules: Rules, parts: Parts = NO_PARTS
) -> Movements:
    """All movements that these targets call for, together; quantities are > 0.

    A kit has `parts`: these move instead.
    """
    if events.IGNORED in targets:
        return {}
    wanted: Movements = {}
    for movement, quantity in _calls(sku_id, targets, rules):
        if quantity:
            wanted[movement] = wanted.get(movement, 0) + quantity
    if parts:
        wanted = of_parts(wanted, parts)
    for name, target in targets.items():
        if name.startswith(way.DEALT):
            wanted[way.moved(sku_id, name, target)] = target.quantity
    return wanted


def difference(wanted: Movements, posted: Movements) -> Movements:
    """What must be posted to get from `posted` to `wanted`.

    Less of a movement is the movement backwards at the same time.
    """
    if not posted:
        return wanted
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


def doubtful_returns(targets: Targets, rules: Rules) -> order_line.Doubtful:
    """What of these targets came back and is a person's to look at."""
    if events.IGNORED in targets:
        return order_line.Doubtful({}, {})
    return order_line.doubtful(_by_kind(targets), rules)


def assumed_shipments(targets: Targets, rules: Rules) -> dict[int, int]:
    """Units handed over from where it is only assumed that they left, by location."""
    if events.IGNORED in targets:
        return {}
    return order_line.assumed(_by_kind(targets), rules)


def surplus_shipments(targets: Targets, rules: Rules, owner: str) -> dict[int, int]:
    """Units that others than its channel say left above what a line takes, by location."""
    if events.IGNORED in targets:
        return {}
    return order_line.above(_by_kind(targets), rules, owner)


def handed_over(targets: Targets, rules: Rules) -> Iterator[tuple[int, int]]:
    """Where units were handed over, oldest first, and how many."""
    return order_line.shipped(_by_kind(targets), rules)


def _by_kind(targets: Targets) -> order_line.Facts:
    facts: order_line.Facts = {}
    for name, target in targets.items():
        facts.setdefault(name.partition(":")[0], []).append((name, target))
    return facts


def _calls(sku: int, targets: Targets, rules: Rules) -> Iterator[tuple[Movement, int]]:
    facts = _by_kind(targets)
    if not order_line.ORDER_KINDS.isdisjoint(facts):
        yield from order_line.calls(sku, facts, rules)
    if events.HELD in facts:
        yield from _held(sku, facts)
    for kind, told in facts.items():
        if kind in _SIMPLE:
            for target in _believed(told, facts.get(events.REVERSED)):
                yield from _SIMPLE[kind](sku, target)


def _believed(
    told: list[tuple[str, Target]], mistaken: list[tuple[str, Target]] | None
) -> list[Target]:
    """Without what was reversed; what its source says anew afterwards counts again."""
    targets = [target for _, target in told]
    if mistaken is None:
        return targets
    return [one for one in targets if one.version > mistaken[0][1].version]


def _within(
    sku: int, target: Target, from_state: str, to_state: str
) -> Iterator[tuple[Movement, int]]:
    place = target.location
    if place is not None and target.quantity > 0:
        at = target.occurred_at
        yield Movement(sku, from_state, place, to_state, place, at), target.quantity


def _received(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    if way.fulfilled(target) is None:
        word = str(target.extra or "").partition("|")[0]
        arrives = DISPOSITIONS[word or events.SELLABLE]
        yield from _within(sku, target, states.SUPPLIER, arrives)
    # What fulfils something that was on the way is dealt with all that was.


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
    other = DISPOSITIONS[str(target.extra)] if target.extra else states.VARIANCE
    if target.quantity < 0:
        lost = target._replace(quantity=-target.quantity)
        return _within(sku, lost, states.AVAILABLE, other)
    return _within(sku, target, other, states.AVAILABLE)


def _inspected(sku: int, target: Target) -> Iterator[tuple[Movement, int]]:
    judged = DISPOSITIONS[str(target.extra or events.SELLABLE)]
    return _within(sku, target, states.INSPECTION, judged)


def _held(sku: int, facts: order_line.Facts) -> Iterator[tuple[Movement, int]]:
    """Reserved from when it was claimed until it was let go of."""
    held = facts[events.HELD][0][1]
    yield from _within(sku, held, states.AVAILABLE, states.RESERVED)
    for _, end in facts.get(events.LET_GO, ()):
        units = min(end.quantity, held.quantity)
        ended = held._replace(quantity=units, occurred_at=end.occurred_at)
        yield from _within(sku, ended, states.RESERVED, states.AVAILABLE)


_SIMPLE = {
    events.RECEIVED: _received,
    events.EXPECTED: _expected,
    events.TRANSFERRED: _transferred,
    events.ADJUSTED: _adjusted,
    events.INSPECTED: _inspected,
}

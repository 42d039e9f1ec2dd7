"""A return: advised, then received at a location, then sellable, damaged or to be judged.

A refund, a label, a carrier's scan say that units come back; they move nothing. So does
a report from a location where only its custodian may say so.
"""

from collections import defaultdict
from typing import NamedTuple

from app.domain import events, states
from app.domain.instants import Instant
from app.domain.order_line import Facts, came_back, source_of
from app.domain.targets import Rules, Target, Targets

_STATES = (states.AVAILABLE, states.INSPECTION, states.DAMAGED)


class Return(NamedTuple):
    """How far the return of one line's units is."""

    advised: int
    """The most that any one kind of notice from one source speaks of."""
    received: int
    """Told to be at a location, by who may say so."""
    surplus: int
    """Of these, more than was shipped: they wait for the shipment."""
    unlinked: int
    """Of these, without an order."""
    sellable: int
    to_judge: int
    """Put aside to be inspected when they came."""
    damaged: int
    judged_at: int | None
    """Where they were put aside."""
    began_at: Instant
    """When the first of it was told to have happened."""


def progress(targets: Targets, rules: Rules) -> Return | None:
    """How far the return is that these targets speak of; None if there is none."""
    if events.IGNORED in targets:
        return None
    facts: Facts = {}
    for name, target in targets.items():
        facts.setdefault(name.partition(":")[0], []).append((name, target))
    notices = [
        (notice, target)
        for notice, target in _notices(facts, rules)
        if target.quantity > 0
    ]
    into, began = dict.fromkeys(_STATES, 0), [t.occurred_at for _, t in notices]
    surplus = unlinked = 0
    judged_at = None
    for report, counted in came_back(facts, rules):
        if report.quantity <= 0:
            continue
        began.append(report.occurred_at)
        surplus += report.quantity - counted
        unlinked += 0 if report.linked else counted
        into[report.state] = into.get(report.state, 0) + counted
        if report.state == states.INSPECTION:
            judged_at = report.location
    if not began:
        return None
    units: dict[tuple[str, str], int] = defaultdict(int)
    for notice, target in notices:
        units[notice] += target.quantity
    return Return(
        max(units.values(), default=0),
        sum(into.values()) + surplus,
        surplus,
        unlinked,
        into[states.AVAILABLE],
        into[states.INSPECTION],
        into[states.DAMAGED],
        judged_at,
        min(began),
    )


def _notices(facts: Facts, rules: Rules) -> list[tuple[tuple[str, str], Target]]:
    """What moves nothing: whose notice of which kind, and what it says."""
    found = [
        ((name.split(":", 2)[1], str(target.extra or "")), target)
        for name, target in facts.get(events.ADVISED, ())
    ]
    for name, target in facts.get(events.RETURNED, ()):
        who = source_of(name)
        if rules.custodians.get(target.location or 0, who) != who:
            source = name.split(":", 2)[1]
            found.append(((source, events.RETURNED), target))
    return found

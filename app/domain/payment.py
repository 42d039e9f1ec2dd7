"""Payment: what a promise is while its order is not paid, and what it becomes.

Where a channel's units are held until they are paid for, an order line is reserved from
when it was placed, for a while; from its payment on it is committed. When the while ends
first, its units are free until then.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from app.domain import events, states
from app.domain.instants import Instant
from app.domain.states import Movement
from app.domain.targets import Target, Targets


class Phase(NamedTuple):
    """In which state a promise keeps its units, from a time on."""

    state: str
    """Available: it keeps none."""
    since: Instant


def phases(targets: Targets, began: Instant) -> list[Phase]:
    """What the promise of a line is, from when it began; ordinarily just committed."""
    unpaid = targets.get(events.UNPAID)
    if unpaid is None or not isinstance(unpaid.extra, int):
        return [Phase(states.COMMITTED, began)]
    paid_at = _paid_at(targets, unpaid)
    if paid_at is not None and paid_at <= began:
        return [Phase(states.COMMITTED, began)]
    found = [Phase(states.RESERVED, began)]
    until = max(began, unpaid.extra)
    if has_lapsed(targets) and (paid_at is None or until < paid_at):
        found.append(Phase(states.AVAILABLE, until))
    if paid_at is not None:
        found.append(Phase(states.COMMITTED, paid_at))
    return found


def _paid_at(targets: Targets, unpaid: Target) -> Instant | None:
    """When it was paid, unless something newer says that it is not."""
    paid = targets.get(events.PAID)
    if paid is None or paid.version < unpaid.version:
        return None
    return paid.occurred_at


def is_paid(targets: Targets) -> bool:
    """Whether the newest word is that the order is paid, or nothing is said of it."""
    unpaid = targets.get(events.UNPAID)
    return unpaid is None or _paid_at(targets, unpaid) is not None


def has_lapsed(targets: Targets) -> bool:
    """Whether somebody has written down that the time to pay in is over."""
    unpaid, lapsed = targets.get(events.UNPAID), targets.get(events.LAPSED)
    if unpaid is None or lapsed is None or not isinstance(unpaid.extra, int):
        return False
    return lapsed.occurred_at >= unpaid.extra


def merged(kind: str, known: Target, told: Target) -> Target:
    """The newest word on a payment; of one payment, the earliest time it was told for."""
    newest = told if told.version > known.version else known
    if kind != events.PAID:
        return newest
    return newest._replace(occurred_at=min(known.occurred_at, told.occurred_at))


def kept(
    sku: int,
    place: int,
    units: int,
    ends: Iterable[tuple[Instant, int]],
    through: list[Phase],
) -> Iterator[tuple[Movement, int]]:
    """The movements of units promised at a place, through its phases.

    `ends` say when how many were handed over or let go of; what ended no later than the
    first phase began was never kept.
    """
    steps = [(at, 0, ended) for at, ended in ends]
    steps += [(phase.since, 1, number) for number, phase in enumerate(through)]
    state = states.AVAILABLE
    for at, is_phase, value in sorted(steps):
        then = through[value].state if is_phase else states.AVAILABLE
        moved = units if is_phase else value
        if moved and then != state:
            yield Movement(sku, state, place, then, place, at), moved
        if is_phase:
            state = then
        else:
            units -= value

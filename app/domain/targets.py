"""Targets: the newest word on each fact of a case, and the rules a case is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

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
    """The disposition, the other location of a transfer, what a receipt fulfils, or until
    when an order that is not paid keeps its units."""


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


DISPOSITIONS: Final = {
    events.SELLABLE: states.AVAILABLE,
    events.INSPECT: states.INSPECTION,
    events.DAMAGED: states.DAMAGED,
    events.SCRAP: states.SCRAP,
}
"""A disposition → the state it puts units into."""

BEGAN: Final = "began"
"""In a case of something on its way: when the first unit of its SKU was sent."""
WITNESS: Final = "/"
"""Behind a source's name: which of its own systems reports, as a source of its own."""
UNLINKED = "!"
"""Behind a return's disposition: it names no order, so no shipment limits it."""

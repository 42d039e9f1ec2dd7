"""Ignoring: tests, and orders that some other system copied into a channel.

The system that took a copied order tells of it itself; counted here as well, it would be
sold twice. The owner says how a copy is known: by a tag, its source, or its number. What
is told of a test besides, like its parcels, does not say that it is one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.domain.events import IGNORED, Normalised, Origin, StockEvent
from app.domain.instants import Instant

TAGS: Final = "tags"
SOURCES: Final = "sources"
ORDER_PREFIX: Final = "order_prefix"


@dataclass(frozen=True, slots=True)
class Ignore:
    """A channel's rules: what a copy is known by."""

    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """`tags`, `sources`, `order_prefix` → words."""
    since: Instant = 0
    """When they were last changed; 0 while there never were any."""


def without_copies(said: Normalised, rules: Ignore, at: Instant) -> Normalised:
    """What a message says; of a test or copied order only that it is one.

    Where there are or were rules it is also said of an order that it is no copy: other
    rules may have said so before. `at` is when the message came.
    """
    origin = said.origin
    if origin is None or not (rules.since or origin.is_test):
        return said
    why = _why(origin, rules.marks)
    versions = [event.version for event in said.events]
    versions += [order.version for order in said.orders]
    told = StockEvent(
        IGNORED,
        0 if why is None else 1,
        at,
        max(versions, default=at),
        order=origin.order,
        order_number=origin.number,
        fact=str(rules.since),
    )
    if why is None:
        return replace(said, events=(told, *said.events)) if versions else said
    reason = f"Order {origin.number or origin.order} is {why}."
    event = replace(told, reason=reason)
    return replace(
        said, events=(event,), orders=(), ignored=(reason,), bad=(), read=None
    )


def _why(origin: Origin, marks: Mapping[str, Sequence[str]]) -> str | None:
    if origin.is_test:
        return "a test: nothing was sold"
    mark = next(_marks(origin, marks), None)
    return mark and f"another system's copy: {mark}"


def _marks(origin: Origin, marks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    tags = {tag.casefold() for tag in origin.tags}
    for tag in marks.get(TAGS, ()):
        if tag.casefold() in tags:
            yield f"it has the tag {tag}"
    for source in marks.get(SOURCES, ()):
        if source.casefold() == (origin.source or "").casefold():
            yield f"its source is {source}"
    for prefix in marks.get(ORDER_PREFIX, ()):
        if origin.order.startswith(prefix) or (origin.number or "").startswith(prefix):
            yield f"its number begins with {prefix}"

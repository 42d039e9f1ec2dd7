"""Levels: numbers of its own that a channel says it changed, a page of them at a time.

They are asked for in case a webhook got lost, and mean what its webhook would have: an
observation, dated by the channel's own clock.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from adapters.shapes import Each, Name, Part, Time, Units, load
from app.domain.events import OBSERVED, Normalised, StockEvent
from app.domain.instants import Instant, iso

READ_LEVELS: Final = "levels read"
"""Our own topic: numbers that we read, not a webhook."""


class Level(NamedTuple):
    """What one item shows at one of the channel's locations."""

    external_id: str
    place: str
    available: int
    changed_at: Instant


class _Row(Part):
    item = Name(required=True)
    place = Name(required=True)
    available = Units(required=True, signed=True)
    changed_at = Time(required=True)


class _Page(Part):
    levels = Each(_Row)


_PAGE = _Page()


def document(levels: Iterable[Level]) -> dict[str, Any]:
    """Levels as they are stored."""
    rows = [
        {
            "item": one.external_id,
            "place": one.place,
            "available": one.available,
            "changed_at": iso(one.changed_at),
        }
        for one in levels
    ]
    return {"levels": rows}


def observed(stored: Any) -> Normalised:
    """What stored levels say."""
    return Normalised(
        events=tuple(
            StockEvent(
                OBSERVED,
                row["available"],
                row["changed_at"],
                row["changed_at"],
                external_id=row["item"],
                place=row["place"],
            )
            for row in load(_PAGE, stored)["levels"]
        )
    )

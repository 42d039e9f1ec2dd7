"""A delivery as people see it: what the channel shows, what it should show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.pipeline.publishing import desired
from app.pipeline.publishing.exposing import shows
from app.store.publishing import deliveries
from app.web.pages import words
from app.web.pages.words import Word


@dataclass(frozen=True, slots=True)
class Delivery:
    """One publication with both its numbers."""

    row: RowMapping
    shows: int | None
    """What the channel shows as far as we know; None: we were never told."""
    should: int
    place: str | None
    """Our codes of the locations behind the channel's own place, if it has any."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self.row[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def excess(self) -> int:
        """Units offered there that are not to be sold: the risk of an oversell."""
        return max(0, self.shows - self.should) if self.shows is not None else 0

    @property
    def word(self) -> Word:
        """The state in words."""
        return words.DELIVERY[self.row["state"]]

    @property
    def problem(self) -> str:
        """Why it is not delivered, in one sentence; empty when nothing went wrong."""
        return words.problem(self.row)


def read(
    connection: Connection, found: Sequence[RowMapping], now: Instant
) -> list[Delivery]:
    """Add what should be shown, and where, to rows of publications."""
    numbers = desired.numbers(connection, found, now=now)
    places = deliveries.places(connection)
    return [
        Delivery(
            row,
            shows(row),
            numbers[row["id"]],
            places.get((row["channel_id"], row["place"])),
        )
        for row in found
    ]


def excess(found: Iterable[Delivery]) -> int:
    """Units that these channels offer too many."""
    return sum(one.excess for one in found)

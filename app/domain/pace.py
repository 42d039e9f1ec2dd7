"""Pace: how fast a channel sells a SKU, and when it sells a unit that is not there."""

from typing import Final

from app.domain.instants import DAY, Instant

WINDOW: Final = 7 * DAY
"""Sales are looked at over this long."""


def per_day(units: int) -> float:
    """Units a day, of units sold within the window; what was taken back counts less."""
    return max(0, units) * DAY / WINDOW


def until_oversold(should: int, pace: float) -> Instant | None:
    """How long until more is sold than may be, at this many units a day.

    None when nothing is sold there: then nobody can say.
    """
    if pace <= 0:
        return None
    return int((max(0, should) + 1) / pace * DAY)

"""Charts as the templates draw them: plain SVG, no script. Coordinates in its units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.instants import Instant

SPARK: Final = (96, 18)
"""Width and height of a sparkline."""
BARS: Final = 24
"""At most so many bars in a histogram."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, standing on the bottom line."""

    x: float
    y: float
    width: float
    height: float
    is_bad: bool = False


def spark(hours: Sequence[tuple[int, int]]) -> list[Bar]:
    """Bars for what was delivered in each hour; an hour with failures is marked."""
    width, height = SPARK
    highest = max((done + failed for done, failed in hours), default=0)
    if not highest:
        return []
    step = width / len(hours)
    bars = []
    for place, (done, failed) in enumerate(hours):
        if done or failed:
            tall = max(1.5, (done + failed) / highest * height)
            x = round(place * step, 2)
            bars.append(
                Bar(
                    x,
                    round(height - tall, 2),
                    round(step - 1, 2),
                    round(tall, 2),
                    failed > 0,
                )
            )
    return bars


@dataclass(frozen=True, slots=True)
class Stretch:
    """A bar of a histogram: so many rows between two moments."""

    since: Instant
    until: Instant
    rows: int
    share: float
    """Of the longest bar, from 0 to 1."""


def histogram(unit: Instant, rows: Mapping[Instant, int]) -> list[Stretch]:
    """At most 24 stretches of the same length, those without a row among them."""
    if not rows:
        return []
    first, last = min(rows), max(rows) + unit
    units = -(-(last - first) // unit)
    wide = -(-units // BARS) * unit
    sums = [0] * -(-(last - first) // wide)
    for begin, count in rows.items():
        sums[(begin - first) // wide] += count
    highest = max(sums)
    return [
        Stretch(first + n * wide, first + (n + 1) * wide, count, count / highest)
        for n, count in enumerate(sums)
    ]


LINE: Final = (600, 110)
"""Width and height of a line chart."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Two numbers over some days: as they were at the end of each, the last one now."""

    days: Sequence[Instant]
    available: Sequence[int]
    on_hand: Sequence[int] = ()
    """Of a kit there is none."""

    @property
    def highest(self) -> int:
        """The top of the chart."""
        return max(1, *self.available, *self.on_hand)

    @property
    def lowest(self) -> int:
        """The bottom of the chart: 0 unless something was below."""
        return min(0, *self.available, *self.on_hand)

    def path(self, numbers: Sequence[int]) -> str:
        """Steps as an SVG path draws them."""
        width, _ = LINE
        step = width / len(numbers)
        parts = [f"M0 {self.y(numbers[0])}"]
        for place, value in enumerate(numbers):
            parts.append(f"V{self.y(value)}H{round((place + 1) * step, 1)}")
        return "".join(parts)

    def y(self, value: int) -> float:
        """How far below the top a number is drawn."""
        _, height = LINE
        part = (self.highest - value) / (self.highest - self.lowest)
        return round(3 + part * (height - 6), 1)

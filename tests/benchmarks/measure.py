"""What is measured, as a ratio inside one run: a busy machine slows both sides."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One target and what was measured."""

    name: str
    must: float
    measured: float | None
    """None: there was nothing to measure against; `detail` says why."""
    detail: str
    at_most: bool = False
    """A limit from above; otherwise more is better."""

    @property
    def met(self) -> bool:
        """Whether it is as it must be, as far as it was measured."""
        if self.measured is None:
            return True
        if self.at_most:
            return self.measured <= self.must
        return self.measured >= self.must


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Measure seconds; the yielded function tells them, until now or the end."""
    began = time.perf_counter()
    ended: list[float] = []
    yield lambda: (ended[0] if ended else time.perf_counter()) - began
    ended.append(time.perf_counter())


def interleaved(rounds: int, *sides: Callable[[], float]) -> list[list[float]]:
    """Run the sides in turn, round after round; return each side's figures."""
    figures: list[list[float]] = [[] for _ in sides]
    for number in range(rounds):
        order = range(len(sides)) if number % 2 == 0 else range(len(sides))[::-1]
        for side in order:
            figures[side].append(sides[side]())
    return figures


median = statistics.median


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios of each round."""
    return median(a / b for a, b in zip(over, under, strict=True))


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which this part of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

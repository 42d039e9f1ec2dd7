"""A channel shows another number than we believed: what may be done about it.

Most likely it is a sale whose webhook is on its way, and ours would sell that unit a
second time. So its orders are read and applied; what they explain is believed. Until
then nothing above the smaller of the two numbers is published.
"""

from collections.abc import Collection
from typing import Final

from app.domain.instants import SECOND, Instant

EXPLAINED: Final = "explained"
SETTLED: Final = "settled"
OPEN: Final = "open"

ROUNDS: Final = 5
"""Looks at a number that keeps moving before a person is asked; what explains it later
ends the question."""
SETTLE: Final[Instant] = 10 * SECOND
"""How long the channel's orders are read again for a number that stays as it is: they
can be found a few seconds after they change the number. Then somebody edited it."""


def judge(
    reading: int,
    expected: Collection[int],
    previous: Collection[int | None],
    doubt_since: Instant,
    now: Instant,
) -> str:
    """What a reading is, once the channel's orders were read past it and applied.

    `expected` are the numbers that what we know would lead to: several, when nobody
    knows whether our last write arrived. `previous` is the reading before, as it was
    and less what was sold since: then what nobody can explain stays the same.
    """
    if reading in expected:
        return EXPLAINED
    if reading in previous and now - doubt_since >= SETTLE:
        return SETTLED
    return OPEN


def next_look(misses: int, now: Instant) -> Instant:
    """When a number that is not explained is looked at again."""
    return now + SECOND * (1 << min(max(misses - 1, 0), 6))

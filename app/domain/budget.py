"""A channel's call budget, as the provider's own headers or cost fields tell it.

Two kinds: a bucket that fills all the time (Shopify's points), and a window that is
whole again at one moment (so many calls a minute). Pure; the numbers come from an
adapter.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Final, Self

from app.domain.instants import MINUTE, SECOND, Instant

FIRST: Final = "first"
RETRY: Final = "retry"
BULK: Final = "bulk"
LANES: Final = (FIRST, RETRY, BULK)
"""What is told for the first time; what failed or waited; what a person set off."""

_LEFT_ALONE: Final = {FIRST: 0.05, RETRY: 0.25, BULK: 0.5}
"""The share of the budget that a lane never spends: it is for what is more urgent, and
the last of it for reading orders and for the retailer's other programs."""

_LONGEST: Final = 120.0
_WINDOW: Final = 60.0
"""Seconds of the windows that providers count calls in."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What was left when the provider last said so, in its own unit (calls, points)."""

    left: float
    size: float
    read_at: Instant
    rate: float = 0.0
    """Units that come back each second; 0 for a window."""
    resets_at: Instant | None = None
    """When a window is whole again."""
    cost: float = 1.0
    """What the last call took."""

    def at(self, now: Instant) -> float:
        """What is left now, when nobody else spent any.

        All of it, where our clock was set back since: the next answer tells.
        """
        if now < self.read_at - MINUTE:
            return self.size
        if self.resets_at is not None and now >= self.resets_at:
            return self.size
        passed = max(0, now - self.read_at) / SECOND
        return min(self.size, self.left + passed * self.rate)

    def wait(self, lane: str, now: Instant) -> float:
        """Seconds until a lane may make one more call; 0 when it may now."""
        needed = min(self.size, self.size * _LEFT_ALONE[lane] + self.cost)
        missing = needed - self.at(now)
        if missing <= 0:
            return 0.0
        if self.rate > 0:
            return min(_LONGEST, missing / self.rate)
        if self.resets_at is not None:
            return min(_LONGEST, (self.resets_at - now) / SECOND)
        return 0.0

    def span(self, calls: int, lane: str, now: Instant) -> float:
        """Seconds until a lane has made so many calls, when nobody else spends any."""
        spendable = self.size * (1 - _LEFT_ALONE[lane])
        left = self.at(now) - self.size * _LEFT_ALONE[lane]
        cost = max(self.cost, 1e-9)
        missing = calls - max(0, int(left / cost))
        if missing <= 0:
            return 0.0
        if self.rate > 0:
            return missing * cost / self.rate
        windows = math.ceil(missing / max(1, int(spendable / cost)))
        return windows * _WINDOW

    def written(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """As it was stored."""
        return None if not text else cls(**json.loads(text))


def newest(*told: Budget | None) -> Budget | None:
    """The one that was told last."""
    known = [one for one in told if one is not None]
    return max(known, key=lambda one: one.read_at, default=None)

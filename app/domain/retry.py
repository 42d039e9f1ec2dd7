"""When to try again: the one place where a delay is chosen.

Exponential with full jitter, so that ten thousand failures do not return together
(https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/),
never before the time the channel asked for, and not at once after a 429 or a silence.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.errors import RetryLater
from app.domain.instants import SECOND, Instant


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds and tries; from the settings."""

    base: float = 2.0
    cap: float = 900.0
    limit: int = 12
    floor_after_429: float = 1.0


@dataclass(frozen=True, slots=True)
class Delay:
    """The next try, and why it is then."""

    seconds: float
    reason: str

    def after(self, now: Instant) -> Instant:
        """The time of the next try."""
        return now + int(self.seconds * SECOND)


def delay(
    attempts: int, error: RetryLater, policy: Policy, random: Callable[[], float]
) -> Delay:
    """How long to wait after the `attempts`-th failure (1 is the first).

    `random` returns numbers from 0 to 1.
    """
    ceiling = min(policy.cap, policy.base * 2 ** min(attempts - 1, 30))
    seconds = ceiling * random()
    reason = f"attempt {attempts} failed; up to {ceiling:g} s, jittered"
    if error.status == 429 or error.timed_out:
        floor = min(policy.cap, policy.floor_after_429 + policy.base)
        seconds = max(seconds, floor * (0.5 + random() / 2))
    if error.after is not None and error.after >= seconds:
        return Delay(error.after + random() * 0.25, "the channel asked to wait")
    return Delay(seconds, reason)

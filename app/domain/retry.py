"""When to try again: the one place where a delay is chosen, and the reason for it.

Exponential with full jitter, so that ten thousand failures do not return together
(https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/),
never before the time the provider asked for, and not at once after a 429 or a silence.
The same rules say what a status means, and how long a channel in trouble is held.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from app.domain.errors import ChannelError, CredentialsRefused, RetryLater
from app.domain.instants import SECOND, Instant

Random = Callable[[], float]
"""Returns numbers from 0 to 1."""

LATER: Final = "later"
NEVER: Final = "never"
CREDENTIALS: Final = "credentials"

_RULES: Final = {
    401: CREDENTIALS,
    403: CREDENTIALS,
    408: LATER,
    425: LATER,
    429: LATER,
}
_MAYBE_DONE: Final = (408,)
"""Besides 5xx: the call may have had its effect all the same."""


def rule(status: int, retried: Collection[int] = ()) -> str:
    """What a refusal's status means: LATER, NEVER or CREDENTIALS.

    `retried` are further statuses that mean "later" with one provider. Whatever is not
    named here is a refusal for good: 404, 410 and 422 will not change by asking again.
    """
    if status in retried or status >= 500:
        return LATER
    return _RULES.get(status, NEVER)


def is_maybe_done(status: int) -> bool:
    """Whether a call that was answered so may have had its effect all the same."""
    return status >= 500 or status in _MAYBE_DONE


RATE_LIMITED: Final = "rate_limited"
TIMED_OUT: Final = "timed_out"
UNREACHABLE: Final = "unreachable"
UNAVAILABLE: Final = "unavailable"
REFUSED: Final = "refused"
CLASSES: Final = (
    RATE_LIMITED,
    TIMED_OUT,
    UNREACHABLE,
    UNAVAILABLE,
    CREDENTIALS,
    REFUSED,
)


def class_of(error: ChannelError) -> str:
    """Which of CLASSES an error belongs to; it is counted under that word."""
    if isinstance(error, CredentialsRefused):
        return CREDENTIALS
    if not isinstance(error, RetryLater):
        return REFUSED
    if error.timed_out:
        return TIMED_OUT
    if error.status is None:
        return UNREACHABLE
    return RATE_LIMITED if is_rate_limit(error) else UNAVAILABLE


def is_rate_limit(error: RetryLater) -> bool:
    """Whether the channel works and only wants fewer calls."""
    return error.status in (429, 430) or (error.status == 200 and bool(error.after))


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds and tries; from the settings."""

    base: float = 2.0
    cap: float = 900.0
    limit: int = 12
    floor: float = 5.0
    """The shortest wait after a 429 or a silence."""
    trip: int = 5
    """Calls that fail in a row before the channel is held."""
    hold: float = 30.0
    """The first hold; each probe that fails doubles it."""
    hold_cap: float = 300.0


@dataclass(frozen=True, slots=True)
class Delay:
    """The next try, and why it is then."""

    seconds: float
    reason: str

    def after(self, now: Instant) -> Instant:
        """The time of the next try."""
        return now + int(self.seconds * SECOND)


def delay(attempts: int, error: RetryLater, policy: Policy, random: Random) -> Delay:
    """How long to wait after the `attempts`-th failure (1 is the first)."""
    ceiling = min(policy.cap, policy.base * 2 ** min(attempts - 1, 30))
    seconds = ceiling * random()
    reason = f"{_nth(attempts)} failure, random up to {_told(ceiling)}"
    floor = min(policy.cap, policy.floor)
    asked = error.after or None  # "in 0 s" asks for nothing
    if asked is not None and asked >= seconds:
        return Delay(asked + random() * 0.25, f"the provider asked for {_told(asked)}")
    if asked is not None:
        return Delay(seconds, f"{reason}; the provider asked for {_told(asked)}")
    if error.timed_out or is_rate_limit(error):
        after = "a timeout" if error.timed_out else f"a {error.status}"
        # Full jitter above the floor as well, or all of them return at the floor.
        seconds = max(seconds, floor + random() * min(ceiling, floor) / 2)
        reason += f", at least {_told(floor)} after {after}"
    return Delay(seconds, reason)


def hold(probes: int, error: RetryLater, policy: Policy, random: Random) -> Delay:
    """How long a channel is held after `probes` probes that failed (0: it just tripped).

    A tenth of jitter: several channels of one provider must not return together.
    """
    longest = min(policy.hold_cap, policy.hold * 2 ** min(probes, 30))
    seconds = longest * (0.9 + random() / 10)
    if error.after is not None and error.after > seconds:
        return Delay(
            error.after + random() * 0.25, f"it asked for {_told(error.after)}"
        )
    return Delay(seconds, f"tried again about every {_told(longest)}")


def _nth(count: int) -> str:
    if count % 100 in (11, 12, 13):
        return f"{count}th"
    return f"{count}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th') }"


def _told(seconds: float) -> str:
    """Seconds as people read them: to the tenth below ten."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"

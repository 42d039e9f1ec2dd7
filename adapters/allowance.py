"""What a provider's headers tell: how many calls are left, when to come back, its time.

The forms that are about: `X-Rate-Limit-*` (ShipStation V1), `X-RateLimit-*` and
`RateLimit-*` (most others, and the IETF's older drafts), with a reset in seconds or as
a Unix time; and `RateLimit: "default";r=50;t=30` of the newer drafts.
https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

import email.utils
import math
import re
import time
from collections.abc import Mapping
from datetime import UTC

from app.domain.budget import Budget
from app.domain.instants import SECOND, Instant, from_datetime

_PREFIXES = ("x-rate-limit-", "x-ratelimit-", "ratelimit-")
_LEFT = re.compile(r";\s*r=(\d+)")
_RESET = re.compile(r";\s*t=(\d+)")
_SIZE = re.compile(r";\s*q=(\d+)")
_LONGEST_DELAY = 24 * 3600.0
_A_LONG_TIME = 1_000_000_000
"""A reset of more seconds than this is a Unix time."""


def allowance(headers: Mapping[str, str], now: Instant) -> Budget | None:
    """The budget these headers tell; None when they tell none. Names in lower case."""
    for prefix in _PREFIXES:
        left = _number(headers.get(f"{prefix}remaining"))
        size = _number(headers.get(f"{prefix}limit"))
        if left is not None and size:
            return _window(left, size, _number(headers.get(f"{prefix}reset")), now)
    if newer := headers.get("ratelimit"):
        return _of_draft(newer, headers.get("ratelimit-policy") or "", now)
    return None


def _of_draft(told: str, policy: str, now: Instant) -> Budget | None:
    left, reset = _LEFT.search(told), _RESET.search(told)
    size = _SIZE.search(policy) or _SIZE.search(told)
    if left is None or size is None:
        return None
    seconds = float(reset[1]) if reset else None
    return _window(float(left[1]), float(size[1]), seconds, now)


def _window(left: float, size: float, reset: float | None, now: Instant) -> Budget:
    if reset is None:
        # Nobody says when it is whole again: a minute, as with most of them.
        reset = 60.0
    if reset > _A_LONG_TIME:
        return Budget(left, size, now, resets_at=int(reset * SECOND))
    return Budget(left, size, now, resets_at=now + int(reset * SECOND))


def _number(text: str | None) -> float | None:
    """A plain number; some write several windows, `100, 100;w=60`: the first counts."""
    try:
        number = float((text or "").split(",")[0].split(";")[0])
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, given as seconds or as an HTTP date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        moment = date(value)
        if moment is None:
            return None
        seconds = moment / SECOND - time.time()
    if math.isnan(seconds):
        return None
    return min(max(0.0, seconds), _LONGEST_DELAY)


def date(value: str | None) -> Instant | None:
    """The time that an HTTP date says; None when it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    # A date without a zone is GMT: RFC 9110 knows no other.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return from_datetime(moment)

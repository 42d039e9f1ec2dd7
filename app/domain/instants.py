"""Times as whole microseconds since 1970 UTC, and the two ways across the border.

One integer orders exactly, compares the same on SQLite and PostgreSQL, and has no
time zone to lose. Text appears only where people or providers read it.
"""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Instant: TypeAlias = int
"""Microseconds since 1970-01-01T00:00:00Z."""

SECOND: Instant = 1_000_000
MINUTE: Instant = 60 * SECOND
HOUR: Instant = 60 * MINUTE
DAY: Instant = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> Instant:
    """Read the machine's clock."""
    return from_datetime(datetime.now(UTC))


def from_datetime(moment: datetime) -> Instant:
    """Turn an aware datetime into an instant; raise ValueError if it is naive."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} names no time zone; add Z or +hh:mm")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """Turn an instant into an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=instant)


def parse(text: str) -> Instant:
    """Read an ISO 8601 time with a zone; raise ValueError in words otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} is not a time like 2026-11-23T10:00:00Z") from None
    return from_datetime(moment)


def iso(instant: Instant) -> str:
    """Write an instant as ISO 8601 UTC, with microseconds only where there are any."""
    return to_datetime(instant).isoformat().replace("+00:00", "Z")

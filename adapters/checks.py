"""Single fields of a payload, checked by hand: for the busiest way in.

Whole units, times as instants, ids as text; whatever does not fit is MalformedPayload
with the way to it, what is wrong there and what would be right.
"""

import json
from collections.abc import Mapping
from typing import Any

from adapters.http import scrub
from app.domain import instants
from app.domain.errors import MalformedPayload
from app.domain.instants import Instant

LARGEST = 2**31 - 1
"""No shop has more of anything, and the database would refuse it."""

_LARGEST_VERSION = 2**63 - 1
_LONGEST = 200
_OLDEST = instants.parse("2000-01-01T00:00:00Z")


def name(part: Mapping[str, Any], field: str, at: str = "") -> str | None:
    """An id, a code or a place: text, or a whole number as some tills write it."""
    given = part.get(field)
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str) or not given.strip() or len(given) > _LONGEST:
        where = f"{at}.{field}" if at else field
        raise MalformedPayload(
            f"{where}: {shown(given)} is not a text of 1 to {_LONGEST} characters"
        )
    return given


def quantity(part: Mapping[str, Any], at: str, lowest: int = 0) -> int:
    """The field `quantity`: a whole number of units, not less than `lowest`."""
    given = part.get("quantity")
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise MalformedPayload(
            f"{at}.quantity: {shown(given)} is not a whole number of units, like 1"
        )
    if not lowest <= given <= LARGEST:
        raise MalformedPayload(
            f"{at}.quantity: {shown(given)} is not between {lowest} and {LARGEST}"
        )
    return given


def instant(part: Mapping[str, Any], field: str) -> Instant:
    """A time that says its zone and comes from a clock that was set."""
    given = part.get(field)
    if given is None:
        raise MalformedPayload(f"{field}: missing; say when, like 2026-11-23T10:00:00Z")
    try:
        # Anything but text is refused by the parser as well.
        found = instants.parse(given)
    except (ValueError, OverflowError) as error:
        raise MalformedPayload(
            f"{field}: {shown(given)} is not a time with its zone, "
            "like 2026-11-23T10:00:00Z"
        ) from error
    if found < _OLDEST:
        raise MalformedPayload(
            f"{field}: {shown(given)} is before 2000; is the sender's clock set?"
        )
    return found


def time_or_none(given: Any) -> Instant | None:
    """A time that is only worth something where it is one."""
    try:
        return instants.parse(given)
    except (ValueError, OverflowError):
        return None


def version(part: Mapping[str, Any], otherwise: int) -> int:
    """The field `version`: a whole number as given, or a time in microseconds."""
    given = part.get("version")
    if given is None:
        return otherwise
    if isinstance(given, str):
        return instant(part, "version")
    if isinstance(given, bool) or not isinstance(given, int):
        raise MalformedPayload(
            f"version: {shown(given)} is neither a whole number nor a time"
        )
    if not 0 <= given <= _LARGEST_VERSION:
        raise MalformedPayload(f"version: {shown(given)} is not between 0 and 2^63 - 1")
    return given


def shown(value: Any) -> str:
    """A value as an error may quote it: short, and nobody's address in it."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= 60 else text[:57] + "…"
    return scrub(text) if isinstance(value, str) else text

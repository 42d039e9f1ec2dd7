"""What the API's words and numbers look like, in and out."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from app.domain import instants

MOST_UNITS: Final = 10**9
LARGEST_ID: Final = 2**63 - 1
LONGEST_WORD: Final = 200
_EARLIEST = 0
_LATEST = instants.parse("9000-01-01T00:00:00Z")
_SKEW = 5 * instants.MINUTE


class Word(fields.String):
    """Text that both databases can hold: no NUL, nothing that is not Unicode."""

    def __init__(
        self, *, shortest: int = 1, longest: int = LONGEST_WORD, **kwargs: Any
    ) -> None:
        length = validate.Length(min=shortest, max=longest)
        super().__init__(validate=length, **kwargs)

    def _deserialize(
        self,
        value: Any,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,
    ) -> str:
        word = str(super()._deserialize(value, attr, data, **kwargs))
        if not storable(word):
            raise ValidationError("holds characters that cannot be stored")
        return word


def storable(word: str) -> bool:
    """Whether both databases can hold this text."""
    return "\0" not in word and not any(0xD800 <= ord(c) <= 0xDFFF for c in word)


class Moment(fields.String):
    """A time with a zone; microseconds since 1970 inside."""

    def __init__(self, *, past: bool = False, **kwargs: Any) -> None:
        metadata = {"format": "date-time", **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)
        self._past = past

    def _deserialize(
        self,
        value: Any,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,
    ) -> Any:
        written = str(super()._deserialize(value, attr, data, **kwargs))
        # In an address an unescaped "+" of a zone arrives as a space.
        try:
            instant = instants.parse(written.replace(" ", "+"))
        except (ValueError, OverflowError) as error:
            raise ValidationError(str(error)) from error
        if not _EARLIEST <= instant < _LATEST:
            raise ValidationError("must be between 1970 and 9000")
        if self._past and instant > instants.now() + _SKEW:
            raise ValidationError("lies in the future; nothing has happened there yet")
        return instant

    def _serialize(
        self, value: Any, attr: str | None, obj: Any, **kwargs: Any
    ) -> str | None:
        return None if value is None else instants.iso(value)


class Statuses(fields.String):
    """HTTP statuses: `503`, `500-599` or `5xx`; the lowest and the highest inside."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": STATUSES, **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(
        self,
        value: Any,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,
    ) -> Any:
        found = statuses(str(super()._deserialize(value, attr, data, **kwargs)))
        if found is None:
            raise ValidationError("write it as 503, 500-599 or 5xx")
        return found

    def _serialize(
        self, value: Any, attr: str | None, obj: Any, **kwargs: Any
    ) -> str | None:
        return None if value is None else written_statuses(value)


STATUSES: Final = "^([1-9][0-9][0-9](-[1-9][0-9][0-9])?|[1-9]xx)$"


def statuses(text: str) -> tuple[int, int] | None:
    """The lowest and the highest HTTP status meant by a text; None when it is none."""
    if re.fullmatch(STATUSES, text) is None:
        return None
    first, _, last = text.replace("xx", "00-").partition("-")
    low = int(first)
    high = int(last) if last else low + 99 * text.endswith("xx")
    return min(low, high), max(low, high)


def written_statuses(told: tuple[int, int]) -> str:
    """The same as a text."""
    low, high = told
    return str(low) if low == high else f"{low}-{high}"


def _whole(lowest: int) -> Callable[..., fields.Integer]:
    def make(**kwargs: Any) -> fields.Integer:
        bounds = validate.Range(min=lowest, max=MOST_UNITS)
        return fields.Integer(strict=True, validate=bounds, **kwargs)

    return make


units = _whole(1)
"""A whole number of units that move."""
count = _whole(0)
"""A whole number of units that are there."""
change = _whole(-MOST_UNITS)
"""A signed whole number of units."""


def number(**kwargs: Any) -> fields.Integer:
    """A whole number going out."""
    return fields.Integer(strict=True, **kwargs)


def one_of(*words: str, **kwargs: Any) -> fields.String:
    """One of a closed set of words."""
    return fields.String(validate=validate.OneOf(words), **kwargs)

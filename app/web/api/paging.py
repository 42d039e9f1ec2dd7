"""Lists: `{"items": […], "next": cursor}`, by key, so every page costs the same.

A cursor says where the last page ended. It is opaque and belongs to its list.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from marshmallow import EXCLUDE, Schema, fields, pre_load, validate

from app.web.api.fields import LARGEST_ID, Word, storable
from app.web.problems import refused_field

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000

Row = TypeVar("Row")


class PageQuery(Schema):
    """What every list takes."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(min=1, max=LARGEST_LIMIT),
        metadata={"description": "How many items at most."},
    )
    cursor = Word(
        longest=4096,
        metadata={"description": "The `next` of the page before."},
    )

    @pre_load
    def next_is_the_cursor(self, data: Any, **_: Any) -> Any:
        """Take `?next=` too: it is what the answer calls it."""
        return {"cursor": data["next"], **data} if "next" in data else data


def paged(name: str, item: type[Schema]) -> type[Schema]:
    """The schema of a page of items."""
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(
                required=True,
                allow_none=True,
                metadata={"description": "The cursor of the next page, or null."},
            ),
        },
        name=name,
    )


def page_of(
    rows: Sequence[Row], limit: int, position: Callable[[Row], Any]
) -> dict[str, Any]:
    """A page of `limit` rows out of up to `limit + 1` that were read."""
    items = list(rows[:limit])
    more = len(rows) > limit
    return {"items": items, "next": write_cursor(position(items[-1])) if more else None}


def write_cursor(position: Any) -> str:
    """Make a position opaque."""
    written = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def id_cursor(query: dict[str, Any]) -> int | None:
    """The id at which the last page ended."""
    position = _read(query)
    if position is None:
        return None
    _check(_is_number(position))
    return int(position)


def word_cursor(query: dict[str, Any]) -> str | None:
    """The word at which the last page ended."""
    position = _read(query)
    if position is None:
        return None
    _check(isinstance(position, str) and storable(position))
    return str(position)


def moment_cursor(query: dict[str, Any]) -> tuple[int, int] | None:
    """The time and id at which the last page ended."""
    position = _read(query)
    if position is None:
        return None
    _check(
        isinstance(position, list)
        and len(position) == 2
        and all(_is_number(one) for one in position)
    )
    return position[0], position[1]


def _is_number(told: Any) -> bool:
    return type(told) is int and 0 <= told <= LARGEST_ID


def _read(query: dict[str, Any]) -> Any:
    cursor = query.get("cursor")
    if cursor is None:
        return None
    try:
        padded = str(cursor).encode("ascii") + b"=" * (-len(str(cursor)) % 4)
        return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        raise _no_cursor() from None


def _check(is_right: bool) -> None:
    if not is_right:
        raise _no_cursor()


def _no_cursor() -> Exception:
    return refused_field("cursor", "take `next` of the page before, unchanged")

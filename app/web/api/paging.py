"""Lists: `{"items": […], "next": cursor}`, read on by `app.store.keyset`.

A cursor says where the last page ended. It is opaque, belongs to its list, and is the
same in the answers of the API and in the addresses of the pages.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields, pre_load, validate

from app.domain.errors import NoSuchPage
from app.store.keyset import Page, Position
from app.web.api.fields import LARGEST_ID, Word, storable

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000


class Cursor(Word):
    """The `next` of a page; the position it stands for inside."""

    def _deserialize(
        self,
        value: Any,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,
    ) -> Any:
        return read_cursor(super()._deserialize(value, attr, data, **kwargs))


class PageQuery(Schema):
    """What every list takes. Loaded, its keys are the arguments of a page's reader in
    the store; the filters of a list are added under the names that they have there."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(min=1, max=LARGEST_LIMIT),
        metadata={"description": "How many items at most."},
    )
    after = Cursor(
        data_key="cursor",
        longest=4096,
        metadata={"description": "The `next` of the page before."},
    )

    @pre_load
    def next_is_the_cursor(self, data: Any, **_: Any) -> Any:
        """Take `?next=` too: it is what the answer calls it."""
        told = dict(data)
        cursor = told.pop("next", None)
        return told if cursor is None else {"cursor": cursor, **told}


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


def answer(page: Page[Any], items: Sequence[Any] | None = None) -> dict[str, Any]:
    """A page as the API tells it; `items` are its rows in the words of the API."""
    return {
        "items": page if items is None else items,
        "next": write_cursor(page.next),
    }


def write_cursor(position: Position | None) -> str | None:
    """Make a position opaque; None when there is no page behind it."""
    if position is None:
        return None
    written = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def read_cursor(cursor: str) -> Position:
    """The position of a cursor. Raises NoSuchPage for what was never written here."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        told = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        raise NoSuchPage from None
    if not isinstance(told, list) or not all(map(_is_part, told)):
        raise NoSuchPage
    return tuple(told)


def _is_part(told: Any) -> bool:
    if isinstance(told, str):
        return storable(told)
    return type(told) is int and 0 <= told <= LARGEST_ID

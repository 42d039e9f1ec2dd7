"""How the Shopify sandbox writes a time, an id and a location."""

from datetime import UTC, datetime
from typing import Any


def stamp(moment: datetime) -> str:
    """A time as Shopify writes it: whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def number(text: str | None) -> int | str | None:
    """An id as webhooks write it."""
    return int(text) if text is not None and text.isdecimal() else text


def gid(kind: str, plain: str) -> str:
    """An id as GraphQL writes it."""
    return f"gid://shopify/{kind}/{plain}"


def plain(gid: str) -> str:
    """The number at the end of a global id."""
    return gid.rsplit("/", 1)[-1]


def location_node(place: str | None) -> dict[str, Any] | None:
    """A location, as far as orders name it."""
    if place is None:
        return None
    return {
        "__typename": "Location",
        "id": gid("Location", place),
        "legacyResourceId": place,
        "name": f"Location {place}",
    }

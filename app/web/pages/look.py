"""Which deliveries are looked at, as it stands in an address."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import request

from app.domain import instants
from app.domain.instants import Instant
from app.store.publishing.deliveries import ERRORS, STATES, UNDELIVERED, Filter
from app.web.api.fields import statuses, written_statuses
from app.web.pages.frame import whole

ANY: Final = "any"
"""In an address: every state. Without a state it means what is not delivered."""
_LONGEST: Final = 200
_MOST_IDS: Final = 1000


def wanted() -> Filter:
    """The filter in the address or form; words nobody uses mean everything."""
    found = {name: read(_word(name)) for name, (read, _) in _PARTS.items()}
    return Filter(state=_state(_word("state")), ids=_ids(), **found)


def _state(word: str) -> str | None:
    if word == ANY:
        return None
    return word if word in STATES else UNDELIVERED


def _ids() -> tuple[int, ...] | None:
    """Ticked rows, each a field of its own or after a comma; `ids=` alone is none."""
    if "ids" not in request.values:
        return None
    texts = ",".join(request.values.getlist("ids")).split(",")
    return tuple(one for text in texts if (one := whole(text)) is not None)[:_MOST_IDS]


def filters(look: Filter) -> dict[str, str]:
    """The filter as it stands in an address."""
    told = {} if look.state == UNDELIVERED else {"state": look.state or ANY}
    for name, (_, write) in _PARTS.items():
        value = getattr(look, name)
        if value is not None:
            told[name] = write(value)
    if look.ids is not None:
        told["ids"] = ",".join(map(str, look.ids))
    return told


def written(value: str | Instant) -> str:
    """A text, or a time as a browser's own field writes it, in UTC."""
    if isinstance(value, str):
        return value
    return instants.to_datetime(value).strftime("%Y-%m-%dT%H:%M")


def moment(text: str) -> Instant | None:
    """A time as a browser's own field writes it, in UTC; None when it is none."""
    if not text:
        return None
    try:
        at = instants.parse(text if text.endswith("Z") else f"{text}Z")
    except (ValueError, OverflowError):
        return None
    return at if 0 <= at < _LATEST else None


_LATEST: Final = instants.parse("9000-01-01T00:00:00Z")


def _word(name: str) -> str:
    word = request.values.get(name, "").strip()[:_LONGEST]
    return "" if "\0" in word else word


def _text(word: str) -> str | None:
    return word or None


def _error(word: str) -> str | None:
    return word if word in ERRORS else None


def _some(word: str) -> int | None:
    return whole(word) or None


_PARTS: Final[Mapping[str, tuple[Callable[[str], Any], Callable[[Any], str]]]] = {
    "channel": (_text, str),
    "sku": (_text, str),
    "product": (_text, str),
    "error": (_error, str),
    "code": (statuses, written_statuses),
    "attempts": (_some, str),
    "order": (_text, str),
    "since": (moment, written),
    "until": (moment, written),
}
"""How each part of a filter is read and written."""

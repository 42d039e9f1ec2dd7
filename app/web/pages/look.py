"""Which deliveries are looked at, as it stands in an address."""

from typing import Final

from flask import request

from app.domain import instants
from app.domain.instants import Instant
from app.store import deliveries
from app.store.overview import ANY, Look
from app.web.pages import words
from app.web.pages.frame import whole

_NAMES: Final = ("state", "channel", "sku", "error", "since", "until", "ids")
_LONGEST: Final = 200
_MOST_IDS: Final = 1000


def wanted() -> Look:
    """The filter in the address or form; words nobody uses mean everything."""
    state = _word("state")
    error = _word("error")
    return Look(
        state=state if state in (*deliveries.STATES, ANY) else None,
        channel=_word("channel") or None,
        sku=_word("sku") or None,
        error=error if error in words.ERRORS else None,
        since=moment(_word("since")),
        until=moment(_word("until")),
        ids=_ids(),
    )


def _ids() -> tuple[int, ...] | None:
    """Ticked rows, each a field of its own or after a comma; `ids=` alone is none."""
    if "ids" not in request.values:
        return None
    texts = ",".join(request.values.getlist("ids")).split(",")
    return tuple(one for text in texts if (one := whole(text)) is not None)[:_MOST_IDS]


def filters(look: Look) -> dict[str, str]:
    """The filter as it stands in an address."""
    kept = {name: getattr(look, name) for name in _NAMES}
    return {name: written(value) for name, value in kept.items() if value is not None}


def written(value: str | Instant | tuple[int, ...]) -> str:
    """A part of a filter as text; a time as a browser's own field writes it, in UTC."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ",".join(map(str, value))
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

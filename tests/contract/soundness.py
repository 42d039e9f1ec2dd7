"""What must be true of anything an adapter says, however odd the webhook was."""

import re
from collections.abc import Iterator
from typing import Any

from app.domain import events, instants
from app.domain.events import Normalised, StockEvent

_KINDS = {
    value
    for name, value in vars(events).items()
    if name.isupper() and isinstance(value, str)
}
_SIGNED = {events.ADJUSTED, events.OBSERVED}
_TEXTS = [
    name
    for name in StockEvent.__dataclass_fields__
    if name not in ("quantity", "occurred_at", "version")
]
_LARGEST = 2**31 - 1
_EARLIEST = 0
_LATEST = instants.parse("9999-12-31T23:59:59Z")


def assert_sound(said: Normalised) -> None:
    """Every quantity and time is an int in range, every name a text."""
    for event in said.events:
        _assert_event(event)
    for order in said.orders:
        assert order.order and isinstance(order.order, str), order
        assert all(isinstance(line, str) and line for line in order.lines), order
        assert type(order.version) is int and type(order.occurred_at) is int, order
    for listing in said.listings:
        assert isinstance(listing.external_id, str) and listing.external_id, listing
    assert all(isinstance(reason, str) and reason for reason in said.ignored)
    if said.read is not None:
        assert isinstance(said.read.id, str) and said.read.id, said.read


def _assert_event(event: StockEvent) -> None:
    assert event.kind in _KINDS, event
    assert type(event.quantity) is int and abs(event.quantity) <= _LARGEST, event
    assert event.quantity >= 0 or event.kind in _SIGNED, event
    assert type(event.version) is int and 0 <= event.version < 2**63, event
    assert type(event.occurred_at) is int, event
    assert _EARLIEST <= event.occurred_at <= _LATEST, event
    for name in _TEXTS:
        text = getattr(event, name)
        assert text is None or (isinstance(text, str) and text), (name, event)


# -- people ------------------------------------------------------------------------

_PEOPLE = re.compile(
    r"^(.*_)?(e?mail|email_address|phone(_number)?|first_?name|last_?name|full_?name"
    r"|given_?name|family_?name|display_?name|customer_?name|recipient|company"
    r"|address(_?line)?_?\d?|street\d?|city|city_locality|zip|postal_?code"
    r"|browser_ip|ip|note|customer_?notes?|birthday|buyer_email_address"
    r"|shipping_address|billing_address|ship_?to|bill_?to|card(_details)?)$",
    re.IGNORECASE,
)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w:.-])\+\d[\d ()/-]{7,}\d")


def personal(document: Any) -> list[str]:
    """The ways to whatever in a document looks like somebody's own data."""
    return [way for way, name, value in _leaves(document) if _is_personal(name, value)]


def _is_personal(name: str, value: Any) -> bool:
    if isinstance(value, str) and (_MAIL.search(value) or _PHONE.search(value)):
        return True
    return bool(_PEOPLE.match(name)) and value not in (None, "", [], {})


def _leaves(
    value: Any, way: str = "", name: str = ""
) -> Iterator[tuple[str, str, Any]]:
    yield way, name, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{way}.{key}".strip("."), key)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{way}[{at}]", "")

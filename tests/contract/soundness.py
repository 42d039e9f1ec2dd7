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
_LATEST = instants.parse("9999-12-31T23:59:59Z")


def assert_sound(said: Normalised) -> None:
    """Every quantity and time is an int in range, every name a text."""
    for event in said.events:
        _assert_event(event)
    for order in said.orders:
        assert _is_name(order.order), order
        assert all(_is_name(line) for line in order.lines), order
        assert _is_version(order.version), order
        assert _is_time(order.occurred_at), order
    assert all(_is_name(listing.external_id) for listing in said.listings)
    assert all(_is_name(reason) for reason in said.ignored)
    assert said.read is None or _is_name(said.read.id), said.read


def _assert_event(event: StockEvent) -> None:
    assert event.kind in _KINDS, event
    assert type(event.quantity) is int, event
    assert abs(event.quantity) <= _LARGEST, event
    assert event.quantity >= 0 or event.kind in _SIGNED, event
    assert _is_version(event.version), event
    assert _is_time(event.occurred_at), event
    for name in _TEXTS:
        text = getattr(event, name)
        assert text is None or _is_name(text), (name, event)


def _is_name(text: object) -> bool:
    return isinstance(text, str) and text != ""


def _is_version(number: object) -> bool:
    return type(number) is int and 0 <= number < 2**63


def _is_time(instant: object) -> bool:
    return type(instant) is int and 0 <= instant <= _LATEST


# -- people ------------------------------------------------------------------------

_PEOPLE = re.compile(
    r"^(.*_)?(e?mail|email_address|phone(_number)?|first_?name|last_?name|full_?name"
    r"|given_?name|family_?name|display_?name|customer_?name|recipient|company"
    r"|address(_?line)?_?\d?|street\d?|city|city_locality|zip|postal_?code"
    r"|browser_ip|ip|note|customer_?notes?|birthday|buyer_email_address"
    r"|shipping_address|billing_address|ship_?to|bill_?to|credit_card)$",
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

"""The lines of a `standard` message, checked by hand and read into stock events."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from adapters.checks import LARGEST, name, quantity, shown
from app.domain import events
from app.domain.errors import MalformedPayload
from app.domain.events import StockEvent


class Type(NamedTuple):
    """What one `type` sets, and which fields it needs besides the lines."""

    kind: str
    needs: tuple[str, ...] = ("id",)
    lowest: int = 0
    dispositions: tuple[str, ...] = ()


_RETURNABLE = (events.SELLABLE, events.INSPECT, events.DAMAGED)
TYPES: Mapping[str, Type] = {
    "order": Type(events.PLACED, ("order",)),
    "cancellation": Type(events.RELEASED, ("order",)),
    # A till's receipt is its order: `order` or, failing that, `id`.
    "sale": Type(events.SHIPPED, ()),
    "shipment": Type(events.SHIPPED, ("order", "id")),
    "return": Type(events.RETURNED, ("id",), dispositions=_RETURNABLE),
    "receipt": Type(events.RECEIVED),
    "expected": Type(events.EXPECTED),
    "transfer": Type(events.TRANSFERRED, ("id", "to")),
    "adjustment": Type(
        events.ADJUSTED,
        lowest=-LARGEST,
        dispositions=(events.DAMAGED, events.SCRAP),
    ),
    "count": Type(events.COUNTED),
    # A till may well show fewer than none.
    "observation": Type(events.OBSERVED, (), lowest=-LARGEST),
}

NOTICE: Final = Type(events.ADVISED, ("order", "id"))
"""A return that is only on its way; it moves nothing."""
OF_ORDERS: Final = {
    events.PLACED,
    events.RELEASED,
    events.SHIPPED,
    events.RETURNED,
    events.ADVISED,
}


def event_of(line: Any, at: str, what: Type, shared: dict[str, Any]) -> StockEvent:
    if not isinstance(line, dict):
        raise MalformedPayload(f"{at}: give an object with id, sku and quantity")
    for field in ("sku",) if what.kind == events.OBSERVED else ("id", "sku"):
        if line.get(field) is None:
            raise MalformedPayload(f"{at}.{field}: missing; each line needs one")
    if what.kind == events.ADJUSTED and line.get("reason") is None:
        raise MalformedPayload(f"{at}.reason: missing; say why the stock is adjusted")
    place = name(line, "location", at)
    if place is not None:
        shared = {**shared, "place": place}
        if place == shared["to_place"]:
            raise MalformedPayload(f"{at}.location: is where it would arrive")
    return StockEvent(
        kind=what.kind,
        quantity=quantity(line, at, what.lowest),
        sku=name(line, "sku", at),
        line=name(line, "id", at),
        disposition=_disposition(line, at, what),
        reason=name(line, "reason", at) if what.kind == events.ADJUSTED else None,
        **shared,
    )


def refuse_twins(lines: list[Any]) -> None:
    """Two lines under one id would be two targets for one key."""
    seen: dict[str, int] = {}
    for at, line in enumerate(lines):
        given = line.get("id") if isinstance(line, dict) else None
        if isinstance(given, str | int):
            first = seen.setdefault(str(given), at)
            if first != at:
                raise MalformedPayload(
                    f"lines[{at}].id: lines[{first}] has it already; "
                    "each line needs its own"
                )


def is_advised(body: dict[str, Any]) -> bool:
    """Whether a return is only on its way."""
    given = body.get("stage")
    if given in (None, events.ADVISED):
        return given is not None
    raise MalformedPayload(
        f"stage: {shown(given)} is not `advised`; leave it out for what came back"
    )


def scope_of(topic: str, body: dict[str, Any]) -> str | None:
    if topic == "sale":
        return events.AT_ONCE
    if topic == "order":
        return _scope_of_order(body)
    return _scope(body) if topic == "count" else None


def _scope_of_order(body: dict[str, Any]) -> str | None:
    paid = body.get("paid")
    if paid is None or paid is True:
        return None
    if paid is False:
        return events.NOT_PAID
    raise MalformedPayload(f"paid: {shown(paid)} is not true or false")


def _scope(body: dict[str, Any]) -> str | None:
    given = body.get("scope")
    if given is None or given == events.SELLABLE:
        return given
    raise MalformedPayload(
        f"scope: {shown(given)} is not `sellable`; leave it out to count everything"
    )


def _disposition(line: dict[str, Any], at: str, what: Type) -> str | None:
    if not what.dispositions:
        return None
    given = line.get("disposition")
    if given is None:
        return events.SELLABLE if what.kind == events.RETURNED else None
    if given in what.dispositions:
        return str(given)
    raise MalformedPayload(
        f"{at}.disposition: {shown(given)} is not one of {', '.join(what.dispositions)}"
    )

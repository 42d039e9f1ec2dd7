"""A Square order, read into stock events. Pure; `adapters.square` fetched it.

An order is a sale at a till (handed over at once), a promise with fulfillments, or the
paper for goods that came back. Versions are `updated_at`: Square's own `version` counts
from 1 in every order and says nothing about the clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.parts.square_payment import is_owed, is_paid
from adapters.parts.square_shapes import ENTRY, LINE, ORDER, REFUND, RETURN_LINE
from adapters.shapes import Part, load
from app.domain.errors import MalformedPayload
from app.domain.events import (
    NOT_PAID,
    PLACED,
    RETURNED,
    SHIPPED,
    Normalised,
    StockEvent,
    WholeOrder,
)
from app.domain.instants import Instant

_AT_THE_TILL = "sale"
"""The shipment of lines that no fulfillment covers: handed over at the counter."""
_OFF = ("CANCELED", "FAILED")
_HANDED_OVER = {
    "pickup_details": "picked_up_at",
    "shipment_details": "shipped_at",
    "delivery_details": "delivered_at",
}


@dataclass(frozen=True)
class _Noted:
    """What is said of rows that move nothing."""

    ignored: list[str] = field(default_factory=list)
    bad: list[MalformedPayload] = field(default_factory=list)


def unpaid(document: Any) -> str | None:
    """The id of an order that is not paid in full; None when it is, or is no order."""
    try:
        order = load(ORDER, document, "order")
    except MalformedPayload:
        return None  # its message says so, in the inbox
    return None if is_paid(order, None) else str(order["id"])


def normalise(document: Any, disposition: str, paid: int | None = None) -> Normalised:
    """Say what an order means. `paid`: what a completed payment about it brought in."""
    order = load(ORDER, document, "order")
    if order["state"] == "DRAFT":
        return Normalised(ignored=("The order is a draft: nothing is promised yet.",))
    noted = _Noted()
    lines = list(_stock_rows(order["line_items"], "line_items", LINE, noted))
    events, whole = _sale(order, lines, paid, noted)
    is_read_whole = not noted.bad
    events += _returns(order, disposition, noted)
    if noted.bad and not (events or noted.ignored):
        raise noted.bad[0]
    is_only_a_return = bool(order["returns"]) and not order["line_items"]
    orders = (whole,) if is_read_whole and not is_only_a_return else ()
    bad = tuple(map(str, noted.bad))
    return Normalised(tuple(events), orders, ignored=tuple(noted.ignored), bad=bad)


def _stock_rows(
    rows: Any, at: str, schema: Part, noted: _Noted
) -> Iterator[dict[str, Any]]:
    for place, row in enumerate(rows):
        name = f"order.{at}[{place}]"
        if reason := _why_no_stock(row):
            noted.ignored.append(f"{name} {reason}.")
            continue
        try:
            line = load(schema, row, name)
        except MalformedPayload as error:
            noted.bad.append(error)
            continue
        yield line


def _why_no_stock(row: dict[str, Any]) -> str | None:
    if row.get("item_type") == "GIFT_CARD":
        return "is a gift card"
    if not row.get("catalog_object_id"):
        return "names no catalogue item: an amount typed in by hand"
    unit = row.get("quantity_unit")
    if isinstance(unit, dict) and unit.get("precision") != 0:
        # Square's own default is three decimals: weighed or measured goods.
        return "is sold by measure, not by the piece"
    return None


def _sale(
    order: dict[str, Any],
    lines: list[dict[str, Any]],
    paid: int | None,
    noted: _Noted,
) -> tuple[list[StockEvent], WholeOrder]:
    fulfillments = order["fulfillments"]
    is_over = order["state"] in ("COMPLETED", "CANCELED")
    is_promised = bool(fulfillments) or is_over or is_paid(order, paid)
    if lines and not is_promised:
        noted.ignored.append(
            "The order is open, unpaid and without fulfillments: a basket."
        )
    known = tuple(line["uid"] for line in lines) if is_promised else ()
    whole = WholeOrder(
        order["id"],
        known,
        order["updated_at"],
        order["created_at"],
        order["reference_id"] or None,
    )
    events = [
        event
        for line in lines
        if is_promised
        for event in _line_events(order, line, fulfillments, paid)
    ]
    return events, whole


def _line_events(
    order: dict[str, Any],
    line: dict[str, Any],
    fulfillments: list[dict[str, Any]],
    paid: int | None,
) -> Iterator[StockEvent]:
    promised, covered, handed_over = 0, 0, {}
    for place, fulfillment in enumerate(fulfillments):
        units = _units(fulfillment, line, f"order.fulfillments[{place}]")
        covered += units
        if units and fulfillment["state"] == "COMPLETED":
            handed_over[fulfillment["uid"]] = units, _left_at(order, fulfillment)
        if fulfillment["state"] not in _OFF:
            promised += units
    is_off = order["state"] == "CANCELED"
    if covered or is_off:
        target = 0 if is_off else min(promised, line["quantity"])
        placed = _event(order, line, PLACED, target, order["created_at"])
        yield replace(placed, scope=NOT_PAID) if is_owed(order, paid) else placed
    bare = line["quantity"] - covered
    is_sold = order["state"] == "COMPLETED" or is_paid(order, paid)
    if bare > 0 and is_sold and not is_off:
        handed_over[_AT_THE_TILL] = bare, order["closed_at"] or order["created_at"]
    for fact, (units, left_at) in handed_over.items():
        yield _event(order, line, SHIPPED, units, left_at, fact)


def _units(fulfillment: dict[str, Any], line: dict[str, Any], at: str) -> int:
    if fulfillment["line_item_application"] != "ENTRY_LIST":
        return int(line["quantity"])
    return sum(
        int(load(ENTRY, entry, f"{at}.entries[{place}]")["quantity"])
        for place, entry in enumerate(fulfillment["entries"])
        if entry.get("line_item_uid") == line["uid"]
    )


def _left_at(order: dict[str, Any], fulfillment: dict[str, Any]) -> Instant:
    for details, name in _HANDED_OVER.items():
        if when := (fulfillment[details] or {}).get(name):
            return int(when)
    return int(order["closed_at"] or order["created_at"])


def _event(
    order: dict[str, Any],
    line: dict[str, Any],
    kind: str,
    quantity: int,
    occurred_at: Instant,
    fact: str | None = None,
) -> StockEvent:
    return StockEvent(
        kind,
        quantity,
        occurred_at,
        order["updated_at"],
        external_id=line["catalog_object_id"],
        place=order["location_id"],
        order=order["id"],
        order_number=order["reference_id"] or None,
        line=line["uid"],
        fact=fact,
    )


def _returns(
    order: dict[str, Any], disposition: str, noted: _Noted
) -> list[StockEvent]:
    found: dict[tuple[str | None, ...], StockEvent] = {}
    for place, part in enumerate(order["returns"]):
        at = f"returns[{place}].return_line_items"
        for line in _stock_rows(part["return_line_items"], at, RETURN_LINE, noted):
            event = _returned(order, place, line, disposition)
            same = event.order, event.fact, event.line
            if before := found.get(same):
                # One line given back in two rows of one return is one fact.
                event = replace(event, quantity=event.quantity + before.quantity)
            found[same] = event
    return list(found.values())


def _returned(
    order: dict[str, Any], place: int, line: dict[str, Any], disposition: str
) -> StockEvent:
    part = order["returns"][place]
    source = part["source_order_id"] or line["source_order_id"]
    return StockEvent(
        RETURNED,
        line["quantity"],
        _came_back_at(order, source, place),
        order["updated_at"],
        external_id=line["catalog_object_id"],
        place=order["location_id"],
        order=source,
        line=line["source_line_item_uid"] or line["uid"],
        fact="/".join(filter(None, (order["id"], part["uid"]))),
        disposition=disposition,
    )


def _came_back_at(order: dict[str, Any], source: str | None, place: int) -> Instant:
    refunds = order["refunds"]
    if source == order["id"] and place < len(refunds):
        refund = load(REFUND, refunds[place], f"order.refunds[{place}]")
        return int(refund["created_at"] or order["created_at"])
    # A return is an order of its own: made when the goods came back.
    return int(order["created_at"])

"""A Square order, read into stock events. Pure; `adapters.square` fetched it.

An order is a sale at a till (handed over at once), a promise with fulfillments, or the
paper for goods that came back. Versions are `updated_at`: Square's own `version` counts
from 1 in every order and says nothing about the clock.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from marshmallow import fields

from adapters.parts.square_payment import is_owed, is_paid
from adapters.shapes import Each, Name, Part, Rows, Time, Units, kept, load, optional
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


class _Money(Part):
    amount = optional(fields.Integer)


class _Details(Part):
    picked_up_at = optional(Time)
    shipped_at = optional(Time)
    delivered_at = optional(Time)


class _Entry(Part):
    line_item_uid = Name(required=True)
    quantity = Units(required=True)


class _Fulfillment(Part):
    uid = Name(required=True)
    state = fields.String(required=True)
    line_item_application = optional(fields.String)
    entries = Rows(_Entry)
    pickup_details = optional(_Details)
    shipment_details = optional(_Details)
    delivery_details = optional(_Details)


class _Unit(Part):
    precision = optional(fields.Integer)


class _Line(Part):
    uid = Name(required=True)
    catalog_object_id = Name(required=True)
    quantity = Units(required=True)
    item_type = optional(fields.String)
    quantity_unit = optional(_Unit)


class _ReturnLine(_Line):
    uid = optional(Name)
    source_order_id = optional(Name)
    source_line_item_uid = optional(Name)


class _Return(Part):
    uid = optional(Name)
    source_order_id = optional(Name)
    return_line_items = Rows(_ReturnLine)


class _Refund(Part):
    created_at = optional(Time)


class _Tender(Part):
    id = optional(Name)


class _Order(Part):
    id = Name(required=True)
    location_id = Name(required=True)
    reference_id = optional(fields.String)
    state = fields.String(required=True)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    closed_at = optional(Time)
    total_money = optional(_Money)
    net_amount_due_money = optional(_Money)
    tenders = Rows(_Tender)
    refunds = Rows(_Refund)
    fulfillments = Each(_Fulfillment)
    line_items = Rows(_Line)
    returns = Each(_Return)


_ORDER, _LINE, _ENTRY = _Order(), _Line(), _Entry()
_RETURN_LINE, _REFUND = _ReturnLine(), _Refund()
KEPT: Final = kept(_Order)
"""The fields of an order that are stored: nobody's name, note or address."""


def unpaid(document: Any) -> str | None:
    """The id of an order that is not paid in full; None when it is, or is no order."""
    try:
        order = load(_ORDER, document, "order")
    except MalformedPayload:
        return None  # its message says so, in the inbox
    return None if is_paid(order, None) else str(order["id"])


def normalise(document: Any, disposition: str, paid: int | None = None) -> Normalised:
    """Say what an order means. `paid`: what a completed payment about it brought in."""
    order = load(_ORDER, document, "order")
    if order["state"] == "DRAFT":
        return Normalised(ignored=("The order is a draft: nothing is promised yet.",))
    ignored: list[str] = []
    lines = list(_stock_rows(order["line_items"], "line_items", _LINE, ignored))
    events, whole = _sale(order, lines, paid, ignored)
    events += _returns(order, disposition, ignored)
    is_only_a_return = bool(order["returns"]) and not order["line_items"]
    orders = () if is_only_a_return else (whole,)
    return Normalised(events=tuple(events), orders=orders, ignored=tuple(ignored))


def _stock_rows(
    rows: Any, at: str, schema: Part, ignored: list[str]
) -> Iterator[dict[str, Any]]:
    for place, row in enumerate(rows):
        name = f"order.{at}[{place}]"
        if reason := _why_no_stock(row):
            ignored.append(f"{name} {reason}.")
        else:
            yield load(schema, row, name)


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
    ignored: list[str],
) -> tuple[list[StockEvent], WholeOrder]:
    fulfillments = order["fulfillments"]
    is_over = order["state"] in ("COMPLETED", "CANCELED")
    is_promised = bool(fulfillments) or is_over or is_paid(order, paid)
    if lines and not is_promised:
        ignored.append("The order is open, unpaid and without fulfillments: a basket.")
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
        int(load(_ENTRY, entry, f"{at}.entries[{place}]")["quantity"])
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
    order: dict[str, Any], disposition: str, ignored: list[str]
) -> list[StockEvent]:
    found: dict[tuple[str | None, ...], StockEvent] = {}
    for place, part in enumerate(order["returns"]):
        at = f"returns[{place}].return_line_items"
        for line in _stock_rows(part["return_line_items"], at, _RETURN_LINE, ignored):
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
        refund = load(_REFUND, refunds[place], f"order.refunds[{place}]")
        return int(refund["created_at"] or order["created_at"])
    # A return is an order of its own: made when the goods came back.
    return int(order["created_at"])

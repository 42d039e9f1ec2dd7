"""The fields of Square's orders that we read and keep.

https://developer.squareup.com/reference/square/objects/Order
"""

from typing import Any, Final

from marshmallow import fields

from adapters.shapes import Each, Name, Part, Rows, Time, Units, kept, optional
from app.domain.errors import MalformedPayload


class Money(Part):
    amount = optional(fields.Integer)


class Details(Part):
    picked_up_at = optional(Time)
    shipped_at = optional(Time)
    delivered_at = optional(Time)


class Entry(Part):
    line_item_uid = Name(required=True)
    quantity = Units(required=True)


class Fulfillment(Part):
    uid = Name(required=True)
    state = fields.String(required=True)
    line_item_application = optional(fields.String)
    entries = Rows(Entry)
    pickup_details = optional(Details)
    shipment_details = optional(Details)
    delivery_details = optional(Details)


class Unit(Part):
    precision = optional(fields.Integer)


class Line(Part):
    uid = Name(required=True)
    catalog_object_id = Name(required=True)
    quantity = Units(required=True)
    item_type = optional(fields.String)
    quantity_unit = optional(Unit)


class ReturnLine(Line):
    uid = optional(Name)
    source_order_id = optional(Name)
    source_line_item_uid = optional(Name)


class Return(Part):
    uid = optional(Name)
    source_order_id = optional(Name)
    return_line_items = Rows(ReturnLine)


class Refund(Part):
    created_at = optional(Time)


class Tender(Part):
    id = optional(Name)


class Order(Part):
    id = Name(required=True)
    location_id = Name(required=True)
    reference_id = optional(fields.String)
    state = fields.String(required=True)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    closed_at = optional(Time)
    total_money = optional(Money)
    net_amount_due_money = optional(Money)
    tenders = Rows(Tender)
    refunds = Rows(Refund)
    fulfillments = Each(Fulfillment)
    line_items = Rows(Line)
    returns = Each(Return)


ORDER, LINE, ENTRY = Order(), Line(), Entry()
RETURN_LINE, REFUND = ReturnLine(), Refund()
KEPT: Final = kept(Order)
"""The fields of an order that are stored: nobody's name, note or address."""


def about(document: Any) -> dict[str, Any]:
    """What a webhook is about."""
    data = document.get("data")
    found = data.get("object") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise MalformedPayload("data.object: expected an object")
    return found

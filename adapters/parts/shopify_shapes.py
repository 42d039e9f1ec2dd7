"""The fields of Shopify's orders, fulfillments and refunds that we read and keep.

https://shopify.dev/docs/api/admin-rest/2026-10/resources/order has the payload. Our own
reading adds `fulfillment_orders`, `disposed`, `returns_hidden` and a refund's
`of_return`, which no webhook carries.
"""

from typing import Final

from marshmallow import fields

from adapters.shapes import Each, Name, Part, Time, Units, kept, optional


class Item(Part):
    variant_id = optional(Name)
    sku = optional(fields.String)
    gift_card = optional(fields.Boolean)


class Line(Item):
    id = Name(required=True)
    quantity = Units(required=True)
    fulfillable_quantity = optional(Units)


class Fulfillment(Part):
    id = Name(required=True)
    order_id = optional(Name)
    status = optional(fields.String)
    location_id = optional(Name)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    line_items = Each(Line)


class RefundLine(Part):
    line_item_id = Name(required=True)
    quantity = Units(required=True)
    restock_type = optional(fields.String)
    location_id = optional(Name)
    line_item = optional(Item)


class Refund(Part):
    id = Name(required=True)
    order_id = optional(Name)
    created_at = optional(Time)
    processed_at = optional(Time)
    refund_line_items = Each(RefundLine)
    of_return = optional(Name)


class RoutedLine(Part):
    line_item_id = Name(required=True)
    total_quantity = Units(required=True)
    remaining_quantity = Units(required=True)


class FulfillmentOrder(Part):
    id = Name(required=True)
    status = optional(fields.String)
    location_id = optional(Name)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    line_items = Each(RoutedLine)


class Disposition(Part):
    id = Name(required=True)
    type = optional(fields.String)
    quantity = Units(required=True)
    location_id = optional(Name)
    created_at = Time(required=True)


class Disposed(Part):
    """A line of a reverse fulfillment order: units of one line to come back."""

    line_item_id = Name(required=True)
    total_quantity = Units(required=True)
    dispositions = Each(Disposition)


class Return(Part):
    id = optional(Name)


class Order(Part):
    id = Name(required=True)
    name = optional(fields.String)
    order_number = optional(Name)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    cancelled_at = optional(Time)
    test = optional(fields.Boolean)
    financial_status = optional(fields.String)
    source_name = optional(fields.Raw)
    tags = optional(fields.Raw)
    location_id = optional(Name)
    line_items = Each(Line)
    fulfillments = Each(Fulfillment)
    refunds = Each(Refund)
    fulfillment_orders = Each(FulfillmentOrder)
    returns = Each(Return)
    disposed = Each(Disposed)
    returns_hidden = optional(fields.Boolean)


ORDER, FULFILLMENT, REFUND = Order(), Fulfillment(), Refund()
KEPT: Final = kept(Fulfillment) | kept(Refund) | kept(Order)
"""What is stored of any of them: nobody's name, note or address."""

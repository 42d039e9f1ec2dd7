"""Which Shopify topic says what. Pure: a stored message in, our words out.

https://shopify.dev/docs/api/webhooks/2026-10
"""

from collections.abc import Callable, Mapping
from typing import Any

from adapters.levels import READ_LEVELS, observed
from adapters.parts import shopify_catalogue as catalogue, shopify_orders as orders
from adapters.parts.shopify_quantities import plain
from adapters.parts.shopify_shapes import KEPT as ORDERS_KEPT
from adapters.shapes import Name, Part, load
from app.domain.errors import MalformedPayload
from app.domain.events import Message, Normalised, Read, WholeOrder, sharpened
from app.domain.instants import parse


class _Pointer(Part):
    id = Name(required=True)


class _Edit(Part):
    order_id = Name(required=True)


_POINTER, _EDIT = _Pointer(), _Edit()


def _deleted_order(message: Message) -> Normalised:
    order = load(_POINTER, message.document)["id"]
    at = message.received_at
    for name in ("x-shopify-triggered-at", "shopify-triggered-at"):
        try:
            at = parse(message.headers[name])
        except (KeyError, ValueError, OverflowError):
            continue
    return Normalised(orders=(WholeOrder(order, (), version=at, occurred_at=at),))


def _edited_order(message: Message) -> Normalised:
    edit = load(_EDIT, _object(message.document, "order_edit"), "order_edit")
    return Normalised(read=Read("order", edit["order_id"]))


def _returned_order(message: Message) -> Normalised:
    told = load(_POINTER, message.document)
    return Normalised(read=Read("returned order", told["id"]))


def _routed_order(message: Message) -> Normalised:
    for field in _ROUTING_FIELDS:
        if message.document.get(field) is not None:
            told = load(_POINTER, _object(message.document, field), field)
            return Normalised(read=Read("routed order", plain(told["id"])))
    raise MalformedPayload("fulfillment_order: missing; which one is this about?")


def _object(document: Mapping[str, Any], field: str) -> dict[str, Any]:
    found = document.get(field)
    if field == "fulfillment_order_merges" and isinstance(found, dict):
        found = found.get("fulfillment_order")
    if not isinstance(found, dict):
        raise MalformedPayload(f"{field}: expected an object")
    return found


def _uninstalled(message: Message) -> Normalised:
    return Normalised(disconnected="The app was uninstalled from the shop.")


def _read_order(message: Message) -> Normalised:
    return sharpened(orders.order(message.document), message.received_at)


def _of(read: Callable[[Any], Normalised]) -> Callable[[Message], Normalised]:
    return lambda message: read(message.document)


def _ignored(reason: str) -> Callable[[Message], Normalised]:
    return lambda message: Normalised(ignored=(reason,))


_ROUTING_FIELDS = (
    "fulfillment_order",
    "moved_fulfillment_order",
    "original_fulfillment_order",
    "fulfillment_order_merges",
)
_NO_CUSTOMERS = "No customer data is kept here: there is nothing to do."

READ_ORDER = "order read"
"""Our own topic: an order that we read, not a webhook."""
TOPICS: dict[str, Callable[[Message], Normalised]] = {
    READ_ORDER: _read_order,
    READ_LEVELS: _of(observed),
    "orders/create": _of(orders.order),
    "orders/updated": _of(orders.order),
    "orders/paid": _of(orders.order),
    "orders/cancelled": _of(orders.order),
    "orders/fulfilled": _of(orders.order),
    "orders/partially_fulfilled": _of(orders.order),
    "orders/edited": _edited_order,
    "orders/delete": _deleted_order,
    "fulfillments/create": _of(orders.fulfillment),
    "fulfillments/update": _of(orders.fulfillment),
    "refunds/create": _of(orders.refund),
    "fulfillment_orders/order_routing_complete": _routed_order,
    "fulfillment_orders/moved": _routed_order,
    "fulfillment_orders/split": _routed_order,
    "fulfillment_orders/merged": _routed_order,
    "fulfillment_orders/cancelled": _routed_order,
    "fulfillment_orders/placed_on_hold": _routed_order,
    "fulfillment_orders/hold_released": _routed_order,
    "fulfillment_orders/rescheduled": _routed_order,
    "fulfillment_orders/cancellation_request_accepted": _routed_order,
    "reverse_fulfillment_orders/dispose": _returned_order,
    "inventory_levels/connect": _of(catalogue.level),
    "inventory_levels/update": _of(catalogue.level),
    "inventory_levels/disconnect": _ignored(
        "The item is no longer stocked at that location of the shop."
    ),
    "inventory_items/create": _of(catalogue.item),
    "inventory_items/update": _of(catalogue.item),
    "inventory_items/delete": _of(catalogue.item_gone),
    "products/create": _of(catalogue.product),
    "products/update": _of(catalogue.product),
    "products/delete": _ignored("Its inventory items are told of by their own topic."),
    "app/uninstalled": _uninstalled,
    "customers/data_request": _ignored(_NO_CUSTOMERS),
    "customers/redact": _ignored(_NO_CUSTOMERS),
    "shop/redact": _ignored(_NO_CUSTOMERS),
}

KEPT = {
    **catalogue.KEPT,
    **ORDERS_KEPT,
    "order_edit": {"order_id": True},
    "fulfillment_order_merges": {"fulfillment_order": {"id": True}},
    "fulfillment_order": {"id": True},
    "moved_fulfillment_order": {"id": True},
    "original_fulfillment_order": {"id": True},
}
"""What is stored of any webhook: nobody's name, note or address."""

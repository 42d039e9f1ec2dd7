"""How the Shopify sandbox writes down its orders: as webhooks, and as GraphQL nodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.sandbox.orders import Line, Order, Refund, Shipment
from adapters.sandbox.shopify_pages import connection
from adapters.sandbox.shopify_returns import returned
from adapters.sandbox.shopify_words import gid, location_node, number, stamp

PERSON = {
    "first_name": "Ada",
    "last_name": "Example",
    "address1": "1 Example Street",
    "city": "Sampleton",
    "phone": "+1 555 010 0199",
}
"""Webhooks carry people's data; a receiver that keeps it shall be found out."""


@dataclass
class Routing:
    """A fulfillment order: units of an order assigned to a location."""

    id: str
    place: str | None
    quantities: dict[str, int]
    at: datetime
    updated_at: datetime


# -- webhooks --------------------------------------------------------------------


def order_body(order: Order, parents: dict[str, str | None]) -> dict[str, Any]:
    """The body of orders/*."""
    refunds = [refund_body(order, one, parents) for one in order.refunds]
    is_cancelled = order.state == "cancelled"
    return {
        "id": number(order.id),
        "admin_graphql_api_id": gid("Order", order.id),
        "name": f"#{order.number}",
        "order_number": number(order.number),
        "created_at": stamp(order.at),
        "processed_at": stamp(order.at),
        "updated_at": stamp(order.updated_at),
        "cancelled_at": stamp(order.updated_at) if is_cancelled else None,
        "cancel_reason": "customer" if is_cancelled else None,
        "financial_status": "paid" if order.is_paid else "pending",
        "source_name": order.source,
        "tags": "",
        "location_id": number(order.place) if order.source == "pos" else None,
        "test": False,
        "email": "ada@example.com",
        "customer": {"email": "ada@example.com", "default_address": PERSON},
        "shipping_address": PERSON,
        "line_items": [line_body(line, parents) for line in order.lines],
        "fulfillments": [
            fulfillment_body(order, one, parents) for one in order.shipments
        ],
        "refunds": refunds,
        "returns": [{"id": number(one.id)} for one in order.returns],
    }


def line_body(line: Line, parents: dict[str, str | None]) -> dict[str, Any]:
    """A line of an order."""
    return {
        "id": number(line.id),
        "admin_graphql_api_id": gid("LineItem", line.id),
        "variant_id": number(parents.get(line.item)),
        "sku": line.sku,
        "quantity": line.quantity,
        "current_quantity": line.quantity - line.removed - line.returned,
        "fulfillable_quantity": line.open,
        "fulfillment_service": "manual",
        "gift_card": False,
        "product_exists": True,
        "requires_shipping": True,
    }


def fulfillment_body(
    order: Order, shipment: Shipment, parents: dict[str, str | None]
) -> dict[str, Any]:
    """The body of fulfillments/*; its lines carry what this fulfillment took."""
    lines = [
        {**line_body(order.line(line_id), parents), "quantity": quantity}
        for line_id, quantity in shipment.quantities.items()
    ]
    return {
        "id": number(shipment.id),
        "order_id": number(order.id),
        "name": f"#{order.number}.{order.shipments.index(shipment) + 1}",
        "status": "success",
        "location_id": number(shipment.place),
        "created_at": stamp(shipment.at),
        "updated_at": stamp(shipment.at),
        "destination": PERSON,
        "line_items": lines,
    }


def refund_body(
    order: Order, refund: Refund, parents: dict[str, str | None]
) -> dict[str, Any]:
    """The body of refunds/create."""
    rows = [
        {
            "id": int(f"{order.refunds.index(refund) + 1}{at:03}"),
            "line_item_id": number(line_id),
            "quantity": quantity,
            "restock_type": kind,
            "location_id": number(place),
            "line_item": line_body(order.line(line_id), parents),
        }
        for at, (line_id, quantity, kind, place) in enumerate(refund.rows)
    ]
    return {
        "id": number(refund.id),
        "order_id": number(order.id),
        "created_at": stamp(refund.at),
        "processed_at": stamp(refund.at),
        "note": "Ada asked",
        "restock": any(row["restock_type"] != "no_restock" for row in rows),
        "refund_line_items": rows,
        "return": {"id": number(refund.of_return)} if refund.of_return else None,
    }


# -- GraphQL ---------------------------------------------------------------------


def _listed(rows: Sequence[Any]) -> Callable[..., Any]:
    return lambda info, first=250: rows[:first]


def order_node(
    order: Order, routings: Sequence[Routing], parents: dict[str, str | None]
) -> dict[str, Any]:
    """The order as a GraphQL node."""
    lines = {line.id: _line_node(line, parents) for line in order.lines}
    node: dict[str, Any] = {
        "__typename": "Order",
        "id": gid("Order", order.id),
        "legacyResourceId": order.id,
        "name": f"#{order.number}",
        "createdAt": stamp(order.at),
        "updatedAt": stamp(order.updated_at),
        "cancelledAt": stamp(order.updated_at) if order.state == "cancelled" else None,
        "test": False,
        "displayFinancialStatus": "PAID" if order.is_paid else "PENDING",
        "sourceName": order.source,
        "tags": [],
        "retailLocation": location_node(order.place if order.source == "pos" else None),
        "lineItems": connection(list(lines.values())),
        "fulfillments": _listed([_shipment_node(s, lines) for s in order.shipments]),
        "refunds": _listed([_refund_node(r, lines) for r in order.refunds]),
    }
    routed = [_routing_node(one, order, node, lines) for one in routings]
    node["fulfillmentOrders"] = connection(routed)
    node.update(returned(order, node, lines))
    return node


def parts(order: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """All nodes of a kind that hang on an order's node."""
    is_of_return = kind in ("Return", "ReverseFulfillmentOrder")
    returns = order["returns"](None)["nodes"] if is_of_return else []
    found: dict[str, list[dict[str, Any]]] = {
        "Fulfillment": order["fulfillments"](None),
        "Refund": order["refunds"](None),
        "FulfillmentOrder": order["fulfillmentOrders"](None)["nodes"],
        "Return": returns,
        "ReverseFulfillmentOrder": [
            reverse
            for one in returns
            for reverse in one["reverseFulfillmentOrders"](None)["nodes"]
        ],
    }
    return found.get(kind, [])


def _line_node(line: Line, parents: dict[str, str | None]) -> dict[str, Any]:
    variant = parents.get(line.item)
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", line.id),
        "name": line.sku,
        "sku": line.sku,
        "quantity": line.quantity,
        "currentQuantity": line.quantity - line.removed - line.returned,
        "unfulfilledQuantity": line.open,
        "isGiftCard": False,
        "variant": {"id": gid("ProductVariant", variant), "sku": line.sku}
        if variant
        else None,
    }


def _shipment_node(shipment: Shipment, lines: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "id": gid("FulfillmentLineItem", f"{shipment.id}{at}"),
            "quantity": quantity,
            "lineItem": lines[line_id],
        }
        for at, (line_id, quantity) in enumerate(shipment.quantities.items())
    ]
    return {
        "__typename": "Fulfillment",
        "id": gid("Fulfillment", shipment.id),
        "status": "SUCCESS",
        "createdAt": stamp(shipment.at),
        "updatedAt": stamp(shipment.at),
        "location": location_node(shipment.place),
        "fulfillmentLineItems": connection(rows),
    }


def _refund_node(refund: Refund, lines: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "id": gid("RefundLineItem", f"{refund.id}{at}"),
            "quantity": quantity,
            "restockType": kind.upper(),
            "lineItem": lines[line_id],
            "location": location_node(place),
        }
        for at, (line_id, quantity, kind, place) in enumerate(refund.rows)
    ]
    return {
        "__typename": "Refund",
        "id": gid("Refund", refund.id),
        "createdAt": stamp(refund.at),
        "processedAt": stamp(refund.at),
        "updatedAt": stamp(refund.at),
        "refundLineItems": connection(rows),
        "return": {"id": gid("Return", refund.of_return)} if refund.of_return else None,
    }


def _routing_node(
    routing: Routing, order: Order, order_node: Any, lines: dict[str, Any]
) -> dict[str, Any]:
    rows = [
        {
            "id": gid("FulfillmentOrderLineItem", f"{routing.id}{at}"),
            "totalQuantity": quantity,
            "remainingQuantity": min(quantity, order.line(line_id).open),
            "lineItem": lines[line_id],
        }
        for at, (line_id, quantity) in enumerate(routing.quantities.items())
    ]
    status = {"open": "OPEN", "shipped": "CLOSED"}.get(order.state, "CANCELLED")
    place = location_node(routing.place)
    return {
        "__typename": "FulfillmentOrder",
        "id": gid("FulfillmentOrder", routing.id),
        "status": status,
        "createdAt": stamp(routing.at),
        "updatedAt": stamp(max(routing.updated_at, order.updated_at)),
        "assignedLocation": {
            "location": place,
            "name": place["name"] if place else "unassigned",
        },
        "lineItems": connection(rows),
        "order": order_node,
    }

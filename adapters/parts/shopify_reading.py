"""Reading orders over GraphQL, in the shape their webhooks have.

An order is read whole or not at all: a page that is missing would look like lines that
were taken off. Only fields that we keep are asked for.
"""

from collections.abc import Iterator
from typing import Any

from adapters.parts.shopify_client import Admin
from adapters.parts.shopify_documents import (
    CHANGED_ORDERS,
    FIRST_LISTED,
    LISTS,
    MORE,
    MOST_LISTED,
    ORDER,
    RETURNED_ORDER,
    RETURNS,
    ROUTED_ORDER,
)
from adapters.parts.shopify_quantities import gid, plain
from app.domain.errors import CredentialsRefused, GiveUp
from app.domain.instants import Instant, iso, parse

_SCOPE = "read_orders"
_ROUTING_SCOPE = "read_merchant_managed_fulfillment_orders"
_RETURNS_SCOPE = "read_returns"

_NO_RETURNS = ("NO_RETURN", "RETURN_REQUESTED")
"""Nothing was sent back.

https://shopify.dev/docs/api/admin-graphql/2026-10/enums/OrderReturnStatus
"""


def read_order(admin: Admin, order_id: str) -> dict[str, Any] | None:
    """One order; None where the shop has (or shows us) no such order."""
    data = admin.ask(ORDER, {"id": gid("Order", order_id)}, _SCOPE)
    with admin.expecting("an order"):
        return _whole(admin, data["order"])


def read_routed_order(admin: Admin, fulfillment_order_id: str) -> dict[str, Any] | None:
    """The order that a fulfillment order belongs to."""
    asked = {"id": gid("FulfillmentOrder", fulfillment_order_id)}
    data = admin.ask(ROUTED_ORDER, asked, _ROUTING_SCOPE)
    with admin.expecting("an order"):
        return _whole(admin, (data["fulfillmentOrder"] or {}).get("order"))


def read_returned_order(admin: Admin, reverse_id: str) -> dict[str, Any] | None:
    """The order that a reverse fulfillment order belongs to."""
    asked = {"id": gid("ReverseFulfillmentOrder", reverse_id)}
    data = admin.ask(RETURNED_ORDER, asked, _RETURNS_SCOPE)
    with admin.expecting("an order"):
        return _whole(admin, (data["reverseFulfillmentOrder"] or {}).get("order"))


READERS = {"routed order": read_routed_order, "returned order": read_returned_order}
"""What a webhook points at, if not at an order → who reads the order of it."""


def changed_orders(admin: Admin, since: Instant) -> Iterator[tuple[str, Instant]]:
    """The ids of all orders that changed since then, and when; oldest change first.

    A shop that asks for a pause in between raises RetryLater; what was yielded stands.
    """
    return listed_orders(admin, f"updated_at:>='{iso(since)}'")


def listed_orders(admin: Admin, query: str) -> Iterator[tuple[str, Instant]]:
    """The same for another query in Shopify's search syntax."""
    after = None
    while True:
        asked = {"query": query, "after": after}
        data = admin.ask(CHANGED_ORDERS, asked, _SCOPE)
        with admin.expecting("a list of orders"):
            listed = [
                (plain(node["id"]), parse(node["updatedAt"]))
                for node in data["orders"]["nodes"]
            ]
            more = data["orders"]["pageInfo"]["hasNextPage"]
            after = data["orders"]["pageInfo"]["endCursor"]
        yield from listed
        if not more:
            return


# -- to the last page ------------------------------------------------------------


def _whole(admin: Admin, order: Any) -> dict[str, Any] | None:
    if order is None:
        return None
    for field in LISTS:
        if len(order[field]) >= FIRST_LISTED:
            order[field] = _all_listed(admin, order["id"], field)
    _all_pages(admin, "Order", "lineItems", order)
    _all_pages(admin, "Order", "fulfillmentOrders", order)
    for one in order["fulfillments"]:
        _all_pages(admin, "Fulfillment", "fulfillmentLineItems", one)
    for one in order["refunds"]:
        _all_pages(admin, "Refund", "refundLineItems", one)
    for one in order["fulfillmentOrders"]["nodes"]:
        _all_pages(admin, "FulfillmentOrder", "lineItems", one)
    found = _as_webhook(order)
    if order.get("returnStatus", _NO_RETURNS[0]) not in _NO_RETURNS:
        _add_returns(admin, order["id"], found)
    return found


def _add_returns(admin: Admin, order_gid: str, found: dict[str, Any]) -> None:
    """Tell what became of the returns, unless the app may not read them."""
    try:
        data = admin.ask(RETURNS, {"id": order_gid}, _RETURNS_SCOPE)
    except CredentialsRefused as error:
        if error.status != 200:
            raise
        found["returns_hidden"] = True
        return
    order = data["order"]
    _all_pages(admin, "Order", "returns", order)
    reverse = []
    for one in order["returns"]["nodes"]:
        _all_pages(admin, "Return", "reverseFulfillmentOrders", one)
        reverse += one["reverseFulfillmentOrders"]["nodes"]
    for one in reverse:
        _all_pages(admin, "ReverseFulfillmentOrder", "lineItems", one)
    rows = [row for one in reverse for row in one["lineItems"]["nodes"]]
    found["disposed"] = [_disposed(row) for row in rows if row["fulfillmentLineItem"]]
    of_return = {plain(one["id"]): _id(one["return"]) for one in order["refunds"]}
    for refund in found["refunds"]:
        refund["of_return"] = of_return.get(refund["id"])


def _all_listed(admin: Admin, order_gid: str, field: str) -> list[Any]:
    data = admin.ask(LISTS[field], {"id": order_gid}, _SCOPE)
    found: list[Any] = (data.get("order") or {}).get(field) or []
    if len(found) >= MOST_LISTED:
        raise GiveUp(
            f"Shopify order {plain(order_gid)} has {MOST_LISTED} {field} or more; "
            "they cannot be read to the end"
        )
    return found


def _all_pages(admin: Admin, kind: str, field: str, part: dict[str, Any]) -> None:
    page = part[field]
    while page["pageInfo"]["hasNextPage"]:
        asked = {"id": part["id"], "after": page["pageInfo"]["endCursor"]}
        page = admin.ask(MORE[kind, field], asked, _SCOPE)["node"][field]
        part[field]["nodes"] += page["nodes"]


# -- in the webhook's shape --------------------------------------------------------


def _as_webhook(order: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": plain(order["id"]),
        "name": order["name"],
        "created_at": order["createdAt"],
        "updated_at": order["updatedAt"],
        "cancelled_at": order["cancelledAt"],
        "test": order["test"],
        "financial_status": str(order.get("displayFinancialStatus") or "").lower(),
        "source_name": order.get("sourceName"),
        "tags": order.get("tags"),
        "location_id": _id(order["retailLocation"]),
        "line_items": [_line(node) for node in order["lineItems"]["nodes"]],
        "fulfillments": [_fulfillment(one) for one in order["fulfillments"]],
        "refunds": [_refund(one) for one in order["refunds"]],
        "fulfillment_orders": [
            _fulfillment_order(node) for node in order["fulfillmentOrders"]["nodes"]
        ],
    }


def _id(part: dict[str, Any] | None) -> str | None:
    return plain(part["id"]) if part else None


def _line(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": plain(node["id"]),
        "variant_id": _id(node["variant"]),
        "sku": node["sku"],
        "quantity": node["quantity"],
        # The name of old is deprecated; without removed units, like it.
        "fulfillable_quantity": node["unfulfilledQuantity"],
        "gift_card": node["isGiftCard"],
    }


def _fulfillment(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": plain(node["id"]),
        "status": node["status"].lower(),
        "location_id": _id(node["location"]),
        "created_at": node["createdAt"],
        "updated_at": node["updatedAt"],
        "line_items": [
            {"id": plain(row["lineItem"]["id"]), "quantity": row["quantity"] or 0}
            for row in node["fulfillmentLineItems"]["nodes"]
        ],
    }


def _refund(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": plain(node["id"]),
        "created_at": node["createdAt"],
        "processed_at": node["processedAt"],
        "refund_line_items": [
            {
                "line_item_id": plain(row["lineItem"]["id"]),
                "quantity": row["quantity"],
                "restock_type": row["restockType"].lower(),
                "location_id": _id(row["location"]),
            }
            for row in node["refundLineItems"]["nodes"]
        ],
    }


def _fulfillment_order(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": plain(node["id"]),
        "status": node["status"].lower(),
        "location_id": _id(node["assignedLocation"]["location"]),
        "created_at": node["createdAt"],
        "updated_at": node["updatedAt"],
        "line_items": [
            {
                "line_item_id": plain(row["lineItem"]["id"]),
                "total_quantity": row["totalQuantity"],
                "remaining_quantity": row["remainingQuantity"],
            }
            for row in node["lineItems"]["nodes"]
        ],
    }


def _disposed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "line_item_id": plain(row["fulfillmentLineItem"]["lineItem"]["id"]),
        "total_quantity": row["totalQuantity"],
        "dispositions": [
            {
                "id": plain(one["id"]),
                "type": one["type"].lower(),
                "quantity": one["quantity"],
                "location_id": _id(one["location"]),
                "created_at": one["createdAt"],
            }
            for one in row["dispositions"]
        ],
    }

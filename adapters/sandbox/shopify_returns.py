"""Returns in the Shopify sandbox: units sent back, and what became of them.

`POST /_sandbox/return` opens one for shipped units of a line, `/_sandbox/dispose` says
what became of some of them; `return`, in it and in `/_sandbox/refund`, is the return's id.
"""

from typing import TYPE_CHECKING, Any

from flask import jsonify

from adapters.sandbox.control import found
from adapters.sandbox.orders import Disposition, Order, Refused, Return, clock
from adapters.sandbox.shopify_pages import connection
from adapters.sandbox.shopify_words import gid, location_node, number, stamp

if TYPE_CHECKING:
    from adapters.sandbox.shopify import ShopifySandbox

RETURNS = """
enum OrderReturnStatus {
  INSPECTION_COMPLETE IN_PROGRESS NO_RETURN RETURNED RETURN_FAILED RETURN_REQUESTED
}
type Return implements Node {
  id: ID!
  reverseFulfillmentOrders(
    first: Int, after: String
  ): ReverseFulfillmentOrderConnection!
}
type ReturnConnection { nodes: [Return!]! pageInfo: PageInfo! }
type ReverseFulfillmentOrder implements Node {
  id: ID!
  order: Order
  lineItems(first: Int, after: String): ReverseFulfillmentOrderLineItemConnection!
}
type ReverseFulfillmentOrderConnection {
  nodes: [ReverseFulfillmentOrder!]! pageInfo: PageInfo!
}
type ReverseFulfillmentOrderLineItem implements Node {
  id: ID!
  totalQuantity: Int!
  fulfillmentLineItem: FulfillmentLineItem
  dispositions: [ReverseFulfillmentOrderDisposition!]!
}
type ReverseFulfillmentOrderLineItemConnection {
  nodes: [ReverseFulfillmentOrderLineItem!]! pageInfo: PageInfo!
}
enum ReverseFulfillmentOrderDispositionType {
  MISSING NOT_RESTOCKED PROCESSING_REQUIRED RESTOCKED
}
type ReverseFulfillmentOrderDisposition implements Node {
  id: ID!
  type: ReverseFulfillmentOrderDispositionType!
  quantity: Int!
  createdAt: DateTime!
  location: Location
}
"""

_SOMEWHERE = ("restocked", "processing_required")
_KINDS = (*_SOMEWHERE, "not_restocked", "missing")


def send_back(shop: "ShopifySandbox", wanted: dict[str, Any]) -> Any:
    """The customer sends units back."""
    order = found(shop, wanted)
    line = order.line(str(wanted.get("line") or order.lines[0].id))
    quantity = int(wanted.get("quantity", 1))
    known = sum(one.quantity for one in order.returns if one.line == line.id)
    if quantity > line.shipped - known:
        raise Refused(409, f"only {line.shipped - known} units can come back")
    made = Return(shop.new_id("return"), line.id, quantity)
    order.returns.append(made)
    order.touch()
    shop.announce_order(order)
    return jsonify({"return": made.id}), 201


def dispose(shop: "ShopifySandbox", wanted: dict[str, Any]) -> Any:
    """Somebody unpacked units and says what becomes of them."""
    order = found(shop, wanted)
    kind, quantity = str(wanted["type"]), int(wanted.get("quantity", 1))
    one = next((r for r in order.returns if r.id == str(wanted["return"])), None)
    if one is None or kind not in _KINDS:
        raise Refused(404, f"order {order.id} has no such return, or no type {kind}")
    where = str(wanted.get("place") or order.place) if kind in _SOMEWHERE else None
    made = Disposition(shop.new_id("disposition"), kind, quantity, where, clock())
    one.dispositions.append(made)
    if kind == "restocked":
        shop.change(order.line(one.line).item, where, quantity)
    order.touch()
    shop.announce_disposition(_told(one, made))
    return jsonify(disposition=made.id), 201


def _told(one: Return, made: Disposition) -> dict[str, Any]:
    """The body of reverse_fulfillment_orders/dispose. It names no order and no line."""
    row = {
        "reverse_fulfillment_order_line_item": {"id": number(one.id)},
        "reverse_delivery_line_item": None,
        "type": made.kind,
        "location": {"id": number(made.place)} if made.place else None,
        "quantity": made.quantity,
    }
    return {
        "id": number(one.id),
        "admin_graphql_api_id": gid("ReverseFulfillmentOrder", one.id),
        "dispositions": [row],
        "total_dispositions": 1,
    }


def returned(order: Order, node: Any, lines: dict[str, Any]) -> dict[str, Any]:
    """What the order's GraphQL node says of its returns."""
    is_over = all(_judged(one) >= one.quantity for one in order.returns)
    status = "RETURNED" if is_over else "IN_PROGRESS"
    nodes = [_node(one, node, lines) for one in order.returns]
    return {
        "returnStatus": status if nodes else "NO_RETURN",
        "returns": connection(nodes),
    }


def _judged(one: Return) -> int:
    final = (d for d in one.dispositions if d.kind != "processing_required")
    return sum(made.quantity for made in final)


def _node(one: Return, order: Any, lines: dict[str, Any]) -> dict[str, Any]:
    """One return: a reverse fulfillment order of one line."""
    row = {
        "id": gid("ReverseFulfillmentOrderLineItem", one.id),
        "totalQuantity": one.quantity,
        "fulfillmentLineItem": {
            "id": gid("FulfillmentLineItem", one.id),
            "quantity": one.quantity,
            "lineItem": lines[one.line],
        },
        "dispositions": [_disposition(made) for made in one.dispositions],
    }
    reverse = {
        "__typename": "ReverseFulfillmentOrder",
        "id": gid("ReverseFulfillmentOrder", one.id),
        "order": order,
        "lineItems": connection([row]),
    }
    return {
        "__typename": "Return",
        "id": gid("Return", one.id),
        "reverseFulfillmentOrders": connection([reverse]),
    }


def _disposition(made: Disposition) -> dict[str, Any]:
    return {
        "id": gid("ReverseFulfillmentOrderDisposition", made.id),
        "type": made.kind.upper(),
        "quantity": made.quantity,
        "createdAt": stamp(made.at),
        "location": location_node(made.place),
    }

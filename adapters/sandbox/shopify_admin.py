"""The Shopify sandbox's Admin API: GraphQL with its limits, and what it reads.

Points are taken from a bucket that fills again. Refusals come with status 200, as over
there.
"""

import re
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    GraphQLError,
    execute_sync,
)

from adapters.sandbox.orders import Order
from adapters.sandbox.shopify_levels import Levels
from adapters.sandbox.shopify_orders import order_node, parts
from adapters.sandbox.shopify_pages import page
from adapters.sandbox.shopify_schema import SCHEMA, checked, has_writes, points
from adapters.sandbox.shopify_setup import Setup
from adapters.sandbox.shopify_writes import Writes, check_size

if TYPE_CHECKING:
    from adapters.sandbox.shopify import ShopifySandbox

MOST_POINTS = 1000
EVERY_SCOPE = (
    "read_orders,read_fulfillments,write_inventory,read_products,read_locations,"
    "read_merchant_managed_fulfillment_orders,read_returns"
)
"""What an app is granted unless the configuration says otherwise."""


def _cursor(order: Order) -> str:
    return f"{order.updated_at.isoformat(timespec='microseconds')} {order.id}"


class Bucket:
    """Points that a shop's app may spend; it fills with time."""

    def __init__(self, size: float, rate: float) -> None:
        self.size = size
        self.rate = rate
        self._level = size
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def take(self, wanted: float) -> bool:
        """Take points, or none of them."""
        with self._lock:
            self._fill()
            if wanted > self._level:
                return False
            self._level -= wanted
            return True

    def give_back(self, points: float) -> None:
        """Return what was asked for and not used."""
        with self._lock:
            self._level = min(self.size, self._level + points)

    def status(self) -> dict[str, Any]:
        """As every answer tells it."""
        with self._lock:
            self._fill()
            return {
                "maximumAvailable": self.size,
                "currentlyAvailable": int(self._level),
                "restoreRate": self.rate,
            }

    def _fill(self) -> None:
        now = time.monotonic()
        self._level = min(self.size, self._level + (now - self._at) * self.rate)
        self._at = now


class AdminApi:
    """GraphQL over one shop."""

    def __init__(self, shop: "ShopifySandbox") -> None:
        self.shop = shop
        config = shop.config
        self.bucket = Bucket(
            float(config.get("bucket", 2000)), float(config.get("restore_rate", 100))
        )
        self.writes = Writes(shop)
        self.setup = Setup(shop)
        self.levels = Levels(shop)

    def answer(self, body: Any) -> dict[str, Any]:
        """The whole JSON answer to one document."""
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return _refusal("No query string was present", "BAD_REQUEST")
        variables = body.get("variables") or {}
        try:
            document, problems = checked(body["query"])
        except GraphQLError as error:
            return {"errors": [error.formatted]}
        if problems:
            return {"errors": [problem.formatted for problem in problems]}
        wanted = points(document, variables)
        if wanted > MOST_POINTS:
            words = f"Query cost is {wanted}, which exceeds the single query max cost"
            return _refusal(words, "MAX_COST_EXCEEDED")
        if not self.bucket.take(wanted):
            refused = _refusal("Throttled", "THROTTLED")
            return {**refused, "extensions": self._cost(wanted, None)}
        answer = self._execute(document, variables, body.get("operationName"))
        used = min(wanted, _objects(answer.get("data")))
        if has_writes(document):
            used = wanted
        self.bucket.give_back(wanted - used)
        answer["extensions"] = self._cost(wanted, used)
        return answer

    def _execute(
        self, document: DocumentNode, variables: dict[str, Any], name: str | None
    ) -> dict[str, Any]:
        result = execute_sync(
            SCHEMA,
            document,
            self._root(),
            variable_values=variables,
            operation_name=name,
        )
        answer: dict[str, Any] = {}
        if result.errors:
            answer["errors"] = [
                {"extensions": {"code": "INVALID_VARIABLE"}, **error.formatted}
                for error in result.errors
            ]
        if result.data is not None:
            answer["data"] = result.data
        return answer

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": self.bucket.status(),
            }
        }

    # -- reading -----------------------------------------------------------------

    def _root(self) -> dict[str, Callable[..., Any]]:
        return {
            "order": lambda info, id: self._node(id),
            "fulfillmentOrder": lambda info, id: self._node(id),
            "reverseFulfillmentOrder": lambda info, id: self._node(id),
            "inventoryItem": lambda info, id: self._node(id),
            "node": lambda info, id: self._node(id),
            "nodes": self._nodes,
            "orders": self._orders,
            "shop": lambda info: {
                "id": "gid://shopify/Shop/1",
                "name": self.shop.domain,
                "myshopifyDomain": self.shop.domain,
            },
            "currentAppInstallation": lambda info: {
                "id": "gid://shopify/AppInstallation/1",
                "accessScopes": [{"handle": one} for one in self._scopes()],
            },
            "inventorySetQuantities": self.writes.set_quantities,
            "location": lambda info, id: self._node(id),
            "locations": self.setup.locations,
            "productVariants": self.setup.variants,
            "webhookSubscriptions": self.setup.listed,
            "webhookSubscriptionCreate": self.setup.create,
            "webhookSubscriptionDelete": self.setup.delete,
        }

    def _nodes(self, info: Any, ids: list[str]) -> list[Any]:
        check_size(ids)
        return [self._node(one) for one in ids]

    def _node(self, gid: str) -> Any:
        kind, _, plain = gid.removeprefix("gid://shopify/").partition("/")
        with self.shop.lock:
            if kind == "InventoryItem":
                return self.levels.item(plain)
            if kind == "Order":
                return self._order_node(plain)
            if kind == "Location":
                return self.levels.place(plain)
            return self._part(kind, gid)

    def _scopes(self) -> list[str]:
        told = str(self.shop.config.get("scopes", EVERY_SCOPE))
        return [one.strip() for one in told.split(",")]

    def _part(self, kind: str, gid: str) -> Any:
        """A fulfillment, refund, return or fulfillment order, wherever it hangs."""
        for order_id in self.shop.orders:
            for one in parts(self._order_node(order_id), kind):
                if one["id"] == gid:
                    return one
        return None

    def _order_node(self, order_id: str) -> Any:
        order = self.shop.orders.get(order_id)
        if order is None:
            return None
        routings = self.shop.routings.get(order_id, [])
        node = order_node(order, routings, self.shop.parents)
        if "read_returns" not in self._scopes():
            node["returns"] = _denied
        return node

    def _orders(
        self,
        info: Any,
        first: int = 50,
        after: str | None = None,
        query: str | None = None,
        **_: Any,
    ) -> Any:
        """Sorted by when they changed; one that changes meanwhile comes once more."""
        since = re.search(r"updated_at:>=?'?([^'\s]+)'?", query or "")
        with self.shop.lock:
            listed = sorted(self.shop.orders.values(), key=_cursor)
            if since:
                start = datetime.fromisoformat(since[1])
                listed = [
                    o for o in listed if o.updated_at.replace(microsecond=0) >= start
                ]
            if "status:open" in (query or ""):
                listed = [o for o in listed if o.state == "open"]
            begins = bisect_right(listed, after, key=_cursor) if after else 0
            found = listed[begins : begins + first]
            return page(
                [self._order_node(order.id) for order in found],
                [_cursor(order) for order in found],
                (begins > 0, begins + len(found) < len(listed)),
            )


def _denied(info: Any, **_: Any) -> Any:
    code = {"code": "ACCESS_DENIED", "requiredAccess": "`read_returns` access scope."}
    raise GraphQLError("Access denied for returns field.", extensions=code)


def _objects(data: Any) -> int:
    if isinstance(data, list):
        return sum(_objects(one) for one in data)
    if not isinstance(data, dict):
        return 0
    return 1 + sum(_objects(one) for one in data.values())


def _refusal(message: str, code: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}

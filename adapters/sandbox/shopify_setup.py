"""The Shopify sandbox's side of being connected: locations, variants, subscriptions.

`protected` in the configuration: the app may not have webhooks about orders.
"""

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from adapters.sandbox.shopify_pages import connection

if TYPE_CHECKING:
    from adapters.sandbox.shopify import ShopifySandbox

_PROTECTED = ("ORDERS_", "FULFILLMENTS_", "REFUNDS_")
_NOT_APPROVED = (
    "This app is not approved to subscribe to webhook topics containing protected "
    "customer data."
)


class Setup:
    """What an app asks for first."""

    def __init__(self, shop: "ShopifySandbox") -> None:
        self.shop = shop
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def addresses(self, topic: str) -> list[str]:
        """Where a topic is delivered to."""
        name = topic.upper().replace("/", "_")
        with self._lock:
            found = self.subscriptions.values()
            return [one["uri"] for one in found if one["topic"] == name]

    def locations(self, info: Any, first: int = 50, after: str | None = None) -> Any:
        nodes = [
            {
                "id": f"gid://shopify/Location/{row['id']}",
                "name": str(row.get("name", row["id"])),
                "isActive": True,
            }
            for row in self.shop.config.get("locations", [])
        ]
        return connection(nodes)(info, first, after)

    def variants(self, info: Any, first: int = 50, after: str | None = None) -> Any:
        nodes = [
            {
                "id": f"gid://shopify/ProductVariant/{item.parent or item.id}",
                "displayName": item.name or item.sku,
                "sku": item.sku,
                "barcode": item.barcode,
                "inventoryItem": {
                    "id": f"gid://shopify/InventoryItem/{item.id}",
                    "sku": item.sku,
                    "tracked": item.id not in self.shop.untracked,
                },
            }
            for item in self.shop.items.values()
        ]
        return connection(nodes)(info, first, after)

    def listed(self, info: Any, first: int = 50, after: str | None = None) -> Any:
        with self._lock:
            nodes = list(self.subscriptions.values())
        return connection(nodes)(info, first, after)

    def create(self, info: Any, topic: str, webhookSubscription: dict[str, Any]) -> Any:
        uri = str(webhookSubscription.get("uri") or "")
        row = {
            "topic": topic,
            "uri": uri,
            "format": webhookSubscription.get("format", "JSON"),
            "filter": webhookSubscription.get("filter"),
            "includeFields": webhookSubscription.get("includeFields") or [],
        }
        with self._lock:
            if words := self._against(row):
                error = {"field": ["webhookSubscription", "uri"], "message": words}
                return {"webhookSubscription": None, "userErrors": [error]}
            number = self.shop.new_id("subscription")
            made = {"id": f"gid://shopify/WebhookSubscription/{number}", **row}
            self.subscriptions[made["id"]] = made
        return {"webhookSubscription": made, "userErrors": []}

    def _against(self, row: dict[str, Any]) -> str | None:
        address = urlsplit(row["uri"])
        if not address.netloc:
            return "Address can't be blank"
        # Only a test's own machine is reached in plain text.
        if address.scheme != "https" and address.hostname != "127.0.0.1":
            return f"Address protocol {address.scheme}:// is not supported"
        if self.shop.config.get("protected") and row["topic"].startswith(_PROTECTED):
            return _NOT_APPROVED
        same = ("topic", "uri", "format", "filter")
        for known in self.subscriptions.values():
            if all(known[name] == row[name] for name in same):
                return "Address for this topic has already been taken"
        return None

    def delete(self, info: Any, id: str) -> Any:
        with self._lock:
            gone = self.subscriptions.pop(id, None)
        if gone is None:
            error = {"field": ["id"], "message": "Webhook subscription does not exist"}
            return {"deletedWebhookSubscriptionId": None, "userErrors": [error]}
        return {"deletedWebhookSubscriptionId": id, "userErrors": []}

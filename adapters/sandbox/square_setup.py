"""The Square sandbox's side of being connected: its catalogue and its subscriptions.

`oauth_token` in the configuration: a token of a seller's, which may do everything but
look after the application's webhooks; `scopes`: what the token may do, everything unless
given.
"""

import secrets
import threading
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request

from adapters.sandbox.square_inventory import Wrong

if TYPE_CHECKING:
    from adapters.sandbox.square import SquareSandbox


_SCOPES = {
    "/v2/locations": "MERCHANT_PROFILE_READ",
    "/v2/catalog/list": "ITEMS_READ",
    "/v2/inventory/counts/batch-retrieve": "INVENTORY_READ",
    "/v2/inventory/changes/batch-create": "INVENTORY_WRITE",
    "/v2/orders/search": "ORDERS_READ",
    "/v2/orders/batch-retrieve": "ORDERS_READ",
}
"""What a call needs; beside these, webhooks about payments need PAYMENTS_READ."""


class Setup:
    """What an application asks for first."""

    def __init__(self, account: "SquareSandbox") -> None:
        self.account = account
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def routes(self, app: Flask) -> None:
        """Add its addresses."""
        status = "/oauth2/token/status"
        app.add_url_rule(status, view_func=self.token_status, methods=["POST"])
        app.add_url_rule("/v2/catalog/list", view_func=self.catalogue)
        path = "/v2/webhooks/subscriptions"
        for rule, view, method in (
            (path, self.list_subscriptions, "GET"),
            (path, self.create_subscription, "POST"),
            (f"{path}/<one>", self.get_subscription, "GET"),
            (f"{path}/<one>", self.update_subscription, "PUT"),
        ):
            app.add_url_rule(rule, view_func=view, methods=[method])

    def hearers(self, topic: str) -> list[dict[str, Any]]:
        """The subscriptions that get a topic."""
        with self._lock:
            found = [one for one in self.subscriptions.values() if one["enabled"]]
        return [one for one in found if topic in one["event_types"]]

    def permit(self, path: str) -> None:
        """Refuse a call that the token has not the scope for."""
        scope = _SCOPES.get(path)
        if scope is not None and scope not in self._scopes():
            words = f"The merchant has not granted {scope}."
            raise Wrong("INSUFFICIENT_SCOPES", words, 403, "AUTHENTICATION_ERROR")

    def token_status(self) -> Any:
        return jsonify(scopes=self._scopes(), merchant_id="MLSANDBOX")

    def _scopes(self) -> list[str]:
        every = sorted({*_SCOPES.values(), "PAYMENTS_READ"})
        return list(self.account.config.get("scopes", every))

    def catalogue(self) -> Any:
        found = [
            {
                "type": "ITEM",
                "id": f"I{item.id}",
                "item_data": {
                    "name": item.name,
                    "variations": [
                        {
                            "type": "ITEM_VARIATION",
                            "id": item.id,
                            "item_variation_data": {
                                "item_id": f"I{item.id}",
                                "sku": item.sku,
                                **({"upc": item.barcode} if item.barcode else {}),
                            },
                        }
                    ],
                },
            }
            for item in self.account.items.values()
        ]
        return jsonify(objects=found) if found else jsonify({})

    def list_subscriptions(self) -> Any:
        self._is_the_applications()
        with self._lock:
            found = [
                {name: value for name, value in one.items() if name != "signature_key"}
                for one in self.subscriptions.values()
                if one["enabled"] or request.args.get("include_disabled") == "true"
            ]
        return jsonify(subscriptions=found) if found else jsonify({})

    def create_subscription(self) -> Any:
        self._is_the_applications()
        wanted = (request.get_json(silent=True) or {}).get("subscription") or {}
        one: dict[str, Any] = {
            "id": f"wbhk_{self.account.new_id('subscription')}",
            "name": wanted.get("name"),
            "enabled": True,
            "event_types": list(wanted.get("event_types") or ()),
            "notification_url": wanted.get("notification_url"),
            "signature_key": secrets.token_urlsafe(16),
        }
        with self._lock:
            self.subscriptions[str(one["id"])] = one
        return jsonify(subscription=one)

    def get_subscription(self, one: str) -> Any:
        self._is_the_applications()
        return jsonify(subscription=self._found(one))

    def update_subscription(self, one: str) -> Any:
        self._is_the_applications()
        wanted = (request.get_json(silent=True) or {}).get("subscription") or {}
        known = self._found(one)
        with self._lock:
            for name in ("name", "enabled", "event_types", "notification_url"):
                known[name] = wanted.get(name, known[name])
        told = {name: value for name, value in known.items() if name != "signature_key"}
        return jsonify(subscription=told)

    def _found(self, one: str) -> dict[str, Any]:
        with self._lock:
            if one not in self.subscriptions:
                raise Wrong("NOT_FOUND", "Subscription not found.", 404)
            return self.subscriptions[one]

    def _is_the_applications(self) -> None:
        if self.account.config.get("oauth_token"):
            words = "This request could not be authorized."
            raise Wrong("UNAUTHORIZED", words, 401, "AUTHENTICATION_ERROR")

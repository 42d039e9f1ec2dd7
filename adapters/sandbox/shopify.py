"""A Shopify that is not real: Admin GraphQL, tokens, signed webhooks, one shop.

More keys in its configuration: `shop` (its domain), `client_id` and `client_secret` for
the client-credentials grant, `token_seconds`, `scopes`, `bucket` and `restore_rate`
(points), `untracked` and `bundles` (items), `inactive` ([[item, location]]),
`write_seconds` (how long a write takes), `retry_scale`, `protected` (see
`shopify_setup`). Without `webhook_url`, webhooks go to whom the app subscribed.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, jsonify, request

from adapters.sandbox import control
from adapters.sandbox.orders import Order, Refund, Shipment, clock
from adapters.sandbox.server import Sandbox, serve
from adapters.sandbox.shopify_admin import AdminApi
from adapters.sandbox.shopify_orders import (
    Routing,
    fulfillment_body,
    order_body,
    refund_body,
)
from adapters.sandbox.shopify_returns import dispose, send_back
from adapters.sandbox.shopify_words import stamp

_TRIES = 8
_FIRST_WAIT = 56.0
"""Eight tries over four hours, each wait twice the one before."""


_BEGINNING = timedelta(hours=48)
"""How long before its start the first numbers were set."""


class ShopifySandbox(Sandbox):
    """One shop."""

    provider = "shopify"

    def __init__(self, config: dict[str, Any]) -> None:
        scale = float(config.get("retry_scale", 1))
        self.retry_seconds = tuple(_FIRST_WAIT * scale * 2**at for at in range(_TRIES))
        self.domain = str(config.get("shop", "blue-jacket.myshopify.com"))
        self.version = str(config.get("api_version", "2026-10"))
        self.untracked = {str(one) for one in config.get("untracked", ())}
        self.bundles = {str(one) for one in config.get("bundles", ())}
        self.inactive = {
            (str(item), str(place)) for item, place in config.get("inactive", ())
        }
        self.routings: dict[str, list[Routing]] = {}
        self.tokens: dict[str, float] = {}
        self.opened_at = clock() - _BEGINNING
        self._changed_at: dict[tuple[str, str], datetime] = {}
        super().__init__(config)
        self.parents = {item.id: item.parent for item in self.items.values()}
        self.admin = AdminApi(self)

    def routes(self, app: Flask) -> None:
        app.add_url_rule(
            "/admin/api/<version>/graphql.json",
            "graphql",
            self._graphql,
            methods=["POST"],
        )
        app.add_url_rule(
            "/admin/oauth/access_token", "token", self._token, methods=["POST"]
        )

    def actions(self) -> dict[str, control.Action]:
        return {
            "return": lambda _, wanted: send_back(self, wanted),
            "dispose": lambda _, wanted: dispose(self, wanted),
        }

    # -- the API -------------------------------------------------------------------

    def complaint(self) -> Any:
        words = "Internal error. Looks like something went wrong on our end."
        code = {"code": "INTERNAL_SERVER_ERROR"}
        return {"errors": [{"message": words, "extensions": code}]}

    def _graphql(self, version: str) -> Any:
        if not re.fullmatch(r"\d{4}-\d{2}", version):
            return jsonify(errors="Not Found"), 404
        if not self._is_known(request.headers.get("X-Shopify-Access-Token", "")):
            words = "[API] Invalid API key or access token (unrecognized login)"
            return jsonify(errors=words), 401
        answer = jsonify(self.admin.answer(request.get_json(silent=True)))
        answer.headers["X-Shopify-API-Version"] = version
        return answer

    def _is_known(self, token: str) -> bool:
        if self.token and hmac.compare_digest(token.encode(), self.token.encode()):
            return True
        return self.tokens.get(token, 0) > time.monotonic()

    def _token(self) -> Any:
        given = request.get_json(silent=True) or request.form
        known = (self.config.get("client_id"), self.config.get("client_secret"))
        if given.get("grant_type") != "client_credentials":
            return jsonify(error="unsupported_grant_type"), 400
        if (
            not known[0]
            or (given.get("client_id"), given.get("client_secret")) != known
        ):
            return jsonify(error="invalid_client"), 400
        seconds = float(self.config.get("token_seconds", 86_399))
        token = f"shpat_{secrets.token_hex(16)}"
        self.tokens[token] = time.monotonic() + seconds
        scope = self.config.get("scopes", "read_orders,write_inventory")
        return jsonify(access_token=token, scope=scope, expires_in=int(seconds))

    # -- what happens in the shop -----------------------------------------------------

    def announce_sale(self, order: Order) -> None:
        self._route(order)
        self._send("orders/create", order_body(order, self.parents))

    def announce_payment(self, order: Order) -> None:
        body = order_body(order, self.parents)
        self._send("orders/paid", body)
        self._send("orders/updated", body)

    def announce_shipment(self, order: Order, shipment: Shipment) -> None:
        body = fulfillment_body(order, shipment, self.parents)
        self._send("fulfillments/create", body)
        self._send("orders/updated", order_body(order, self.parents))

    def announce_shipped_sale(self, order: Order, shipment: Shipment) -> None:
        # At a till both happen before the first webhook is written.
        self._route(order)
        body = order_body(order, self.parents)
        self._send("orders/create", body)
        self._send(
            "fulfillments/create", fulfillment_body(order, shipment, self.parents)
        )

    def announce_cancellation(self, order: Order, refund: Refund | None) -> None:
        body = order_body(order, self.parents)
        self._send("orders/cancelled", body)
        self._send("orders/updated", body)
        if refund is not None:
            self._send("refunds/create", refund_body(order, refund, self.parents))

    def announce_order(self, order: Order) -> None:
        """Send what is sent after any change of an order."""
        self._send("orders/updated", order_body(order, self.parents))

    def announce_disposition(self, told: dict[str, Any]) -> None:
        """Send what became of units that came back."""
        self._send("reverse_fulfillment_orders/dispose", told)

    def announce_refund(self, order: Order, refund: Refund) -> None:
        self._send("refunds/create", refund_body(order, refund, self.parents))
        self._send("orders/updated", order_body(order, self.parents))

    def changed_at(self, item: str, place: str) -> datetime:
        """When a number last changed."""
        return self._changed_at.get((item, place), self.opened_at)

    def announce_stock(self, item: str, place: str) -> None:
        self._changed_at[item, place] = clock()
        is_counted = item not in self.untracked
        self._send(
            "inventory_levels/update",
            {
                "inventory_item_id": int(item) if item.isdecimal() else item,
                "location_id": int(place) if place.isdecimal() else place,
                "available": self.shown(item, place) if is_counted else None,
                "updated_at": stamp(self.changed_at(item, place)),
                "admin_graphql_api_id": (
                    f"gid://shopify/InventoryLevel/9?inventory_item_id={item}"
                ),
            },
        )

    def _route(self, order: Order) -> None:
        """Shopify assigns a new order to a location; only GraphQL says to which."""
        quantities = {line.id: line.quantity for line in order.lines}
        routing_id = self.new_id("fulfillment order")
        self.routings[order.id] = [
            Routing(routing_id, order.place, quantities, order.at, order.at)
        ]

    def _send(self, topic: str, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        made = hmac.new(self.secret.encode(), body, hashlib.sha256).digest()
        # A retry repeats the delivery's id; the time is that of the event.
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(made).decode(),
            "X-Shopify-Shop-Domain": self.domain,
            "X-Shopify-API-Version": self.version,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": clock().isoformat().replace("+00:00", "Z"),
        }
        # An address that a person put in gets everything, else who subscribed to it.
        known = self.webhooks.url
        for url in [known] if known else self.admin.setup.addresses(topic):
            self.webhooks.send(lambda _, tries: headers, body, url)


if __name__ == "__main__":
    serve(ShopifySandbox)

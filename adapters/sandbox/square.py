"""A Square account that is not real: its API, its counts by time, its webhooks.

The number of an item at a location is the last physical count plus what came later,
ordered by `occurred_at` and not by arrival, as Square works it out. Beyond the common
configuration: `notification_url` (signed with; default: `webhook_url`), `oauth_token`
(see `square_setup`). Without `webhook_url`, webhooks go to whom was subscribed.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from flask import Flask, jsonify, request

from adapters.sandbox import square_inventory, square_orders
from adapters.sandbox.orders import Order, Refund, Shipment, clock
from adapters.sandbox.server import Sandbox, serve
from adapters.sandbox.square_inventory import History, Wrong
from adapters.sandbox.square_setup import Setup

_BEGINNING = timedelta(hours=48)
"""How long before its start the first numbers were counted: older than any write."""


class SquareSandbox(Sandbox):
    """One Square account with its tills."""

    provider = "square"
    keeps_unpaid = True
    # Square's own minutes, played as seconds.
    retry_seconds = (1, 2, 4, 8, 16, 32, 60, 120, 240, 480, 480)

    def __init__(self, config: dict[str, Any]) -> None:
        self.setup = Setup(self)
        super().__init__(config)
        self.address = str(config.get("notification_url") or self.webhooks.url or "")
        self.histories: dict[tuple[str, str], History] = {}
        self.answers: dict[str, tuple[str, Any]] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        """Orders that are no sale: the paper for goods that came back."""
        self.tills: set[str] = set()
        """Orders that were handed over at once."""
        self.versions: dict[str, int] = {}
        self.at: datetime | None = None
        """When what is happening happened, if not now: a till that was offline."""
        for item, places in self.stock.items():
            for place, quantity in places.items():
                first = clock() - _BEGINNING
                history = self.history(item, place)
                history.count(quantity, first)
                history.calculated_at = first

    # -- numbers ---------------------------------------------------------------

    def history(self, item: str, place: str) -> History:
        """What is known about an item at a location."""
        return self.histories.setdefault((item, place), History())

    def recalculate(self, item: str, place: str) -> None:
        """Work the number out again and tell everybody."""
        history = self.history(item, place)
        # Square writes milliseconds; two changes never share one.
        later = history.calculated_at + timedelta(milliseconds=1)
        at = clock()
        at -= timedelta(microseconds=at.microsecond % 1000)
        history.calculated_at = max(at, later)
        shown = history.shown()
        self.stock.setdefault(item, {})[place] = shown
        self.announce_stock(item, place)

    def change(self, item: str, place: str | None, change: int) -> None:
        if place is not None and change:
            self.history(item, place).change(change, self.at or clock())
            self.recalculate(item, place)

    def edit(self, item: str, place: str, quantity: int) -> None:
        self.history(item, place).count(quantity, clock())
        self.recalculate(item, place)

    def sell(self, wanted: dict[str, Any]) -> Order:
        """Also `seconds_ago`: a till that was offline hands in an older sale."""
        self.at = clock() - timedelta(seconds=float(wanted.get("seconds_ago", 0)))
        try:
            return super().sell(wanted)
        finally:
            self.at = None

    # -- webhooks --------------------------------------------------------------

    def announce_stock(self, item: str, place: str) -> None:
        counts = [square_inventory.count(self, item, place)]
        self.send("inventory.count.updated", "inventory_counts", counts)

    def announce_shipped_sale(self, order: Order, shipment: Shipment) -> None:
        self.tills.add(order.id)
        if self.at is not None:
            order.at = shipment.at = self.at
        self._touched(order)
        # A till publishes no order.created.
        for topic, status in (("created", "APPROVED"), ("updated", "COMPLETED")):
            payment = square_orders.payment(order, status)
            self.send(f"payment.{topic}", "payment", payment)

    def announce_sale(self, order: Order) -> None:
        self._touched(order)
        self.send("order.created", "order_created", square_orders.pointer(self, order))
        if order.is_paid:
            self._send_payment(order)

    def announce_payment(self, order: Order) -> None:
        self._touched(order)
        self.send("order.updated", "order_updated", square_orders.pointer(self, order))
        self._send_payment(order)

    def _send_payment(self, order: Order) -> None:
        paid = square_orders.payment(order, "COMPLETED")
        self.send("payment.updated", "payment", paid)

    def announce_shipment(self, order: Order, shipment: Shipment) -> None:
        self._touched(order)
        change = {"old_state": "PROPOSED", "new_state": "COMPLETED"}
        update = {"fulfillment_uid": f"f-{order.id}", **change}
        pointer = square_orders.pointer(self, order)
        self.send(
            "order.fulfillment.updated",
            "order_fulfillment_updated",
            {**pointer, "fulfillment_update": [update]},
        )
        self.send("order.updated", "order_updated", pointer)

    def announce_cancellation(self, order: Order, refund: Refund | None) -> None:
        self._touched(order)
        self.send("order.updated", "order_updated", square_orders.pointer(self, order))

    def announce_refund(self, order: Order, refund: Refund) -> None:
        self._touched(order)
        goods = [row for row in refund.rows if row[2] == "return"]
        paper = square_orders.paper(order, refund, goods) if goods else None
        if paper:
            self.documents[paper["id"]] = paper
        else:
            pointer = square_orders.pointer(self, order)
            self.send("order.updated", "order_updated", pointer)
        for topic, status in (("created", "PENDING"), ("updated", "COMPLETED")):
            about = paper["id"] if paper else order.id
            told = square_orders.refund(order, refund, about, status)
            self.send(f"refund.{topic}", "refund", told)

    def send(self, topic: str, kind: str, told: Any) -> None:
        """One webhook in Square's envelope, signed for each try."""
        event = {
            "merchant_id": "MSANDBOX",
            "type": topic,
            "event_id": str(uuid.uuid4()),
            "created_at": square_orders.iso(clock()),
            "data": {"type": kind, "id": str(uuid.uuid4()), "object": {kind: told}},
        }
        first_at = str(event["created_at"])
        raw = json.dumps(event, separators=(",", ":")).encode()
        # An address that a person put in gets everything, else who subscribed to it.
        if self.webhooks.url:
            hearers = [(self.webhooks.url, self.address, self.secret)]
        else:
            hearers = [
                (one["notification_url"], one["notification_url"], one["signature_key"])
                for one in self.setup.hearers(topic)
            ]
        for url, address, key in hearers:
            headers = partial(self.headers, first_at=first_at, signer=(address, key))
            self.webhooks.send(headers, raw, url)

    def headers(
        self, body: bytes, tries: int, first_at: str, signer: tuple[str, str]
    ) -> Mapping[str, str]:
        """The headers of one try; `signer` is the subscription's address and key."""
        address, key = signer
        signed = address.encode() + body
        made = hmac.new(key.encode(), signed, hashlib.sha256).digest()
        again = {"square-retry-number": str(tries), "square-retry-reason": "http_error"}
        return {
            "content-type": "application/json",
            "square-environment": "Sandbox",
            "square-initial-delivery-timestamp": first_at,
            "x-square-hmacsha256-signature": base64.b64encode(made).decode(),
            **(again if tries else {}),
        }

    def _touched(self, order: Order) -> None:
        self.versions[order.id] = self.versions.get(order.id, 0) + 1
        # Square writes milliseconds; two changes never share one.
        order.updated_at = max(clock(), order.updated_at + timedelta(milliseconds=1))

    # -- the API ---------------------------------------------------------------

    def complaint(self) -> Any:
        code = {"category": "API_ERROR", "code": "INTERNAL_SERVER_ERROR"}
        return {"errors": [{**code, "detail": "An internal error has occurred."}]}

    def routes(self, app: Flask) -> None:
        app.before_request(self._recognise)
        app.register_error_handler(Wrong, lambda error: (error.body(), error.status))
        app.add_url_rule("/v2/orders/<order_id>", view_func=self.get_order)
        for path, view in (
            ("/v2/orders/batch-retrieve", self.batch_orders),
            ("/v2/orders/search", self.search_orders),
            ("/v2/inventory/changes/batch-create", self.change_inventory),
            ("/v2/inventory/counts/batch-retrieve", self.counts),
        ):
            app.add_url_rule(path, view_func=view, methods=["POST"])
        app.add_url_rule("/v2/locations", view_func=self.get_locations)
        self.setup.routes(app)

    def _recognise(self) -> None:
        if not request.path.startswith(("/v2/", "/oauth2/")):
            return
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            words = "This request could not be authorized."
            raise Wrong("UNAUTHORIZED", words, 401, "AUTHENTICATION_ERROR")
        self.setup.permit(request.path)

    def get_order(self, order_id: str) -> Any:
        with self.lock:
            return jsonify(order=self._document(order_id))

    def batch_orders(self) -> Any:
        wanted = _body().get("order_ids") or []
        with self.lock:
            known = [one for one in wanted if one in {*self.orders, *self.documents}]
            return jsonify(orders=[self._document(one) for one in known])

    def search_orders(self) -> Any:
        with self.lock:
            documents = [self._document(one) for one in self.orders]
            documents += self.documents.values()
        return jsonify(square_orders.search(documents, _body()))

    def _document(self, order_id: str) -> dict[str, Any]:
        if found := self.documents.get(order_id):
            return found
        if (order := self.orders.get(order_id)) is None:
            raise Wrong("NOT_FOUND", f"Order not found for id {order_id}", 404)
        is_till = order_id in self.tills
        return square_orders.document(order, self.versions.get(order_id, 1), is_till)

    def change_inventory(self) -> Any:
        body = _body()
        key = body.get("idempotency_key")
        if not isinstance(key, str) or not 0 < len(key) <= 128:
            raise Wrong(
                "MISSING_REQUIRED_PARAMETER", "1 to 128 characters", field="key"
            )
        mark = json.dumps(body, sort_keys=True)
        with self.lock:
            before = self.answers.get(key)
            if before and before[0] != mark:
                words = "The idempotency key was used with another request."
                raise Wrong("IDEMPOTENCY_KEY_REUSED", words, field="idempotency_key")
            answer = before[1] if before else square_inventory.apply(self, body)
            self.answers[key] = mark, answer
        return jsonify(answer)

    def counts(self) -> Any:
        with self.lock:
            return jsonify(square_inventory.page(self, _body()))

    def get_locations(self) -> Any:
        rows = self.config.get("locations", [])
        return jsonify(
            locations=[
                {
                    "id": str(row["id"]),
                    "name": row.get("name", row["id"]),
                    "status": "ACTIVE",
                    "created_at": square_orders.iso(datetime(2020, 1, 1, tzinfo=UTC)),
                }
                for row in rows
            ]
        )


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Wrong("EXPECTED_JSON_BODY", "Expected a JSON object.")
    return body


if __name__ == "__main__":
    serve(SquareSandbox)

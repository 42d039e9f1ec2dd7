"""A till or warehouse that is not real and speaks Standard Webhooks, both ways.

It takes `stock.published` at /stock and tells what happens in its own words. Beyond the
common configuration: `observes` (it also tells its own numbers). Without `locations` it
has one place, called "". POST /_sandbox/tell `{"type": …}` sends any body, signed.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask, jsonify, request

from adapters.sandbox.orders import Order, Refund, Shipment, clock
from adapters.sandbox.server import Sandbox, serve

_TOLERANCE_SECONDS = 300


class StandardSandbox(Sandbox):
    """One system in the house."""

    provider = "standard"
    retry_seconds = (1, 2, 4, 8, 16, 32, 60, 120)

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.locations = self.locations or [""]
        self.versions: dict[tuple[str, str], int] = {}
        """How new the number of an item at a place is, as it was published."""

    def routes(self, app: Flask) -> None:
        app.add_url_rule("/stock", view_func=self.take_numbers, methods=["POST"])
        app.add_url_rule("/_sandbox/tell", view_func=self.tell_it, methods=["POST"])

    # -- what it is told --------------------------------------------------------

    def take_numbers(self) -> Any:
        """Show the published numbers; an older one never replaces a newer."""
        if not self._is_signed():
            return jsonify(error="the signature does not fit"), 401
        rows = (request.get_json(force=True, silent=True) or {}).get("data") or []
        with self.lock:
            results = [self._take(row) for row in rows]
        return jsonify(results=results)

    def _take(self, row: Mapping[str, Any]) -> dict[str, Any]:
        item, place = str(row["external_id"]), str(row.get("location") or "")
        result = {"external_id": item, "location": row.get("location")}
        if item not in self.items:
            return {**result, "status": "rejected", "reason": "no such item here"}
        version = int(row["version"])
        is_newer = version > self.versions.get((item, place), -1)
        if is_newer and not self.webhooks.weather.lie:
            self.versions[item, place] = version
            self.stock.setdefault(item, {})[place] = int(row["available"])
        return {**result, "status": "accepted"}

    def _is_signed(self) -> bool:
        name, at = (
            request.headers.get(f"webhook-{x}", "") for x in ("id", "timestamp")
        )
        if not at.isdigit() or abs(clock().timestamp() - int(at)) > _TOLERANCE_SECONDS:
            return False
        expected = self._signature(name, at, request.get_data())
        given = request.headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(expected, one) for one in given)

    def _signature(self, name: str, at: str, body: bytes) -> str:
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        made = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
        return f"v1,{base64.b64encode(made).decode()}"

    # -- what it tells ----------------------------------------------------------

    def announce_sale(self, order: Order) -> None:
        lines = {line.id: line.quantity for line in order.lines}
        self._tell_order("order", order, lines, order.at, location=None)

    def announce_shipped_sale(self, order: Order, shipment: Shipment) -> None:
        self._tell_order(
            "sale", order, shipment.quantities, shipment.at, location=shipment.place
        )

    def announce_shipment(self, order: Order, shipment: Shipment) -> None:
        self._tell_order(
            "shipment",
            order,
            shipment.quantities,
            shipment.at,
            location=shipment.place,
            id=shipment.id,
        )

    def announce_cancellation(self, order: Order, refund: Refund | None) -> None:
        removed = {line.id: line.removed for line in order.lines}
        self._tell_order(
            "cancellation", order, removed, order.updated_at, location=None
        )

    def announce_refund(self, order: Order, refund: Refund) -> None:
        back = {row[0]: row[1] for row in refund.rows if row[2] == "return"}
        if not back:
            self.announce_cancellation(order, refund)
            return
        place = refund.rows[0][3]
        self._tell_order("return", order, back, refund.at, location=place, id=refund.id)

    def announce_stock(self, item: str, place: str) -> None:
        if self.config.get("observes"):
            line = {"id": "1", "sku": item, "quantity": self.shown(item, place)}
            body = {"type": "observation", "occurred_at": _iso(clock())}
            self.tell({**body, "location": place or None, "lines": [line]})

    def _tell_order(
        self,
        kind: str,
        order: Order,
        quantities: Mapping[str, int],
        at: datetime,
        *,
        location: str | None,
        id: str | None = None,
    ) -> None:
        lines = [
            {"id": name, "sku": order.line(name).item, "quantity": quantity}
            for name, quantity in quantities.items()
        ]
        body = {"type": kind, "id": id or order.id, "order": order.number}
        place = {"location": location} if location else {}
        self.tell({**body, **place, "occurred_at": _iso(at), "lines": lines})

    def tell_it(self) -> Any:
        """Control: tell anything at all, as this system would."""
        body = request.get_json()
        self.tell({"occurred_at": _iso(clock()), "id": str(uuid.uuid4()), **body})
        return jsonify(told=True), 201

    def tell(self, body: Mapping[str, Any]) -> None:
        """Send one webhook; its id stays the same over its retries."""
        name = f"msg_{uuid.uuid4().hex}"
        told = {key: value for key, value in body.items() if value is not None}

        def headers(raw: bytes, tries: int) -> Mapping[str, str]:
            at = str(int(clock().timestamp()))
            return {
                "content-type": "application/json",
                "webhook-id": name,
                "webhook-timestamp": at,
                "webhook-signature": self._signature(name, at, raw),
            }

        self.webhooks.send(headers, json.dumps(told).encode())


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    serve(StandardSandbox)

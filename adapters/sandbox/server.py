"""What every sandbox channel shares: its stock, its orders and what happens to them.

A provider subclasses `Sandbox`: `routes` adds its API, and `announce_…` say which
webhooks follow what happened. The last line of its module is `serve(TheSandbox)` under
`__main__`. The control under /_sandbox is in `control`, how webhooks travel in `sender`.
"""

import argparse
import itertools
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from adapters.sandbox import control
from adapters.sandbox.orders import (
    Line,
    Order,
    Refund,
    Refused,
    Shipment,
    clock,
    item_from,
)
from adapters.sandbox.sender import Sender


class Sandbox:
    """One channel at one provider. Everything that changes it holds `lock`."""

    provider = "sandbox"
    keeps_stock = True
    """False for providers that only know orders: then nothing is ever sold out."""
    keeps_unpaid = False
    """Whether units stay in the number until their order is paid."""
    retry_seconds: tuple[float, ...] = (1, 2, 4, 8, 16)

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.secret = str(config.get("secret", ""))
        self.token = config.get("token")
        self.items = {str(row["id"]): item_from(row) for row in config.get("items", [])}
        self.locations = [str(row["id"]) for row in config.get("locations", [])]
        self.stock: dict[str, dict[str, int]] = {
            str(item): {str(place): int(n) for place, n in places.items()}
            for item, places in config.get("stock", {}).items()
        }
        self.orders: dict[str, Order] = {}
        self.lock = threading.RLock()
        self.calls = 0
        self.rejected = 0
        self.webhooks = Sender(
            config.get("webhook_url"),
            config.get("retry_seconds", self.retry_seconds),
            timeout=float(config.get("webhook_timeout", 5.0)),
        )
        self._ids = itertools.count(int(config.get("first_id", time.time() * 1000)))
        self.app = Flask(f"sandbox.{self.provider}")
        control.attach(self)
        self.routes(self.app)

    # -- what a provider writes ----------------------------------------------

    def routes(self, app: Flask) -> None:
        """Add the provider's own API."""

    def actions(self) -> dict[str, control.Action]:
        """What else can happen in this provider's channels, by its name."""
        return {}

    def complaint(self) -> Any:
        """What the provider answers with status 200 when it failed; None: never."""
        return None

    def new_id(self, kind: str) -> str:
        """A new id for an order, line, shipment or refund."""
        return str(next(self._ids))

    def announce_sale(self, order: Order) -> None:
        """Send what the provider sends when an order was made."""

    def announce_payment(self, order: Order) -> None:
        """Send what the provider sends when an order is paid later."""

    def announce_shipment(self, order: Order, shipment: Shipment) -> None:
        """Send what the provider sends when units left."""

    def announce_cancellation(self, order: Order, refund: Refund | None) -> None:
        """Send what the provider sends when an order was cancelled."""

    def announce_refund(self, order: Order, refund: Refund) -> None:
        """Send what the provider sends when units were refunded."""

    def announce_stock(self, item: str, place: str) -> None:
        """Send what the provider sends when a number changed, whoever did it."""

    def announce_shipped_sale(self, order: Order, shipment: Shipment) -> None:
        """A sale handed over at once, as at a till."""
        self.announce_sale(order)
        self.announce_shipment(order, shipment)

    # -- what happens in the channel ------------------------------------------

    def shown(self, item: str, place: str) -> int:
        """The channel's own number."""
        return self.stock.get(item, {}).get(place, 0)

    def change(self, item: str, place: str | None, change: int) -> None:
        """Move the channel's own number and announce it."""
        if not self.keeps_stock or place is None or change == 0:
            return
        places = self.stock.setdefault(item, {})
        places[place] = places.get(place, 0) + change
        self.announce_stock(item, place)

    def sell(self, wanted: dict[str, Any]) -> Order:
        """Take an order; raise Refused when the channel shows too few.

        `unpaid`: somebody will pay it later.
        """
        rows = [(str(r["item"]), int(r["quantity"])) for r in wanted["lines"]]
        place = wanted.get("place") or self._place_for(rows)
        self._check_shown(rows, place)
        order_id = self.new_id("order")
        now = clock()
        lines = [
            Line(self.new_id("line"), item, self._sku(item), quantity)
            for item, quantity in rows
        ]
        number = str(wanted.get("number") or 1000 + len(self.orders) + 1)
        source = str(wanted.get("source") or "web")
        order = Order(order_id, number, place, lines, now, now, source)
        order.is_paid = not wanted.get("unpaid")
        self.orders[order_id] = order
        if order.is_paid or not self.keeps_unpaid:
            self._let_go(order)
        if wanted.get("shipped"):
            self.announce_shipped_sale(order, self._hand_over(order, place))
        else:
            self.announce_sale(order)
        return order

    def pay(self, order: Order) -> None:
        """An order that was not paid is, in full."""
        order.is_paid = True
        order.touch()
        if self.keeps_unpaid:
            self._let_go(order)
        self.announce_payment(order)

    def _let_go(self, order: Order) -> None:
        for line in order.lines:
            self.change(line.item, order.place, -line.quantity)

    def ship(self, order: Order, place: str | None) -> Shipment:
        """Ship everything still open."""
        if order.state != "open":
            raise Refused(409, f"order {order.id} is {order.state}")
        shipment = self._hand_over(order, place or order.place)
        self.announce_shipment(order, shipment)
        return shipment

    def cancel(self, order: Order, restock: bool) -> None:
        """Cancel an order of which nothing was shipped."""
        if any(line.shipped for line in order.lines) or order.state == "cancelled":
            raise Refused(409, f"order {order.id} cannot be cancelled any more")
        kind = "cancel" if restock else "no_restock"
        rows = [
            (line.id, line.open, kind, order.place if restock else None)
            for line in order.lines
            if line.open
        ]
        order.state = "cancelled"
        refund = self._take_off(order, rows) if rows else None
        self.announce_cancellation(order, refund)

    def refund(self, order: Order, wanted: dict[str, Any]) -> Refund:
        """Refund units of one line; `restock` is return, cancel or no_restock."""
        line = order.line(str(wanted.get("line") or order.lines[0].id))
        quantity = int(wanted["quantity"])
        kind = str(wanted.get("restock", "return"))
        limit = line.shipped - line.returned if kind == "return" else line.open
        if kind != "no_restock" and quantity > limit:
            raise Refused(409, f"only {limit} units can be refunded like that")
        place = wanted.get("place") or order.place
        where = None if kind == "no_restock" else place
        refund = self._take_off(order, [(line.id, quantity, kind, where)])
        refund.of_return = wanted.get("return")
        self.announce_refund(order, refund)
        return refund

    def edit(self, item: str, place: str, quantity: int) -> None:
        """Somebody sets the number by hand."""
        self.change(item, place, quantity - self.shown(item, place))

    def _sku(self, item: str) -> str:
        found = self.items.get(item)
        return found.sku if found else item

    def _place_for(self, rows: list[tuple[str, int]]) -> str | None:
        for place in self.locations:
            if all(self.shown(item, place) >= quantity for item, quantity in rows):
                return place
        return self.locations[0] if self.locations else None

    def _check_shown(self, rows: list[tuple[str, int]], place: str | None) -> None:
        if not self.keeps_stock:
            return
        wanted: dict[str, int] = {}
        for item, quantity in rows:
            wanted[item] = wanted.get(item, 0) + quantity
        short = [i for i, n in wanted.items() if self.shown(i, place or "") < n]
        if short:
            raise Refused(409, "sold out")

    def _hand_over(self, order: Order, place: str | None) -> Shipment:
        quantities = {line.id: line.open for line in order.lines if line.open}
        for line in order.lines:
            line.shipped += line.open
        shipment = Shipment(self.new_id("shipment"), place, quantities, clock())
        order.shipments.append(shipment)
        order.touch()
        return shipment

    def _take_off(
        self, order: Order, rows: list[tuple[str, int, str, str | None]]
    ) -> Refund:
        refund = Refund(self.new_id("refund"), rows, clock())
        order.refunds.append(refund)
        for line_id, quantity, kind, place in rows:
            line = order.line(line_id)
            if kind == "return":
                line.returned += quantity
            else:
                line.removed += min(quantity, line.open)
            if kind != "no_restock":
                self.change(line.item, place, quantity)
        order.touch()
        return refund


class ByTheirClock(WSGIRequestHandler):
    """Its answers are dated by the channel's clock."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The `Date` of an answer."""
        return super().date_time_string(timestamp or clock().timestamp())


class _Handler(ByTheirClock):
    """One connection, kept open, and no line of log per request."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def serve(kind: type[Sandbox]) -> None:
    """Run a sandbox as a process until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=f"a {kind.provider} that is not real")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    sandbox = kind(json.loads(arguments.config.read_text()))
    server = make_server(
        "127.0.0.1", arguments.port, sandbox.app, True, request_handler=_Handler
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write(f"listening on http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        sandbox.webhooks.close()

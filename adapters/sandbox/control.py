"""The control of a sandbox channel under /_sandbox, and the weather over its API."""

import random
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from flask import Response, jsonify, request

from adapters.sandbox.orders import Order, Refused, set_clock
from adapters.sandbox.sender import Weather

if TYPE_CHECKING:
    from adapters.sandbox.server import Sandbox

Action = Callable[["Sandbox", dict[str, Any]], Any]


def attach(sandbox: "Sandbox") -> None:
    """Add the control and the weather to a sandbox's application."""
    app = sandbox.app
    app.before_request(lambda: _before(sandbox))
    app.after_request(lambda answer: _after(sandbox, answer))
    app.register_error_handler(Refused, _refuse)
    app.add_url_rule("/_sandbox/state", "state", lambda: jsonify(state(sandbox)))
    app.add_url_rule("/_sandbox/orders", "orders", lambda: jsonify(orders(sandbox)))
    app.add_url_rule(
        "/_sandbox/<action>",
        "control",
        lambda action: _act(sandbox, action),
        methods=["POST"],
    )


def state(sandbox: "Sandbox") -> dict[str, Any]:
    """What it shows, and what came and went."""
    sender = sandbox.webhooks
    with sandbox.lock:
        return {
            "stock": {item: dict(places) for item, places in sandbox.stock.items()},
            "calls": sandbox.calls,
            "rejected": sandbox.rejected,
            "webhooks": {
                "sent": sender.sent,
                "failed": sender.failed,
                "waiting": sender.waiting,
            },
            "weather": asdict(sender.weather),
        }


def orders(sandbox: "Sandbox") -> list[dict[str, Any]]:
    """All that was ever sold."""
    with sandbox.lock:
        return [_order(order) for order in sandbox.orders.values()]


def _order(order: Order) -> dict[str, Any]:
    lines = [
        {"id": one.id, "item": one.item, "sku": one.sku, "quantity": one.quantity}
        for one in order.lines
    ]
    return {
        "id": order.id,
        "number": order.number,
        "state": order.state,
        "lines": lines,
    }


def _act(sandbox: "Sandbox", name: str) -> Any:
    action = {**_ACTIONS, **sandbox.actions()}.get(name)
    if action is None:
        raise Refused(404, f"no such action: {name}")
    body = request.get_json(silent=True) or {}
    with sandbox.lock:
        try:
            return action(sandbox, body)
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(400, f"bad or missing value: {error}") from error


def _sell(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    order = sandbox.sell(wanted)
    lines = [line.id for line in order.lines]
    return jsonify(order=order.id, number=order.number, lines=lines), 201


def _pay(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    order = found(sandbox, wanted)
    sandbox.pay(order)
    return jsonify(order=order.id)


def _ship(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    shipment = sandbox.ship(found(sandbox, wanted), wanted.get("place"))
    return jsonify(shipment=shipment.id), 201


def _cancel(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    order = found(sandbox, wanted)
    sandbox.cancel(order, bool(wanted.get("restock", True)))
    return jsonify(order=order.id, state=order.state)


def _refund(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    refund = sandbox.refund(found(sandbox, wanted), wanted)
    return jsonify(refund=refund.id), 201


def _edit(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    item, place = str(wanted["item"]), str(wanted["place"])
    sandbox.edit(item, place, int(wanted["quantity"]))
    return jsonify(item=item, place=place, quantity=sandbox.shown(item, place))


def _weather(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    known = {one.name for one in fields(Weather)}
    if unknown := set(wanted) - known:
        raise Refused(400, f"unknown weather: {', '.join(sorted(unknown))}")
    sandbox.webhooks.weather = Weather(**wanted)
    set_clock(sandbox.webhooks.weather.ahead)
    return jsonify(asdict(sandbox.webhooks.weather))


_ACTIONS: dict[str, Action] = {
    "sell": _sell,
    "pay": _pay,
    "ship": _ship,
    "cancel": _cancel,
    "refund": _refund,
    "edit": _edit,
    "weather": _weather,
}


def found(sandbox: "Sandbox", wanted: dict[str, Any]) -> Order:
    """The order that a call is about; raise Refused for an unknown one."""
    order = sandbox.orders.get(str(wanted["order"]))
    if order is None:
        raise Refused(404, f"no order {wanted['order']}")
    return order


def _refuse(error: Refused) -> Any:
    return jsonify(error=error.error), error.status


def _before(sandbox: "Sandbox") -> Any:
    if request.path.startswith("/_sandbox"):
        return None
    weather = sandbox.webhooks.weather
    with sandbox.lock:
        sandbox.calls += 1
    if weather.delay:
        time.sleep(weather.delay)
    if random.random() < weather.errors and (told := sandbox.complaint()) is not None:
        return jsonify(told)
    if weather.status is None:
        return None
    answer = jsonify(errors=f"the sandbox answers {weather.status}")
    answer.status_code = weather.status
    if weather.retry_after is not None:
        answer.headers["Retry-After"] = f"{weather.retry_after:g}"
    return answer


def _after(sandbox: "Sandbox", answer: Response) -> Response:
    if request.path.startswith("/_sandbox"):
        return answer
    if answer.status_code >= 400:
        with sandbox.lock:
            sandbox.rejected += 1
    if random.random() < sandbox.webhooks.weather.hang_up:
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return answer

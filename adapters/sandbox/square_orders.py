"""Orders, payments and refunds of the Square sandbox, as Square writes them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from adapters.sandbox.orders import Line, Order, Refund, clock

if TYPE_CHECKING:
    from adapters.sandbox.square import SquareSandbox

_PRICE = 8900
_STATES = {"open": "OPEN", "shipped": "COMPLETED", "cancelled": "CANCELED"}
_FULFILLED = {"open": "PROPOSED", "shipped": "COMPLETED", "cancelled": "CANCELED"}
_PERSON = {"display_name": "Ada Example", "email_address": "ada@example.com"}
"""Somebody whose data must not be kept."""


def iso(moment: datetime) -> str:
    """RFC 3339 with milliseconds, as Square writes times."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def document(order: Order, version: int, is_till: bool) -> dict[str, Any]:
    """A whole order."""
    is_off = order.state == "cancelled"
    ordered = [(one, one.quantity - one.removed * (not is_off)) for one in order.lines]
    lines = [_line(line, units) for line, units in ordered if units]
    total = sum(line["total_money"]["amount"] for line in lines)
    found = {
        "id": order.id,
        "location_id": order.place,
        "source": {"name": "Point of Sale" if is_till else order.source},
        "customer_id": "CADA",
        "state": _STATES[order.state],
        "version": version,
        "created_at": iso(order.at),
        "updated_at": iso(order.updated_at),
        "line_items": lines,
        "total_money": _money(total),
        "net_amount_due_money": _money(0 if order.is_paid else total),
        "tenders": [{"id": f"T{order.id}", "type": "CARD"}] if order.is_paid else [],
    }
    if not is_till:
        found["reference_id"] = order.number
        found["fulfillments"] = [_fulfillment(order)]
    if order.state != "open":
        last = order.shipments[-1].at if order.shipments else order.updated_at
        found["closed_at"] = iso(last)
    return found


def _line(line: Line, units: int) -> dict[str, Any]:
    return {
        "uid": line.id,
        "catalog_object_id": line.item,
        "quantity": str(units),
        "name": line.sku,
        "item_type": "ITEM",
        "base_price_money": _money(_PRICE),
        "total_money": _money(_PRICE * units),
    }


def _fulfillment(order: Order) -> dict[str, Any]:
    details: dict[str, Any] = {"recipient": _PERSON, "placed_at": iso(order.at)}
    if order.shipments:
        details["picked_up_at"] = iso(order.shipments[-1].at)
    return {
        "uid": f"f-{order.id}",
        "type": "PICKUP",
        "state": _FULFILLED[order.state],
        "line_item_application": "ALL",
        "pickup_details": details,
    }


def pointer(sandbox: "SquareSandbox", order: Order) -> dict[str, Any]:
    """What an order webhook says: where to look."""
    return {
        "order_id": order.id,
        "version": sandbox.versions.get(order.id, 1),
        "location_id": order.place,
        "state": _STATES[order.state],
        "created_at": iso(order.at),
        "updated_at": iso(order.updated_at),
    }


def payment(order: Order, status: str) -> dict[str, Any]:
    """A payment for the whole order."""
    total = _money(_PRICE * sum(line.quantity - line.removed for line in order.lines))
    return {
        "id": f"P{order.id}",
        "order_id": order.id,
        "location_id": order.place,
        "status": status,
        "amount_money": total,
        "total_money": total,
        "source_type": "CARD",
        "buyer_email_address": _PERSON["email_address"],
        "created_at": iso(order.at),
        "updated_at": iso(clock()),
    }


def refund(order: Order, refund: Refund, about: str, status: str) -> dict[str, Any]:
    """A refund; `about` is the order that says what came back, if any does."""
    units = sum(row[1] for row in refund.rows)
    return {
        "id": f"R{refund.id}",
        "payment_id": f"P{order.id}",
        "order_id": about,
        "location_id": refund.rows[0][3] or order.place,
        "status": status,
        "amount_money": _money(_PRICE * units),
        "created_at": iso(refund.at),
        "updated_at": iso(clock()),
    }


def paper(
    order: Order, refund: Refund, goods: list[tuple[str, int, str, str | None]]
) -> dict[str, Any]:
    """The order of its own that a till makes for goods that came back."""
    rows = [
        {
            "uid": f"r-{refund.id}-{line_id}",
            "source_line_item_uid": line_id,
            "catalog_object_id": order.line(line_id).item,
            "item_type": "ITEM",
            "quantity": str(quantity),
        }
        for line_id, quantity, _, _ in goods
    ]
    part = {
        "uid": f"ret-{refund.id}",
        "source_order_id": order.id,
        "return_line_items": rows,
    }
    return {
        "id": f"RET{refund.id}",
        "location_id": goods[0][3] or order.place,
        "state": "COMPLETED",
        "version": 1,
        "created_at": iso(refund.at),
        "updated_at": iso(refund.at),
        "closed_at": iso(refund.at),
        "returns": [part],
        "refunds": [{"id": f"R{refund.id}", "created_at": iso(refund.at)}],
    }


def search(documents: list[dict[str, Any]], wanted: dict[str, Any]) -> dict[str, Any]:
    """One page of orders/search, by location, state and time of the last change."""
    query = wanted.get("query") or {}
    wanted_by = query.get("filter") or {}
    times = wanted_by.get("date_time_filter") or {}
    states = (wanted_by.get("state_filter") or {}).get("states") or _STATES.values()
    since = datetime.fromisoformat(
        (times.get("updated_at") or {}).get("start_at") or "1970-01-01T00:00:00Z"
    )
    places = wanted.get("location_ids") or []
    found = [
        one
        for one in documents
        if one["location_id"] in places
        and one["state"] in states
        and datetime.fromisoformat(one["updated_at"]) >= since
    ]
    found.sort(key=lambda one: str(one["updated_at"]))
    first, size = int(wanted.get("cursor") or 0), int(wanted.get("limit") or 500)
    answer: dict[str, Any] = {"orders": found[first : first + size]}
    if first + size < len(found):
        answer["cursor"] = str(first + size)
    return answer


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}

"""A Shopify order, read into stock events. Pure: one snapshot sets every target.

Webhooks and our own reading bring the same shape. Nothing is taken from a difference
between two messages, so any of them repairs whatever was missed before.

Of a line's quantity Shopify says what was fulfilled and what still can be. The rest is
gone, and the refunds say how: restocked (`cancel`), sent back though it never left
(`return`), or not restocked (`no_restock`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.parts import shopify_returns as returns
from adapters.parts.shopify_routing import item, routed
from adapters.parts.shopify_shapes import FULFILLMENT, ORDER, REFUND
from adapters.shapes import load
from app.domain.errors import MalformedPayload
from app.domain.events import (
    NOT_PAID,
    PLACED,
    RETURNED,
    SELLABLE,
    SHIPPED,
    WITHDRAWN,
    Normalised,
    Read,
    StockEvent,
    WholeOrder,
)
from app.domain.instants import Instant

_SHIPPED, _UNDER_WAY = "shipped", "under way"
_FULFILLMENT_STATUS = {
    "success": _SHIPPED,
    # With a fulfillment service: not fulfillable any more, and not gone yet.
    "pending": _UNDER_WAY,
    "open": _UNDER_WAY,
}
"""Everything else (cancelled, error, failure) gave its units back to the order.

https://shopify.dev/docs/api/admin-graphql/2026-10/enums/FulfillmentStatus
"""

_BACK = ("return", "legacy_restock")
_RESTOCKED, _NOT_RESTOCKED = "cancel", "no_restock"

_NOT_PAID = ("pending", "authorized", "expired", "voided")
"""Everything else brought money in, if only a part: that customer waits for the goods.

https://shopify.dev/docs/api/admin-graphql/2026-10/enums/OrderDisplayFinancialStatus
"""


@dataclass
class _Tally:
    """What became of a line's units so far."""

    shipped: int = 0
    under_way: int = 0
    back: int = 0
    restocked: int = 0
    dropped: int = 0
    dropped_at: list[Instant] = field(default_factory=list)


def order(document: Any) -> Normalised:
    """Everything an order says. Asks for its routing while no location is known."""
    told = load(ORDER, document)
    if told["test"]:
        return Normalised(ignored=("The order is a test: nothing was sold.",))
    ignored: list[str] = []
    lines = dict(_stock_lines(told["line_items"], "line_items", ignored))
    tallies = _tallies(told)
    of = {"order": told["id"], "order_number": _number(told)}
    events: list[StockEvent] = []
    for line in lines.values():
        events += _promise(told, line, tallies[line["id"]], of)
    events += routed(told["fulfillment_orders"], lines, of)
    for one in told["fulfillments"]:
        events += _shipped(one, lines, of)
    for at, one in enumerate(told["refunds"]):
        back = list(_returned(one, lines, of, f"refunds[{at}]."))
        events += back
        if "disposed" in document and one["of_return"] is None:
            events += returns.repeated(back)
    events += returns.disposed(told, lines, of)
    if told["returns_hidden"]:
        ignored.append(returns.HIDDEN)
    read = None if "fulfillment_orders" in document else _asked(told, events)
    all_lines = tuple(dict.fromkeys(line["id"] for line in told["line_items"]))
    begun, changed = told["created_at"], told["updated_at"]
    whole = WholeOrder(told["id"], all_lines, changed, begun, of["order_number"])
    return Normalised(tuple(events), (whole,), ignored=tuple(ignored), read=read)


def fulfillment(document: Any) -> Normalised:
    """What one fulfillment handed over."""
    told = load(FULFILLMENT, document)
    of = {"order": _order_of(told)}
    ignored: list[str] = []
    lines = dict(_stock_lines(told["line_items"], "line_items", ignored))
    return Normalised(tuple(_shipped(told, lines, of)), ignored=tuple(ignored))


def refund(document: Any) -> Normalised:
    """What a refund sent back. Units taken off unshipped are only said by the order."""
    told = load(REFUND, document)
    rows = told["refund_line_items"]
    of = {"order": _order_of(told)}
    if not rows:
        return Normalised(ignored=("The refund names no items: only money went back.",))
    items = [{**(row["line_item"] or {}), "id": row["line_item_id"]} for row in rows]
    ignored: list[str] = []
    lines = dict(_stock_lines(items, "refund_line_items", ignored))
    events = tuple(_returned(told, lines, of, ""))
    others = [
        row
        for row in rows
        if row["restock_type"] not in _BACK and row["line_item_id"] in lines
    ]
    read = Read("order", of["order"]) if others else None
    return Normalised(events, ignored=tuple(ignored), read=read)


def _order_of(told: Mapping[str, Any]) -> str:
    if not told["order_id"]:
        raise MalformedPayload("order_id: missing; of which order is this?")
    return str(told["order_id"])


def _number(told: Mapping[str, Any]) -> str | None:
    name = (told["name"] or "").strip().removeprefix("#")
    return name or told["order_number"]


def _stock_lines(
    lines: Iterable[Any], at: str, ignored: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, line in enumerate(lines):
        if line.get("gift_card"):
            ignored.append(f"{at}[{place}] is a gift card.")
            continue
        if not line.get("variant_id"):
            ignored.append(f"{at}[{place}] is no variant of the catalogue.")
            # The variant may have been deleted: a line that was told of before is what
            # it was then, and what becomes of its units still counts.
            line = {**line, "variant_id": None, "sku": None}
        yield line["id"], line


# -- what is promised ----------------------------------------------------------


def _tallies(told: Mapping[str, Any]) -> dict[str, _Tally]:
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for one in told["fulfillments"]:
        meaning = _FULFILLMENT_STATUS.get(one["status"] or "")
        for line in one["line_items"]:
            tally = tallies[line["id"]]
            tally.shipped += line["quantity"] if meaning == _SHIPPED else 0
            tally.under_way += line["quantity"] if meaning == _UNDER_WAY else 0
    for at, one in enumerate(told["refunds"]):
        for row in one["refund_line_items"]:
            tally = tallies[row["line_item_id"]]
            kind, quantity = row["restock_type"], row["quantity"]
            tally.back += quantity if kind in _BACK else 0
            tally.restocked += quantity if kind == _RESTOCKED else 0
            if kind == _NOT_RESTOCKED:
                tally.dropped += quantity
                tally.dropped_at.append(_refunded_at(one, f"refunds[{at}]."))
    return tallies


def _promise(
    told: Mapping[str, Any], line: dict[str, Any], tally: _Tally, of: dict[str, Any]
) -> Iterator[StockEvent]:
    whole = line["quantity"]
    handled = tally.shipped + tally.under_way
    placed = min(whole, handled + _fulfillable(told, line, tally))
    gone = whole - placed
    # Sent back without having left: the return itself lets go of the promise.
    unsent = min(gone, max(0, tally.back - tally.shipped))
    common = {"version": told["updated_at"], **of, **item(line)}
    yield StockEvent(
        PLACED,
        placed + unsent,
        told["created_at"],
        place=told["location_id"],
        scope=NOT_PAID if told["financial_status"] in _NOT_PAID else None,
        **common,
    )
    if tally.dropped_at:
        lost = gone - unsent - tally.restocked
        yield StockEvent(
            WITHDRAWN,
            max(0, min(lost, tally.dropped)),
            min(tally.dropped_at),
            place=told["location_id"],
            **common,
        )


def _fulfillable(
    told: Mapping[str, Any], line: Mapping[str, Any], tally: _Tally
) -> int:
    if told["cancelled_at"] is not None:
        return 0
    if line["fulfillable_quantity"] is not None:
        return int(line["fulfillable_quantity"])
    # Left out by a subscription that names its fields.
    unsent = max(0, tally.back - tally.shipped)
    taken_off = tally.restocked + tally.dropped + unsent
    left: int = line["quantity"]
    return max(0, left - tally.shipped - tally.under_way - taken_off)


def _asked(told: Mapping[str, Any], events: Iterable[StockEvent]) -> Read | None:
    """What the webhook leaves out: what became of returns, and where it leaves from.

    The latter is only worth a call while something has yet to leave.
    """
    if told["returns"]:
        return Read("order", told["id"])
    if told["location_id"] is not None:
        return None
    stock = [event for event in events if event.item]
    placed = sum(event.quantity for event in stock if event.kind == PLACED)
    shipped = sum(event.quantity for event in stock if event.kind == SHIPPED)
    return Read("routing", told["id"]) if placed > shipped else None


# -- what left and what came back ------------------------------------------------


def _shipped(
    told: Mapping[str, Any], lines: Mapping[str, Any], of: dict[str, Any]
) -> Iterator[StockEvent]:
    has_left = _FULFILLMENT_STATUS.get(told["status"] or "") == _SHIPPED
    totals: dict[str, int] = defaultdict(int)
    for row in told["line_items"]:
        totals[row["id"]] += row["quantity"] if has_left else 0
    for line_id, quantity in totals.items():
        if line_id in lines:
            yield StockEvent(
                SHIPPED,
                quantity,
                told["created_at"],
                told["updated_at"],
                place=told["location_id"],
                fact=told["id"],
                **of,
                **item(lines[line_id]),
            )


def _returned(
    told: Mapping[str, Any], lines: Mapping[str, Any], of: dict[str, Any], at: str
) -> Iterator[StockEvent]:
    totals: dict[str, dict[str | None, int]] = defaultdict(lambda: defaultdict(int))
    for row in told["refund_line_items"]:
        if row["restock_type"] in _BACK and row["line_item_id"] in lines:
            totals[row["line_item_id"]][row["location_id"]] += row["quantity"]
    for line_id, places in totals.items():
        for place, quantity in places.items():
            moment = _refunded_at(told, at)
            # One refund may put a line's units back at several locations.
            fact = told["id"] if len(places) == 1 else f"{told['id']}@{place}"
            yield StockEvent(
                RETURNED,
                quantity,
                moment,
                moment,
                place=place,
                fact=fact,
                disposition=SELLABLE,
                **of,
                **item(lines[line_id]),
            )


def _refunded_at(told: Mapping[str, Any], at: str) -> Instant:
    moment: Instant | None = told["created_at"] or told["processed_at"]
    if moment is None:
        raise MalformedPayload(f"{at}created_at: missing; when was it refunded?")
    return moment

"""Where the units of a Shopify order are to leave from: its fulfillment orders."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.domain.events import ROUTED, StockEvent

_ROUTING_OVER = ("closed", "cancelled", "incomplete")


def item(line: Mapping[str, Any]) -> dict[str, Any]:
    """How an event names what a line is about."""
    return {
        "line": line["id"],
        "external_parent_id": line["variant_id"],
        # "" where the variant has none.
        "sku": line["sku"] or None,
    }


def routed(
    orders: Iterable[Any], lines: Mapping[str, Any], of: dict[str, Any]
) -> Iterator[StockEvent]:
    for one in orders:
        over = (one["status"] or "") in _ROUTING_OVER
        totals: dict[str, int] = defaultdict(int)
        for row in one["line_items"]:
            done = max(0, row["total_quantity"] - row["remaining_quantity"])
            totals[row["line_item_id"]] += done if over else row["total_quantity"]
        for line_id, quantity in totals.items():
            if line_id in lines:
                yield StockEvent(
                    ROUTED,
                    quantity,
                    one["created_at"],
                    one["updated_at"],
                    place=one["location_id"],
                    fact=one["id"],
                    **of,
                    **item(lines[line_id]),
                )

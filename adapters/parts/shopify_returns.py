"""What became of the units of a Shopify return, once somebody judged them.

A return's refund may restock its units, or leave that to whoever unpacks them: then a
disposition says so, later, and no refund does. Which of the two a shop does is told by
neither, so they are two witnesses: at one place the one that tells of more counts. The
dispositions' witness repeats the refunds of no return, to be complete by itself.

https://shopify.dev/docs/apps/build/orders-fulfillment/returns-apps
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from adapters.parts.shopify_routing import item
from app.domain.events import INSPECT, RETURNED, SELLABLE, StockEvent

HIDDEN = (
    "The app may not read what became of its returns: give it the scope read_returns, "
    "or units restocked without a refund are only seen as a difference."
)

_WITNESS = "returns"

_OUTCOMES = {"restocked": SELLABLE, "processing_required": INSPECT}
"""Others (not_restocked, missing) put no unit back.

https://shopify.dev/docs/api/admin-graphql/2026-10/enums/ReverseFulfillmentOrderDispositionType
"""


def disposed(
    told: Mapping[str, Any], lines: Mapping[str, Any], of: Mapping[str, Any]
) -> Iterator[StockEvent]:
    """What each disposition put back, told by the order's version."""
    for row in told["disposed"]:
        if row["line_item_id"] not in lines:
            continue
        left = row["total_quantity"]
        # What was judged since is no longer to be judged.
        for one in sorted(row["dispositions"], key=lambda one: _is_open(one["type"])):
            quantity = min(left, one["quantity"])
            left -= quantity
            outcome = _OUTCOMES.get(one["type"] or "")
            yield StockEvent(
                RETURNED,
                quantity if outcome else 0,
                one["created_at"],
                told["updated_at"],
                place=one["location_id"],
                fact=f"disposition-{one['id']}",
                disposition=outcome or SELLABLE,
                witness=_WITNESS,
                **of,
                **item(lines[row["line_item_id"]]),
            )


def repeated(refunded: Iterable[StockEvent]) -> Iterator[StockEvent]:
    """The same returns of units, told by the dispositions' witness too."""
    for event in refunded:
        yield replace(event, fact=f"refund-{event.fact}", witness=_WITNESS)


def _is_open(kind: str | None) -> bool:
    return kind == "processing_required"

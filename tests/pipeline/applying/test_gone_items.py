"""Items that a channel deleted while its orders for them were still open."""

import pytest
import sqlalchemy as sa

from adapters.parts.shopify_topics import READ_ORDER
from app.domain.instants import MINUTE, iso, now
from app.pipeline.proving.audit import differences
from app.store.configuration import channels
from app.store.engine import writing
from app.store.receiving import inbox
from app.store.tables import stock_events
from tests.builders import JACKET, Shop

ORDERED, LATER, LAST = (iso(now() - ago * MINUTE) for ago in (30, 20, 10))


def read(
    shop: Shop, at: str, variant: str | None, left: int, sku: str = JACKET, **more
) -> None:
    """The store was asked for order 500, of two units of which some are `left`."""
    line = {"id": "7", "variant_id": variant, "sku": sku, "quantity": 2}
    order = {
        "id": "500",
        "created_at": ORDERED,
        "updated_at": at,
        "line_items": [{**line, "fulfillable_quantity": left}],
        "fulfillment_orders": [],
        **more,
    }
    with writing(shop.engine) as connection:
        channel = channels.row(connection, "web")["id"]
        found = [(READ_ORDER, order, inbox.READ)]
        inbox.store_read(connection, channel, found, now())
    shop.apply()
    with shop.engine.connect() as connection:
        assert differences(connection) == []


def test_an_order_goes_on_after_its_product_was_deleted(shopify):
    row = {"id": "7", "variant_id": None, "sku": JACKET, "quantity": 1}
    times = {"created_at": LATER, "updated_at": LATER}
    parcel = {"id": "91", "status": "success", "location_id": "1", **times}
    sent = {"fulfillments": [{**parcel, "line_items": [row]}]}

    read(shopify, ORDERED, "8", 2)
    read(shopify, LATER, None, 1, **sent)

    assert shopify.level(JACKET) == {"available": 8, "committed": 1}

    read(shopify, LAST, None, 0, cancelled_at=LAST, **sent)

    assert shopify.level(JACKET) == {"available": 9}


@pytest.mark.parametrize("scope", [None, "pending"], ids=["paid", "unpaid"])
def test_an_item_without_a_sku_is_let_go_after_it_was_deleted(shopify, scope):
    read(shopify, ORDERED, "8", 2, sku="", financial_status=scope)
    read(shopify, LATER, None, 0, sku="", cancelled_at=LATER, financial_status=scope)

    assert shopify.level(JACKET) == {"available": 10}


@pytest.mark.parametrize("sku", [JACKET, ""], ids=["with a SKU", "without"])
def test_a_line_typed_in_by_hand_moves_nothing_and_waits_for_nothing(shopify, sku):
    read(shopify, ORDERED, None, 2, sku=sku)

    assert shopify.level(JACKET) == {"available": 10}
    [(state, note)] = shopify.messages()
    assert (state, note) == (
        "applied",
        "line_items[0] is no variant of the catalogue.",
    )
    with shopify.engine.connect() as connection:
        told = connection.execute(sa.select(stock_events.c.kind)).scalars()
        assert set(told) == {"counted", "whole"}

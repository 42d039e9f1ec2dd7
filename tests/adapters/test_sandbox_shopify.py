"""The Shopify sandbox: its webhooks, and what can be read there."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from app.domain import instants
from app.domain.errors import RetryLater
from app.domain.events import (
    OBSERVED,
    PLACED,
    RETURNED,
    ROUTED,
    SHIPPED,
    WITHDRAWN,
    Message,
)
from tests.adapters.shopify_shop import (
    DOWNTOWN,
    GHOST,
    ITEM,
    SCARF,
    WAREHOUSE,
    Shop,
    shops,
)
from tests.contract.recorded import recent


@pytest.fixture
def opened() -> Iterator[Callable[..., Shop]]:
    with shops() as open_shop:
        yield open_shop


@pytest.fixture
def shop(opened: Callable[..., Shop]) -> Shop:
    return opened()


# -- webhooks ------------------------------------------------------------------------


def test_a_webhook_is_signed_over_its_exact_bytes(shop: Shop):
    shop.sell()

    request = shop.got("orders/create")[0]

    digest = hmac.new(b"hush", request.body, hashlib.sha256).digest()
    given = request.headers["x-shopify-hmac-sha256"]
    assert given == base64.b64encode(digest).decode()
    assert request.headers["x-shopify-shop-domain"] == "blue-jacket.myshopify.com"
    assert b"ada@example.com" in request.body


def test_a_sale_is_an_order_and_a_lower_number(shop: Shop):
    order = shop.sell(2, place=DOWNTOWN)

    placed = shop.said("orders/create").events
    observed = shop.said("inventory_levels/update").events

    assert [(e.kind, e.quantity, e.order) for e in placed] == [
        (PLACED, 2, order["order"])
    ]
    assert [(e.kind, e.quantity, e.place) for e in observed] == [
        (OBSERVED, 3, DOWNTOWN)
    ]


def test_a_sale_at_the_till_is_shipped_in_the_same_message(shop: Shop):
    shop.sell(1, place=DOWNTOWN, shipped=True, source="pos")

    found = shop.said("orders/create")

    assert [(e.kind, e.quantity, e.place) for e in found.events] == [
        (PLACED, 1, DOWNTOWN),
        (SHIPPED, 1, DOWNTOWN),
    ]
    assert found.read is None


def test_what_is_sold_out_is_not_sold(shop: Shop):
    body = {"lines": [{"item": ITEM, "quantity": 6}], "place": DOWNTOWN}

    answer = requests.post(f"{shop.url}/_sandbox/sell", json=body, timeout=5)

    assert (answer.status_code, answer.json()) == (409, {"error": "sold out"})
    assert shop.shown() == 5


def test_a_shipment_a_return_and_a_refund_without_goods(shop: Shop):
    order = shop.sell(3, place=DOWNTOWN)["order"]
    shop.do("refund", order=order, quantity=1, restock="no_restock")
    shop.do("ship", order=order, place=DOWNTOWN)
    shop.do("refund", order=order, quantity=1, restock="return", place=WAREHOUSE)

    shop.got("refunds/create", 2)
    found = shop.said("orders/updated", 3).events

    assert {(e.kind, e.quantity, e.place) for e in found} == {
        (PLACED, 2, None),
        (WITHDRAWN, 1, None),
        (SHIPPED, 2, DOWNTOWN),
        (RETURNED, 1, WAREHOUSE),
    }
    assert shop.shown(place=WAREHOUSE) == 4


@pytest.mark.parametrize(
    ("restock", "left", "withdrawn"), [(True, 5, []), (False, 3, [2])]
)
def test_a_cancelled_order_promises_nothing(
    shop: Shop, restock: bool, left: int, withdrawn: list[int]
):
    order = shop.sell(2, place=DOWNTOWN)["order"]

    shop.do("cancel", order=order, restock=restock)

    found = shop.said("orders/cancelled").events
    assert [e.quantity for e in found if e.kind == PLACED] == [0]
    assert [e.quantity for e in found if e.kind == WITHDRAWN] == withdrawn
    assert shop.shown() == left


def test_a_refused_webhook_comes_again_under_the_same_id(shop: Shop):
    shop.receiver.answers = [500, 503]
    shop.do("edit", item=ITEM, place=DOWNTOWN, quantity=1)

    got = shop.got("inventory_levels/update", 3)

    assert len({one.headers["x-shopify-webhook-id"] for one in got}) == 1
    assert len({one.body for one in got}) == 1


def test_the_eighth_retry_is_the_last(shop: Shop):
    shop.receiver.answers = [500] * 20
    shop.do("edit", item=ITEM, place=DOWNTOWN, quantity=1)

    shop.receiver.wait(lambda got: _webhooks(shop)["failed"] == 1)

    assert len(shop.receiver.got) == 9
    assert _webhooks(shop) == {"failed": 1, "sent": 0, "waiting": 0}


def test_webhooks_can_be_doubled_and_lost(shop: Shop):
    shop.do("weather", duplicate=1)
    shop.do("edit", item=ITEM, place=DOWNTOWN, quantity=1)
    shop.got("inventory_levels/update", 2)

    shop.do("weather", drop=1)
    shop.do("edit", item=ITEM, place=DOWNTOWN, quantity=2)
    shop.do("weather")
    shop.do("edit", item=ITEM, place=DOWNTOWN, quantity=3)

    got = shop.got("inventory_levels/update", 3)
    assert [json.loads(one.body)["available"] for one in got] == [1, 1, 3]


def _webhooks(shop: Shop) -> Any:
    state = requests.get(f"{shop.url}/_sandbox/state", timeout=5).json()
    return state["webhooks"]


# -- reading -------------------------------------------------------------------------


def test_a_call_that_failed_may_be_answered_200(shop: Shop):
    shop.do("weather", errors=1)

    with pytest.raises(RetryLater, match="Internal error"):
        list(recent(shop.adapter(), instants.now()))


def test_what_is_read_and_what_is_sent_set_the_same_targets(shop: Shop):
    order = shop.sell(3, place=DOWNTOWN)["order"]
    shop.do("refund", order=order, quantity=1, restock="no_restock")
    shop.do("ship", order=order)
    shop.do("refund", order=order, quantity=1, restock="return")
    shop.got("orders/updated", 3)
    webhooks = [shop.message(one) for one in shop.got("orders/updated", 3)]
    newest = max(webhooks, key=lambda m: len(m.document["refunds"]))

    sent = shop.adapter().normalise(newest)
    topic, document = next(recent(shop.adapter(), instants.now() - instants.MINUTE))
    # Read at no time: its versions are not told apart within their second.
    read = shop.adapter().normalise(Message(topic, document, 0))

    assert set(sent.events) == {e for e in read.events if e.kind != ROUTED}
    assert sent.orders == read.orders
    assert sent.events


def test_the_routing_of_an_order_is_only_told_when_asked(shop: Shop):
    shop.sell(2, place=WAREHOUSE)
    message = shop.message(shop.got("orders/create")[0])
    adapter = shop.adapter()
    first = adapter.normalise(message)
    assert first.read is not None
    assert [e.place for e in first.events] == [None]

    fetched = adapter.fetch(message, first.read)
    again = Message(message.topic, message.document, message.received_at, {}, fetched)

    routed = [e for e in adapter.normalise(again).events if e.kind == ROUTED]
    assert [(e.quantity, e.place) for e in routed] == [(2, WAREHOUSE)]


def test_an_order_of_many_lines_is_read_to_its_end(shop: Shop):
    lines = [{"item": SCARF, "quantity": 1} for _ in range(130)]
    shop.do("sell", lines=lines, place=DOWNTOWN)

    _, document = next(recent(shop.adapter(), 0 + instants.HOUR))

    assert len({line["id"] for line in document["line_items"]}) == 130
    assert len(document["fulfillment_orders"][0]["line_items"]) == 130


def test_many_orders_are_read_page_by_page(shop: Shop):
    sold = {shop.sell(0, place=DOWNTOWN)["order"] for _ in range(103)}

    found = {document["id"] for _, document in recent(shop.adapter(), instants.HOUR)}

    assert found == sold


def test_an_order_the_shop_does_not_show_is_said_to_be_missing(shop: Shop):
    edit = {"order_edit": {"order_id": 77}}
    message = Message("orders/edited", edit, instants.now())
    adapter = shop.adapter()
    read = adapter.normalise(message).read
    assert read is not None

    fetched = adapter.fetch(message, read)

    again = Message("orders/edited", edit, message.received_at, {}, fetched)
    assert adapter.normalise(again).ignored == ("The shop shows no order 77.",)


def test_what_is_not_counted_or_not_active_shows_no_number(opened: Any):
    shop = opened(untracked=[SCARF], inactive=[[ITEM, WAREHOUSE]])

    assert shop.shown(SCARF) is None
    assert shop.shown(ITEM, WAREHOUSE) is None
    assert shop.shown(GHOST) is None
    assert shop.shown(ITEM, "1") is None
    assert shop.shown() == 5


def test_numbers_that_changed_since_are_found_with_their_time(shop: Shop):
    began = instants.now() // instants.SECOND * instants.SECOND
    assert not any(shop.adapter().shown_since(began))
    shop.sell(2, place=DOWNTOWN)
    [seen] = shop.said("inventory_levels/update").events

    found = [level for page in shop.adapter().shown_since(began) for level in page]

    at = seen.occurred_at
    assert found == [(ITEM, DOWNTOWN, 3, at)], "as its webhook says it"
    assert not any(shop.adapter().shown_since(at + instants.SECOND))

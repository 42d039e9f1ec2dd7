"""The Shopify sandbox, spoken to by our adapter and by hand over real HTTP."""

import base64
import hashlib
import hmac
import itertools
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from adapters.base import SignedRequest
from adapters.http import Http
from adapters.parts.shopify_documents import SET_QUANTITIES
from adapters.sandbox.shopify import ShopifySandbox
from adapters.shopify import Shopify
from app.domain import instants
from app.domain.channels import Channel, Outcome, Wish
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.events import (
    OBSERVED,
    PLACED,
    RETURNED,
    ROUTED,
    SHIPPED,
    WITHDRAWN,
    Message,
    Normalised,
)
from tests.adapters.sandboxes import Receiver, control, receiving, serving

ITEM, SCARF, BUNDLE, GHOST = "808950810", "808950811", "808950812", "808950899"
DOWNTOWN, WAREHOUSE = "655441491", "24826418"
NUMBERS = itertools.count(1)


class Shop:
    """A sandbox, the adapter of a channel that talks to it, and what it was sent."""

    def __init__(self, receiver: Receiver, **more: Any) -> None:
        self.receiver = receiver
        self.sandbox = ShopifySandbox(
            {
                "webhook_url": receiver.url,
                "secret": "hush",
                "token": "shpat_1",
                "items": [
                    {"id": ITEM, "parent": "39072856", "sku": "JACKET"},
                    {"id": SCARF, "parent": "49148385", "sku": "SCARF"},
                    {"id": BUNDLE, "parent": "49148386", "sku": "SET"},
                ],
                "bundles": [BUNDLE],
                "locations": [{"id": DOWNTOWN}, {"id": WAREHOUSE}],
                "stock": {ITEM: {DOWNTOWN: 5, WAREHOUSE: 3}, SCARF: {DOWNTOWN: 400}},
                "retry_seconds": [0.02] * 8,
                **more,
            }
        )
        self.url = ""

    def adapter(self, **secrets: list[str]) -> Shopify:
        channel = Channel(
            1,
            "web",
            "shopify",
            base_url=self.url,
            settings={"shop": "blue-jacket.myshopify.com"},
            secrets={"webhook": ["hush"], **(secrets or {"access_token": ["shpat_1"]})},
            locations={"downtown": DOWNTOWN, "warehouse": WAREHOUSE},
        )
        return Shopify(channel, Http("Shopify", "web", deadline=5))

    def do(self, action: str, **body: Any) -> dict[str, Any]:
        return control(self.url, action, **body)

    def sell(self, quantity: int = 1, **more: Any) -> dict[str, Any]:
        return self.do("sell", lines=[{"item": ITEM, "quantity": quantity}], **more)

    def publish(self, *wishes: Wish, key: str | None = None) -> list[Outcome]:
        adapter = self.adapter()
        composed = adapter.compose(wishes)
        return adapter.send(composed, wishes, key or str(uuid.uuid4()))

    def shown(self, item: str = ITEM, place: str = DOWNTOWN) -> int | None:
        return self.adapter().read([wish(0, 0, item, place)])[0].available

    def got(self, topic: str, many: int = 1) -> list[SignedRequest]:
        def of_topic(got: list[SignedRequest]) -> list[SignedRequest]:
            return [one for one in got if one.headers["x-shopify-topic"] == topic]

        return of_topic(self.receiver.wait(lambda got: len(of_topic(got)) >= many))

    def said(self, topic: str, many: int = 1) -> Normalised:
        """What the last webhook of a topic means, before anything is read."""
        return self.adapter().normalise(self.message(self.got(topic, many)[-1]))

    def message(self, request: SignedRequest) -> Message:
        adapter = self.adapter()
        adapter.verify(request)
        kept = {name: request.headers.get(name, "") for name in adapter.headers}
        document = adapter.document(request.body)
        topic = adapter.topic(kept, document)
        return Message(topic, document, request.received_at, kept)


def wish(
    available: int, expected: int | None, item: str = ITEM, place: str = DOWNTOWN
) -> Wish:
    return Wish(next(NUMBERS), "SKU", item, None, place, available, 1, expected)


def verdicts(outcomes: list[Outcome]) -> list[str]:
    return [one.verdict for one in outcomes]


@pytest.fixture
def opened() -> Iterator[Any]:
    """Open a shop with more configuration."""
    with receiving() as receiver:
        shops = []

        def open_shop(**more: Any) -> Shop:
            shop = Shop(receiver, **more)
            shops.append(served := serving(shop.sandbox))
            shop.url = served.__enter__()
            return shop

        yield open_shop
        for served in shops:
            served.__exit__(None, None, None)


@pytest.fixture
def shop(opened: Any) -> Shop:
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


def test_what_is_read_and_what_is_sent_set_the_same_targets(shop: Shop):
    order = shop.sell(3, place=DOWNTOWN)["order"]
    shop.do("refund", order=order, quantity=1, restock="no_restock")
    shop.do("ship", order=order)
    shop.do("refund", order=order, quantity=1, restock="return")
    shop.got("orders/updated", 3)
    webhooks = [shop.message(one) for one in shop.got("orders/updated", 3)]
    newest = max(webhooks, key=lambda m: len(m.document["refunds"]))

    sent = shop.adapter().normalise(newest)
    topic, document = next(shop.adapter().recent(instants.now() - instants.MINUTE))
    read = shop.adapter().normalise(Message(topic, document, instants.now()))

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

    _, document = next(shop.adapter().recent(0 + instants.HOUR))

    assert len({line["id"] for line in document["line_items"]}) == 130
    assert len(document["fulfillment_orders"][0]["line_items"]) == 130


def test_many_orders_are_read_page_by_page(shop: Shop):
    sold = {shop.sell(0, place=DOWNTOWN)["order"] for _ in range(103)}

    found = {document["id"] for _, document in shop.adapter().recent(instants.HOUR)}

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


# -- writing -------------------------------------------------------------------------


def test_a_number_is_written_and_comes_back_as_a_webhook(shop: Shop):
    assert verdicts(shop.publish(wish(4, 5))) == ["accepted"]

    assert shop.shown() == 4
    assert [e.quantity for e in shop.said("inventory_levels/update").events] == [4]


def test_writing_the_number_that_is_there_is_no_failure(shop: Shop):
    assert verdicts(shop.publish(wish(5, 5))) == ["accepted"]


def test_a_sale_in_between_makes_the_write_stale(shop: Shop):
    shop.sell(1, place=DOWNTOWN)

    assert verdicts(shop.publish(wish(7, 5))) == ["stale"]
    assert shop.shown() == 4


def test_one_bad_item_leaves_its_neighbours_unsent(shop: Shop):
    rows = [
        wish(4, 5),
        wish(1, 0, GHOST),
        wish(1, 0, BUNDLE),
        wish(1, 2, SCARF),
        wish(1, 3, ITEM, "1"),
    ]

    outcomes = shop.publish(*rows)

    assert verdicts(outcomes) == ["unsent", "rejected", "rejected", "stale", "rejected"]
    assert "bundle" in str(outcomes[2].reason)
    assert shop.shown() == 5


def test_two_rows_for_one_number_are_refused(shop: Shop):
    outcomes = shop.publish(wish(4, 5), wish(3, 5))

    assert verdicts(outcomes) == ["unsent", "rejected"]
    assert "two listings" in str(outcomes[1].reason)


def test_the_same_write_under_the_same_key_happens_once(shop: Shop):
    assert verdicts(shop.publish(wish(4, 5), key="k1")) == ["accepted"]
    shop.do("edit", item=ITEM, place=DOWNTOWN, quantity=5)

    assert verdicts(shop.publish(wish(4, 5), key="k1")) == ["accepted"]

    assert shop.shown() == 5


def test_a_key_belongs_to_its_numbers(shop: Shop):
    shop.publish(wish(4, 5), key="k1")

    with pytest.raises(GiveUp, match="PARAMETER_MISMATCH"):
        shop.publish(wish(3, 4), key="k1")


def test_a_key_whose_call_failed_is_spent(shop: Shop):
    assert verdicts(shop.publish(wish(4, 1), key="k1")) == ["stale"]

    assert verdicts(shop.publish(wish(4, 1), key="k1")) == ["unsent"]


def test_a_lost_answer_is_made_good_by_the_same_key(shop: Shop):
    shop.do("weather", hang_up=1)
    with pytest.raises(RetryLater):
        shop.publish(wish(4, 5), key="k1")
    shop.do("weather")

    assert verdicts(shop.publish(wish(4, 5), key="k1")) == ["accepted"]
    assert shop.shown() == 4


def test_the_same_key_at_the_same_time_waits(opened: Any):
    shop = opened(write_seconds=0.5)

    def publish(_: int) -> str:
        try:
            return verdicts(shop.publish(wish(4, 5), key="k1"))[0]
        except RetryLater as error:
            return "unsure" if error.unknown else "not sent"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(publish, range(2))) == ["accepted", "unsure"]


def test_a_lie_is_a_success_that_changes_nothing(shop: Shop):
    shop.do("weather", lie=True)

    assert verdicts(shop.publish(wish(4, 5))) == ["accepted"]
    assert shop.shown() == 5


def test_only_so_many_numbers_go_into_one_call(opened: Any):
    ids = [str(900_000 + n) for n in range(251)]
    items = [{"id": one, "sku": one} for one in ids]
    shop = opened(items=items, stock={})

    assert set(verdicts(shop.publish(*(wish(1, 0, one) for one in ids[:250])))) == {
        "accepted"
    }
    with pytest.raises(GiveUp, match="MAX_INPUT_SIZE_EXCEEDED"):
        shop.publish(*(wish(2, 1, one) for one in ids))


def test_an_empty_bucket_says_how_long_to_wait(opened: Any):
    shop = opened(bucket=20, restore_rate=1)
    shop.publish(wish(4, 5))

    with pytest.raises(RetryLater) as caught:
        shop.publish(wish(3, 4))

    assert caught.value.after == pytest.approx(6, abs=1.1)


def by_hand(shop: Shop, document: str, token: str = "shpat_1", **variables: Any) -> Any:
    answer = requests.post(
        f"{shop.url}/admin/api/2026-10/graphql.json",
        json={"query": document, "variables": variables},
        headers={"X-Shopify-Access-Token": token},
        timeout=5,
    )
    return answer.status_code, answer.json()


def test_the_rules_that_the_schema_does_not_show_hold_at_run_time(shop: Shop):
    row = {
        "inventoryItemId": f"gid://shopify/InventoryItem/{ITEM}",
        "locationId": f"gid://shopify/Location/{DOWNTOWN}",
        "quantity": 4,
    }
    given = {"name": "available", "reason": "correction", "quantities": [row]}
    keyless = SET_QUANTITIES.replace("@idempotent(key: $key)", "").replace(
        ", $key: String!", ""
    )

    status, without_key = by_hand(shop, keyless, input=given)
    _, without_old = by_hand(shop, SET_QUANTITIES, input=given, key="k1")
    _, forced = by_hand(
        shop,
        SET_QUANTITIES,
        input={**given, "quantities": [{**row, "changeFromQuantity": None}]},
        key="k2",
    )

    assert status == 200
    assert "@idempotent directive is required" in without_key["errors"][0]["message"]
    assert without_old["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"
    assert forced["data"]["inventorySetQuantities"]["userErrors"] == []
    assert shop.shown() == 4


def test_a_query_that_costs_too_much_or_makes_no_sense_is_refused(shop: Shop):
    dear = "{ orders(first: 100) { nodes { lineItems(first: 50) { nodes { id } } } } }"

    _, refused = by_hand(shop, dear)
    _, unknown = by_hand(shop, "{ order(id: 1) { favouriteColour } }")

    assert refused["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert "favouriteColour" in unknown["errors"][0]["message"]


# -- tokens --------------------------------------------------------------------------


def test_an_unknown_token_is_refused(shop: Shop):
    with pytest.raises(CredentialsRefused, match="401"):
        shop.adapter(access_token=["shpat_other"]).read([wish(0, 0)])


def test_a_client_logs_in_and_stays_logged_in(opened: Any):
    shop = opened(client_id="id-1", client_secret="secret-1")
    adapter = shop.adapter(client_id=["id-1"], client_secret=["secret-1"])

    assert adapter.read([wish(0, 0)])[0].available == 5
    assert adapter.read([wish(0, 0)])[0].available == 5

    state = requests.get(f"{shop.url}/_sandbox/state", timeout=5).json()
    assert state["calls"] == 3


def test_a_token_the_shop_revoked_is_replaced(opened: Any):
    shop = opened(client_id="id-1", client_secret="secret-1")
    adapter = shop.adapter(client_id=["id-1"], client_secret=["secret-1"])
    adapter.read([wish(0, 0)])

    shop.sandbox.tokens.clear()

    assert adapter.read([wish(0, 0)])[0].available == 5


def test_a_wrong_client_secret_is_told(opened: Any):
    shop = opened(client_id="id-1", client_secret="secret-1")
    adapter = shop.adapter(client_id=["id-1"], client_secret=["wrong-secret"])

    with pytest.raises(CredentialsRefused, match="installed"):
        adapter.read([wish(0, 0)])


def test_bad_weather_is_an_error_of_its_kind(shop: Shop):
    shop.do("weather", status=429, retry_after=7)

    with pytest.raises(RetryLater) as caught:
        shop.publish(wish(4, 5))

    assert caught.value.after == 7
    shop.do("weather")
    assert shop.shown() == 5

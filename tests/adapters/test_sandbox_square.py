"""The Square sandbox, spoken to by our adapter and by hand over real HTTP."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from square.utils.webhooks_helper import verify_signature

from adapters.http import Http
from adapters.sandbox.square import SquareSandbox
from adapters.square import Square
from app.domain import instants
from app.domain.channels import Channel, Wish
from app.domain.errors import CredentialsRefused, RetryLater
from app.domain.events import OBSERVED, RETURNED, SHIPPED, Message, StockEvent
from app.domain.instants import SECOND
from tests.adapters.sandboxes import Receiver, control, receiving, serving
from tests.contract.recorded import recent

KEY = "signature-key"


class Till:
    """A sandbox, the adapter of a channel that talks to it, and what it was sent."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.url = url
        self.receiver = receiver
        channel = Channel(
            1,
            "till",
            "square",
            base_url=url,
            settings={"notification_url": receiver.url},
            secrets={"webhook": [KEY], "access_token": ["token"]},
            locations={"downtown": "L1"},
        )
        self.adapter = Square(channel, Http("Square", "till", deadline=5))

    def do(self, action: str, **body: Any) -> dict[str, Any]:
        return control(self.url, action, **body)

    def sell(self, quantity: int = 1, **more: Any) -> dict[str, Any]:
        line = {"item": "V1", "quantity": quantity}
        return self.do("sell", lines=[line], place="L1", shipped=True, **more)

    def shown(self) -> int | None:
        return self.adapter.read([wish(0)])[0].available

    def publish(self, available: int, ago: float) -> None:
        wishes = [wish(available, ago)]
        composed = self.adapter.compose(wishes)
        outcomes = self.adapter.send(composed, wishes, str(uuid.uuid4()))
        assert [one.verdict for one in outcomes] == ["accepted"]

    def said(self, topic: str, many: int = 1) -> list[StockEvent]:
        """What the webhooks of a topic mean, each resolved as the worker does."""
        requests_ = self.receiver.wait(
            lambda got: sum(_topic(one.body) == topic for one in got) >= many
        )
        events: list[StockEvent] = []
        for request in requests_:
            if _topic(request.body) == topic:
                self.adapter.verify(request)
                events += self._resolved(topic, request.body)
        return events

    def _resolved(self, topic: str, body: bytes) -> tuple[StockEvent, ...]:
        first = Message(topic, self.adapter.document(body), instants.now())
        read = self.adapter.normalise(first).read
        if read is None:
            return self.adapter.normalise(first).events
        fetched = self.adapter.fetch(first, read)
        again = Message(topic, first.document, first.received_at, fetched=fetched)
        return self.adapter.normalise(again).events


def _topic(body: bytes) -> str:
    return json.loads(body)["type"]


def wish(available: int, ago: float = 0.0) -> Wish:
    stamp = instants.now() - int(ago * SECOND)
    return Wish(1, "JACKET", "V1", None, "L1", available, 1, stamp=stamp)


@pytest.fixture
def till() -> Iterator[Till]:
    with receiving() as receiver:
        sandbox = SquareSandbox(
            {
                "webhook_url": receiver.url,
                "secret": KEY,
                "token": "token",
                "items": [{"id": "V1", "sku": "JACKET"}],
                "locations": [{"id": "L1", "name": "Downtown"}],
                "stock": {"V1": {"L1": 5}},
                "retry_seconds": [0.05, 0.05],
            }
        )
        with serving(sandbox) as url:
            yield Till(url, receiver)


def test_a_till_sale_becomes_one_shipment_at_its_place(till: Till):
    sold = till.sell(2)

    (event,) = till.said("payment.updated")

    assert (event.kind, event.quantity, event.place) == (SHIPPED, 2, "L1")
    assert (event.order, event.external_id) == (sold["order"], "V1")
    assert till.shown() == 3
    assert "order.created" not in {_topic(one.body) for one in till.receiver.got}


def test_squares_own_package_believes_the_sandbox(till: Till):
    till.sell()

    for request in till.receiver.wait(lambda got: len(got) >= 3):
        assert verify_signature(
            request_body=request.body.decode(),
            signature_header=request.headers["x-square-hmacsha256-signature"],
            signature_key=KEY,
            notification_url=till.receiver.url,
        )


def test_an_order_to_be_picked_up_is_placed_then_handed_over(till: Till):
    line = {"item": "V1", "quantity": 1}
    order = till.do("sell", lines=[line], place="L1", number="W-7")["order"]
    (placed,) = till.said("order.created")
    till.do("ship", order=order)
    events = till.said("order.updated")

    assert (placed.kind, placed.quantity, placed.order_number) == ("placed", 1, "W-7")
    assert [(one.kind, one.quantity) for one in events] == [("placed", 1), (SHIPPED, 1)]
    assert events[-1].version > placed.version


def test_a_cancelled_order_promises_nothing_any_more(till: Till):
    line = {"item": "V1", "quantity": 1}
    order = till.do("sell", lines=[line], place="L1")["order"]
    till.do("cancel", order=order, restock=True)

    (event,) = till.said("order.updated")

    assert (event.kind, event.quantity) == ("placed", 0)
    assert till.shown() == 5


def test_goods_brought_back_name_the_line_they_were_sold_on(till: Till):
    sold = till.sell(2)
    till.do("refund", order=sold["order"], quantity=1, restock="return")

    (event,) = till.said("refund.updated")

    assert (event.kind, event.quantity) == (RETURNED, 1)
    assert (event.order, event.line) == (sold["order"], sold["lines"][0])
    assert till.shown() == 4


def test_a_number_edited_by_hand_is_observed(till: Till):
    till.do("edit", item="V1", place="L1", quantity=2)

    (event,) = till.said("inventory.count.updated")

    assert (event.kind, event.quantity) == (OBSERVED, 2)


def test_a_count_stamped_now_swallows_the_sale_of_an_offline_till(till: Till):
    till.publish(5, ago=0.01)
    till.sell(seconds_ago=60)

    assert till.shown() == 5


def test_a_count_stamped_with_its_own_time_leaves_that_sale_alone(till: Till):
    till.publish(5, ago=120)
    till.sell(seconds_ago=60)

    assert till.shown() == 4


def test_an_older_count_never_undoes_a_newer_one(till: Till):
    till.publish(3, ago=10)
    till.publish(9, ago=20)

    assert till.shown() == 3


def test_the_second_five_of_five_four_five_arrives(till: Till):
    till.publish(5, ago=10)
    till.sell(seconds_ago=5)
    till.publish(5, ago=1)

    assert till.shown() == 5


def change(**changes: Any) -> dict[str, Any]:
    count = {
        "catalog_object_id": "V1",
        "state": "IN_STOCK",
        "location_id": "L1",
        "quantity": "4",
        "occurred_at": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
    }
    return {"type": "PHYSICAL_COUNT", "physical_count": {**count, **changes}}


def create(till: Till, *changes: dict[str, Any], key: str) -> requests.Response:
    return requests.post(
        f"{till.url}/v2/inventory/changes/batch-create",
        json={"idempotency_key": key, "changes": list(changes)},
        headers={"Authorization": "Bearer token"},
        timeout=5,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"catalog_object_id": "V9"},
        {"location_id": "L9"},
        {"quantity": 4},
        {"quantity": "-1"},
        {"state": "SOLD"},
        {"occurred_at": "2126-01-01T00:00:00Z"},
        {"occurred_at": "2026-01-01T00:00:00Z"},
        {"occurred_at": "yesterday"},
    ],
)
def test_one_wrong_change_refuses_the_whole_call_and_is_named(
    till: Till, wrong: dict[str, Any]
):
    answer = create(till, change(), change(**wrong), key="k")

    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert error["field"] == f"changes[1].physical_count.{next(iter(wrong))}"
    assert till.shown() == 5


def test_a_key_is_good_for_one_body_only(till: Till):
    first = change()

    assert create(till, first, key="k").ok
    till.sell()
    assert create(till, first, key="k").ok
    assert till.shown() == 3
    again = create(till, change(quantity="9"), key="k")
    assert again.json()["errors"][0]["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_the_wrong_token_is_told_apart_from_bad_weather(till: Till):
    stranger = Channel(2, "x", "square", till.url, {}, {"access_token": ["no"]})
    with pytest.raises(CredentialsRefused):
        Square(stranger, Http("Square", "x")).read([wish(1)])

    till.do("weather", status=429)
    with pytest.raises(RetryLater):
        till.shown()
    till.do("weather", errors=1)
    with pytest.raises(RetryLater, match="internal error"):
        till.shown()


def test_a_refused_webhook_comes_again_and_says_so(till: Till):
    till.receiver.answers = [500, 500, 500]
    till.do("edit", item="V1", place="L1", quantity=2)

    requests_ = till.receiver.wait(lambda got: len(got) >= 3)

    assert len({one.body for one in requests_}) == 1
    numbers = [one.headers.get("square-retry-number") for one in requests_]
    assert numbers == [None, "1", "2"]


def test_orders_that_changed_since_are_found(till: Till):
    sold = till.sell()
    since = instants.now() - 60 * SECOND

    found = [document["order"]["id"] for _, document in recent(till.adapter, since)]

    assert found == [sold["order"]]
    assert list(recent(till.adapter, instants.now() + SECOND)) == []


def test_numbers_that_changed_since_are_found_with_their_time(till: Till):
    began = instants.now()
    assert list(till.adapter.shown_since(began)) == [[]]
    till.do("edit", item="V1", place="L1", quantity=7)
    [seen] = till.said("inventory.count.updated")

    [[level]] = till.adapter.shown_since(began)

    assert level == ("V1", "L1", 7, seen.occurred_at), "as its webhook says it"
    assert list(till.adapter.shown_since(level.changed_at)) == [[]]

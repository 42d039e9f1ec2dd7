"""The till that is not real: it shows what is published and tells what it does."""

import json

import pytest
import requests

from adapters.http import Http
from adapters.sandbox.standard import StandardSandbox
from adapters.signatures import StandardWebhooks
from adapters.standard import Standard
from app.domain.channels import Channel
from app.domain.instants import now
from tests.adapters.sandboxes import control, receiving, serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def hub():
    with receiving() as found:
        yield found


@pytest.fixture
def till(hub):
    sandbox = StandardSandbox(
        {
            "webhook_url": hub.url,
            "secret": SECRET,
            "items": [{"id": "J", "sku": "JACKET"}],
            "stock": {"J": {"": 2}},
        }
    )
    with serving(sandbox) as url:
        yield url


def publish(url: str, available: int, version: int, item: str = "J", **headers: str):
    row = {"external_id": item, "location": None, "available": available}
    body = {"type": "stock.published", "data": [{**row, "version": version}]}
    raw = json.dumps(body).encode()
    signed = StandardWebhooks().sign(raw, SECRET, now(), "msg_1")
    return requests.post(
        f"{url}/stock", data=raw, headers={**signed, **headers}, timeout=5
    )


def shows(url: str) -> int:
    state = requests.get(f"{url}/_sandbox/state", timeout=5).json()
    return state["stock"]["J"][""]


def test_it_shows_the_newest_number_that_was_published(till: str) -> None:
    assert publish(till, 7, 2).status_code == 200
    assert publish(till, 9, 1).status_code == 200

    assert shows(till) == 7


def test_it_takes_nothing_that_is_not_signed(till: str) -> None:
    answer = publish(till, 7, 2, **{"webhook-signature": "v1,bm8="})

    assert answer.status_code == 401
    assert shows(till) == 2


def test_it_rejects_an_item_that_it_does_not_sell(till: str) -> None:
    (row,) = publish(till, 1, 1, item="K").json()["results"]

    assert row["status"] == "rejected"


def test_what_it_tells_is_signed_and_understood(till: str, hub) -> None:
    sold = control(till, "sell", lines=[{"item": "J", "quantity": 1}], shipped=True)
    ordered = control(till, "sell", lines=[{"item": "J", "quantity": 1}])
    control(till, "cancel", order=ordered["order"], restock=True)
    control(till, "refund", order=sold["order"], quantity=1)
    got = hub.wait(lambda found: len(found) == 4)

    channel = Channel(1, "till", "standard", secrets={"webhook": [SECRET]})
    adapter = Standard(channel, Http("Standard", "till"))
    for request in got:
        adapter.verify(request)
    told = {json.loads(one.body)["type"]: json.loads(one.body) for one in got}
    assert set(told) == {"sale", "order", "cancellation", "return"}
    assert told["return"]["lines"] == [
        {"id": sold["lines"][0], "sku": "J", "quantity": 1}
    ]
    assert shows(till) == 2

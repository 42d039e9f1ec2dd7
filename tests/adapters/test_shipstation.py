"""ShipStation, where it is peculiar; what every adapter must do is in tests/contract."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import responses
from responses import matchers

from adapters.http import Http
from adapters.parts import shipstation_keys
from adapters.sandbox.shipstation import ShipStationSandbox
from adapters.shipstation import ShipStation
from adapters.signatures import SignedRequest
from app.domain import instants
from app.domain.channels import Channel
from app.domain.errors import (
    BadConfiguration,
    GiveUp,
    InvalidSignature,
    MalformedPayload,
    MissingHeader,
    RetryLater,
)
from app.domain.events import Message, Read, StockEvent
from app.domain.instants import SECOND, iso, parse
from tests.adapters.sandboxes import Receiver, control, receiving, serving
from tests.contract.recorded import recent

FIXTURES = Path(__file__).parent.parent / "fixtures" / "shipstation"
NOW = parse("2026-11-23T12:00:00Z")
SECRETS = {
    "api_key": ["v2-key"],
    "v1_key": ["v1-key"],
    "v1_secret": ["v1-secret"],
    "webhook": ["token"],
}


def shipstation(**changes) -> ShipStation:
    channel = Channel(1, "parcels", "shipstation", **{"secrets": SECRETS, **changes})
    return ShipStation(channel, Http("ShipStation", "parcels", deadline=2))


def pointer(url: object, topic: str = "SHIP_NOTIFY") -> Message:
    return Message(topic, {"resource_url": url, "resource_type": topic}, NOW)


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        ({"webhook": ["token"]}, "secrets.api_key"),
        ({"v1_key": ["k"]}, "secrets.v1_secret"),
        ({"v1_secret": ["s"], "api_key": ["k"]}, "secrets.v1_key"),
    ],
)
def test_a_channel_that_cannot_read_is_refused_by_field(secrets: dict, field: str):
    with pytest.raises(BadConfiguration) as caught:
        ShipStation.check(shipstation(secrets=secrets).channel)

    assert caught.value.field == field


# -- where a webhook may lead --------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://ssapi.shipstation.com/shipments",
        "https://ssapi.shipstation.com.evil.example/shipments",
        "https://evil.example/ssapi.shipstation.com",
        "https://ssapi.shipstation.com@evil.example/",
        "https://key:secret@ssapi.shipstation.com/",
        "https://evil.example\\@ssapi.shipstation.com/",
        "https://ssapi.shipstation.com:8443/shipments",
        "https://ssapi-evil.shipstation.com/",
        "https://api.shipstation.com/v2/labels",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1",
        "file:///etc/passwd",
        "",
        None,
        7,
    ],
)
@responses.activate
def test_our_keys_are_sent_nowhere_but_to_shipstation(url: object):
    adapter = shipstation()

    with pytest.raises(MalformedPayload, match=r"^resource_url: "):
        adapter.normalise(pointer(url))
    with pytest.raises(MalformedPayload, match=r"^resource_url: "):
        adapter.fetch(pointer(url), Read("v1", url))
    assert not responses.calls


@pytest.mark.parametrize(
    ("url", "topic"),
    [
        ("https://ssapi.shipstation.com/shipments?batchId=1", "SHIP_NOTIFY"),
        ("https://ssapi12.shipstation.com/shipments", "ITEM_SHIP_NOTIFY"),
        ("https://api.shipstation.com/v2/labels?batch_id=se-1", "LABEL_CREATED_V2"),
        ("https://api.shipengine.com/v1/labels", "LABEL_CREATED_V2"),
    ],
)
def test_the_hosts_of_shipstation_are_read(url: str, topic: str):
    assert shipstation().normalise(pointer(url, topic)).read.id == url


def test_another_base_url_replaces_every_host():
    adapter = shipstation(base_url="http://127.0.0.1:9/")

    assert adapter.normalise(pointer("http://127.0.0.1:9/shipments")).read
    for url in ("http://127.0.0.1:10/x", "https://ssapi.shipstation.com/shipments"):
        with pytest.raises(MalformedPayload):
            adapter.normalise(pointer(url))


@responses.activate
def test_each_api_is_read_with_its_own_key():
    responses.get("https://ssapi.shipstation.com/shipments", json={"shipments": []})
    responses.get("https://api.shipstation.com/v2/shipments", json={"shipments": []})
    first, second = (
        "https://ssapi.shipstation.com/shipments?includeShipmentItems=False&batchId=7",
        "https://api.shipstation.com/v2/shipments?import_batch_id=7",
    )
    adapter = shipstation()
    adapter.fetch(pointer(first), Read("v1", first))
    adapter.fetch(pointer(second), Read("v2", second))

    one, two = (call.request for call in responses.calls)
    assert one.headers["Authorization"] == "Basic djEta2V5OnYxLXNlY3JldA=="
    assert "API-Key" not in one.headers
    assert one.params["includeShipmentItems"] == "true"
    assert one.params["batchId"] == "7"
    assert two.headers["API-Key"] == "v2-key"
    assert "Authorization" not in two.headers


def test_a_webhook_of_an_api_we_have_no_key_for_waits_for_a_person():
    url = "https://api.shipstation.com/v2/labels?batch_id=1"
    adapter = shipstation(secrets={"v1_key": ["k"], "v1_secret": ["s"]})

    with pytest.raises(GiveUp, match=r"secrets\.api_key"):
        adapter.fetch(pointer(url), Read("v2", url))


@responses.activate
def test_a_full_minute_is_waited_for_as_long_as_shipstation_says():
    url = "https://ssapi.shipstation.com/shipments"
    responses.get(url, status=429, headers={"X-Rate-Limit-Reset": "23"})

    with pytest.raises(RetryLater) as caught:
        shipstation().fetch(pointer(url), Read("v1", url))

    assert caught.value.after == 23


# -- times ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-07-01T09:00:00.0000000", "2026-07-01T16:00:00Z"),
        ("2026-12-01T09:00:00", "2026-12-01T17:00:00Z"),
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
    ],
)
def test_times_of_v1_are_pacific_unless_they_say_otherwise(written: str, meant: str):
    row = {
        "shipmentId": 1,
        "orderNumber": "1001",
        "createDate": written,
        "shipmentItems": [{"sku": "JACKET", "quantity": 1}],
    }
    said = {"resource_type": "shipments.read", "shipments": [row]}

    (event,) = shipstation().normalise(Message("shipments.read", said, NOW)).events

    assert iso(event.occurred_at) == meant


def test_one_bad_shipment_holds_none_of_the_others_back():
    row = {
        "shipmentId": 1,
        "orderNumber": "1001",
        "createDate": "2026-11-23T09:00:00",
        "shipmentItems": [{"sku": "JACKET", "quantity": 1}],
    }
    without_order = {**row, "shipmentId": 2, "orderNumber": None}
    broken = {**row, "shipmentId": 3, "createDate": "yesterday"}
    last = {**row, "shipmentId": 4, "orderNumber": "1002"}
    rows = [row, without_order, broken, last]
    said = {"resource_type": "shipments.read", "shipments": rows}

    found = shipstation().normalise(Message("shipments.read", said, NOW))

    assert [event.order for event in found.events] == ["1001", "1002"]
    assert found.ignored == ("shipments[1] belongs to no order.",)
    assert found.bad == ("shipments[2].createDate: not a time",)


@responses.activate
def test_a_shipment_that_is_gone_keeps_none_of_the_others_from_being_read():
    host = "https://api.shipstation.com/v2"
    label = {"created_at": "2026-11-23T09:00:00Z", "status": "completed"}
    both = [{**label, "shipment_id": one} for one in ("se-1", "se-2")]
    listed = matchers.query_param_matcher({"batch_id": "7"}, strict_match=False)
    responses.get(f"{host}/labels", json={"labels": both, "pages": 1}, match=[listed])
    responses.get(f"{host}/labels", json={"labels": [label], "pages": 1})
    responses.get(f"{host}/shipments/se-1", status=404, json={"errors": []})
    items = [{"sku": "JACKET", "quantity": 1}]
    second = {"shipment_id": "se-2", "shipment_number": "1002", "items": items}
    responses.get(f"{host}/shipments/se-2", json=second)
    message = pointer(f"{host}/labels?batch_id=7", "LABEL_CREATED_V2")
    adapter = shipstation()
    read = adapter.normalise(message).read
    assert read is not None

    fetched = adapter.fetch(message, read)
    said = adapter.normalise(replace(message, fetched=fetched))

    assert [event.order for event in said.events] == ["1002"]
    assert said.ignored == ("shipments[0] belongs to no order.",)


def test_nobody_can_send_us_a_shipment_that_shipstation_was_not_asked_for():
    adapter = shipstation()
    body = b'{"resource_type": "shipments.read", "shipments": [{"shipmentId": 1}]}'

    with pytest.raises(MalformedPayload, match=r"^shipments: "):
        adapter.normalise(Message("shipments.read", adapter.document(body), NOW))


# -- signatures --------------------------------------------------------------------


VECTOR = json.loads((FIXTURES / "signature.json").read_text())
KEYS = VECTOR["exchange"][0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The process's clock for keys, and rings that know nothing yet."""
    monkeypatch.setattr(shipstation_keys, "_RINGS", {})
    now = [1000.0]
    monkeypatch.setattr(shipstation_keys, "_clock", lambda: now[0])
    return now


def signed(key: str = VECTOR["signing_key"], **changes: str) -> SignedRequest:
    headers = dict(shipstation().scheme().sign(b"{}", key, NOW))
    return SignedRequest({**headers, **changes}, b"{}", NOW)


@responses.activate
def test_the_key_list_is_read_once_for_many_webhooks(clock: list[float]):
    responses.get(KEYS["url"], json=KEYS["json"])

    for _ in range(3):
        shipstation().verify(signed())

    assert len(responses.calls) == 1


@responses.activate
def test_made_up_key_ids_cause_one_look_a_minute(clock: list[float]):
    responses.get(KEYS["url"], json=KEYS["json"])
    shipstation().verify(signed())

    for second in range(0, 121, 10):
        clock[0] = 1000.0 + second
        with pytest.raises(InvalidSignature):
            shipstation().verify(signed(VECTOR["other_signing_key"]))

    assert len(responses.calls) == 3


@responses.activate
def test_a_withdrawn_key_is_refused_after_a_day(clock: list[float]):
    responses.get(KEYS["url"], json=KEYS["json"])
    shipstation().verify(signed())
    responses.replace("GET", KEYS["url"], json={"keys": []})

    clock[0] += 25 * 3600
    with pytest.raises(InvalidSignature):
        shipstation().verify(signed())


@responses.activate
def test_an_old_list_serves_while_a_new_one_cannot_be_read(clock: list[float]):
    responses.get(KEYS["url"], json=KEYS["json"])
    shipstation().verify(signed())
    responses.replace("GET", KEYS["url"], status=500)

    clock[0] += 25 * 3600
    shipstation().verify(signed())


@responses.activate
def test_a_webhook_is_not_refused_for_good_while_no_list_can_be_read(
    clock: list[float],
):
    responses.get(KEYS["url"], status=500)

    for _ in range(2):
        with pytest.raises(RetryLater):
            shipstation().verify(signed())
    assert len(responses.calls) == 1
    responses.replace("GET", KEYS["url"], json=KEYS["json"])
    clock[0] += 6
    shipstation().verify(signed())


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, KEYS["url"]),
        ({"base_url": "http://127.0.0.1:9/"}, "http://127.0.0.1:9/jwks"),
        ({"settings": {"jwks_url": "https://keys.example/"}}, "https://keys.example/"),
    ],
)
@responses.activate
def test_the_key_list_is_where_the_channel_says(
    clock: list[float], changes: dict, url: str
):
    responses.get(url, json=KEYS["json"])

    shipstation(**changes).verify(signed())


def test_the_token_in_the_address_speaks_for_v1():
    adapter = shipstation()

    adapter.verify(SignedRequest({}, b"{}", NOW, token="token"))
    with pytest.raises(InvalidSignature):
        adapter.verify(SignedRequest({}, b"{}", NOW, token="guess"))
    with pytest.raises(MissingHeader):
        adapter.verify(SignedRequest({}, b"{}", NOW))


# -- with the sandbox, over real HTTP --------------------------------------------------


def sandbox(receiver: Receiver, api: str) -> ShipStationSandbox:
    return ShipStationSandbox(
        {
            "webhook_url": receiver.url,
            "secret": "token",
            "api": api,
            "api_key": "v2-key",
            "v1_key": "v1-key",
            "v1_secret": "v1-secret",
            "retry_seconds": [],
        }
    )


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_label_ships_the_order_and_voiding_it_takes_that_back(
    api: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shipstation_keys, "_RINGS", {})
    with receiving() as receiver, serving(sandbox(receiver, api)) as url:
        adapter = shipstation(base_url=url)
        lines = [{"sku": "JACKET", "quantity": 1}, {"sku": "JACKET", "quantity": 1}]
        made = control(url, "ship", number="#1001", lines=lines)
        (request,) = receiver.wait(lambda got: len(got) == 1)
        adapter.verify(request)
        (shipped,) = events_of(adapter, request.body)
        since = instants.now() - 60 * SECOND
        control(url, "void", shipment=made["shipment"])
        found = [
            event
            for topic, document in recent(adapter, since)
            for event in adapter.normalise(Message(topic, document, NOW)).events
            if event.fact == shipped.fact
        ]

    assert (shipped.quantity, shipped.order_number, shipped.sku) == (
        2,
        "1001",
        "JACKET",
    )
    assert {event.quantity for event in found} == {0}
    assert all(event.version > shipped.version for event in found)


def test_what_is_marked_as_shipped_without_a_label_left_told_or_found(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(shipstation_keys, "_RINGS", {})
    with receiving() as receiver, serving(sandbox(receiver, "v2")) as url:
        adapter = shipstation(base_url=url, secrets={"api_key": ("v2-key",)})
        lines = [{"sku": "JACKET", "quantity": 1}]
        since = instants.now() - 60 * SECOND
        for number in ("1001", "1002", "1003"):
            control(url, "ship", number=number, lines=lines, label=number != "1002")
        told = [
            event
            for request in receiver.wait(lambda got: len(got) == 3)
            for event in events_of(adapter, request.body)
        ]
        changes = list(adapter.changes(since))

    found = [
        event
        for change in changes
        for event in adapter.normalise(
            Message(change.topic, change.document, NOW)
        ).events
    ]
    assert [event.order_number for event in found] == ["1001", "1002", "1003"]
    assert sorted(told, key=lambda event: event.order_number or "") == found
    times = [change.listed_at for change in changes]
    assert None not in times
    assert times == sorted(times)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_what_was_labelled_is_listed_oldest_first_so_that_reading_can_go_on(
    api: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shipstation_keys, "_RINGS", {})
    only = ("v1_key", "v1_secret") if api == "v1" else ("api_key",)
    with receiving() as receiver, serving(sandbox(receiver, api)) as url:
        adapter = shipstation(base_url=url)
        secrets = {name: adapter.channel.secrets[name] for name in (*only, "webhook")}
        adapter = shipstation(base_url=url, secrets=secrets)
        lines = [{"sku": "JACKET", "quantity": 1}]
        for number in ("1001", "1002", "1003"):
            control(url, "ship", number=number, lines=lines)
        first = list(adapter.changes(instants.now() - 60 * SECOND))
        rest = list(adapter.changes(first[1].listed_at))

    assert [change.listed_at for change in first] == sorted(
        change.listed_at for change in first
    )
    numbers = [
        event.order_number
        for change in rest
        for event in adapter.normalise(
            Message(change.topic, change.document, NOW)
        ).events
    ]
    assert numbers[-2:] == ["1002", "1003"]


def events_of(adapter: ShipStation, body: bytes) -> tuple[StockEvent, ...]:
    document = adapter.document(body)
    topic = adapter.topic({}, document)
    read = adapter.normalise(Message(topic, document, NOW)).read
    fetched = adapter.fetch(Message(topic, document, NOW), read)
    return adapter.normalise(Message(topic, document, NOW, fetched=fetched)).events

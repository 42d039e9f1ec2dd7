"""Square, where it is peculiar; what every adapter must do is in tests/contract."""

import dataclasses
import json

import pytest
import responses
from square.utils.webhooks_helper import verify_signature

from adapters.http import Http
from adapters.signatures import SignedRequest
from adapters.square import Square
from app.domain.channels import Channel, Wish
from app.domain.errors import (
    BadConfiguration,
    CredentialsRefused,
    InvalidSignature,
    MalformedPayload,
    RetryLater,
)
from app.domain.events import DAMAGED, RETURNED, SELLABLE, SHIPPED, Message, Read
from app.domain.instants import iso, parse
from tests.contract.recorded import recent

NOW = parse("2026-11-23T12:00:00Z")
HOST = "https://connect.squareup.com"

VECTORS = [
    (
        "asdf1234",
        "https://example.com/webhook",
        '{"hello":"world"}',
        "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=",
    ),
    (
        "signature-key",
        "https://webhook.site/webhooks",
        '{"data":{"type":"webhooks","id":">id<"}}',
        "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U=",
    ),
    (
        "Ibxx_5AKakO-3qeNVR61Dw",
        "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
        (
            '{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",'
            '"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f",'
            '"created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks",'
            '"id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
        ),
        "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
    ),
]


def square(**changes) -> Square:
    given = {
        "settings": {"notification_url": "https://stock.example.com/webhooks/till"},
        "secrets": {"webhook": ["key"], "access_token": ["token"]},
        "locations": {"downtown": "L1", "uptown": "L2"},
    }
    channel = Channel(1, "till", "square", **{**given, **changes})
    return Square(channel, Http("Square", "till", deadline=2))


def wish(number: int = 1, **changes) -> Wish:
    made = Wish(number, "JACKET", "V1", None, "L1", 4, 1, stamp=NOW)
    return dataclasses.replace(made, **changes)


def order(**changes) -> dict:
    return {
        "id": "O1",
        "location_id": "L1",
        "state": "COMPLETED",
        "created_at": "2026-11-23T10:00:00Z",
        "updated_at": "2026-11-23T11:00:00Z",
        "closed_at": "2026-11-23T10:30:00Z",
        "line_items": [{"uid": "1", "catalog_object_id": "V1", "quantity": "2"}],
        **changes,
    }


def told(document: dict, **settings):
    said = {"type": "order.read", "order": document}
    return square(settings=settings).normalise(Message("order.read", said, NOW))


# -- whose webhook -----------------------------------------------------------------


@pytest.mark.parametrize(("key", "url", "body", "header"), VECTORS)
def test_squares_own_package_agrees_with_our_signature(
    key: str, url: str, body: str, header: str
):
    adapter = square(
        settings={"notification_url": url},
        secrets={"webhook": [key], "access_token": ["token"]},
    )
    made = adapter.scheme().sign(body.encode(), key, NOW)

    for given in (header, made["x-square-hmacsha256-signature"]):
        assert verify_signature(
            request_body=body,
            signature_header=given,
            signature_key=key,
            notification_url=url,
        )
        headers = {"x-square-hmacsha256-signature": given}
        adapter.verify(SignedRequest(headers, body.encode(), NOW))


def test_the_address_the_proxy_shows_does_not_matter_but_the_configured_one_does():
    body = b'{"hello":"world"}'
    headers = square().scheme().sign(body, "key", NOW)
    request = SignedRequest(headers, body, NOW)

    square().verify(request)
    with pytest.raises(InvalidSignature):
        square(settings={"notification_url": "http://other/"}).verify(request)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"settings": {"returns": "shelf"}}, "settings.returns"),
        ({"settings": {"shop": "x"}}, "settings.shop"),
        ({"secrets": {"webhook": ["key"]}}, "secrets.access_token"),
    ],
)
def test_a_channel_that_cannot_work_is_refused_by_field(changes: dict, field: str):
    with pytest.raises(BadConfiguration) as caught:
        Square.check(square(**changes).channel)

    assert caught.value.field == field


# -- what an order says -------------------------------------------------------------


def test_a_draft_promises_nothing():
    said = told(order(state="DRAFT"))

    assert (said.events, said.orders) == ((), ())
    assert said.ignored


def test_nobody_can_send_us_an_order_that_square_was_not_asked_for():
    adapter = square()
    body = json.dumps({"type": "order.read", "order": order()}).encode()
    document = adapter.document(body)

    with pytest.raises(MalformedPayload):
        adapter.normalise(Message("order.read", document, NOW))


def test_half_a_jacket_is_malformed_and_half_a_kilo_is_no_stock():
    half = {"uid": "1", "catalog_object_id": "V1", "quantity": "0.5"}

    with pytest.raises(MalformedPayload, match=r"^order\.line_items\[0\]\.quantity: "):
        told(order(line_items=[half]))
    assert not told(order(line_items=[{**half, "quantity_unit": {}}])).events
    whole = {**half, "quantity": "2.000", "quantity_unit": {"precision": 0}}
    assert told(order(line_items=[whole])).events[0].quantity == 2


def test_a_line_that_cannot_be_read_holds_none_of_the_others_back():
    half = {"uid": "1", "catalog_object_id": "V1", "quantity": "0.5"}
    whole = {"uid": "2", "catalog_object_id": "V2", "quantity": "2"}
    back = {"source_line_item_uid": "1", "catalog_object_id": "V1", "quantity": "1.5"}
    parts = [{"uid": "r", "source_order_id": "O0", "return_line_items": [back]}]

    said = told(order(line_items=[half, whole], returns=parts))

    assert [(one.line, one.quantity) for one in said.events] == [("2", 2)]
    assert [words.partition(": ")[0] for words in said.bad] == [
        "order.line_items[0].quantity",
        "order.returns[0].return_line_items[0].quantity",
    ]
    # It is not known what the line is now: it is not told to be gone.
    assert said.orders == ()


def test_a_count_by_measure_takes_no_other_count_with_it():
    def count(item: str, quantity: str) -> dict:
        row = {"catalog_object_id": item, "location_id": "L1", "state": "IN_STOCK"}
        return {**row, "quantity": quantity, "calculated_at": "2026-11-23T10:00:00Z"}

    counts = [count("CHEESE", "1.25"), count("V1", "4")]
    body = {"data": {"object": {"inventory_counts": counts}}}

    said = square().normalise(Message("inventory.count.updated", body, NOW))

    assert [(one.external_id, one.quantity) for one in said.events] == [("V1", 4)]
    assert said.ignored == (
        "data.object.inventory_counts[0] is sold by measure: no number of units.",
    )


def test_one_fact_keeps_its_time_while_its_version_grows():
    first = told(order()).events[0]
    later = told(order(updated_at="2026-11-24T09:00:00Z")).events[0]

    assert first.occurred_at == later.occurred_at == parse("2026-11-23T10:30:00Z")
    assert first.version < later.version


def test_units_that_no_fulfillment_covers_left_over_the_counter():
    entry = {"line_item_uid": "1", "quantity": "1"}
    pickup = {
        "uid": "f",
        "state": "COMPLETED",
        "line_item_application": "ENTRY_LIST",
        "entries": [entry],
        "pickup_details": {"picked_up_at": "2026-11-23T10:20:00Z"},
    }
    shipped = [
        (event.fact, event.quantity, iso(event.occurred_at))
        for event in told(order(fulfillments=[pickup])).events
        if event.kind == SHIPPED
    ]

    assert shipped == [
        ("f", 1, "2026-11-23T10:20:00Z"),
        ("sale", 1, "2026-11-23T10:30:00Z"),
    ]


def test_what_is_paid_and_not_to_be_sent_left_though_the_rest_is_still_to_come():
    pickup = {
        "uid": "f",
        "state": "PROPOSED",
        "line_item_application": "ENTRY_LIST",
        "entries": [{"line_item_uid": "1", "quantity": "1"}],
    }
    still = {"state": "OPEN", "closed_at": None, "fulfillments": [pickup]}
    paid = {"tenders": [{"id": "T"}], "net_amount_due_money": {"amount": 0}}
    owed = {"net_amount_due_money": {"amount": 100}}

    def moves(**more) -> list[tuple]:
        said = told(order(**still, **more))
        return [(event.kind, event.fact, event.quantity) for event in said.events]

    assert moves(**paid) == [("placed", None, 1), ("shipped", "sale", 1)]
    assert moves(**owed) == [("placed", None, 1)]


def returned(**changes) -> dict:
    row = {"uid": "r", "source_line_item_uid": "1", "catalog_object_id": "V1"}
    part = {
        "uid": "ret",
        "source_order_id": "O1",
        "return_line_items": [{**row, "quantity": "1"}],
    }
    return order(returns=[part], **changes)


def test_goods_given_back_within_their_own_order_came_back_when_refunded():
    said = told(returned(refunds=[{"created_at": "2026-11-23T10:50:00Z"}]))
    event = said.events[-1]

    assert (event.kind, event.order, event.line) == (RETURNED, "O1", "1")
    assert iso(event.occurred_at) == "2026-11-23T10:50:00Z"
    assert [whole.lines for whole in said.orders] == [("1",)]


def test_the_paper_of_a_return_does_not_speak_for_the_whole_order():
    said = told(returned(id="O2", line_items=[]))

    assert said.orders == ()
    assert said.events[0].fact == "O2/ret"


@pytest.mark.parametrize("disposition", [SELLABLE, DAMAGED])
def test_the_setting_says_what_becomes_of_returned_goods(disposition: str):
    assert told(returned(), returns=disposition).events[-1].disposition == disposition
    assert told(returned()).events[-1].disposition == SELLABLE


# -- asking Square ------------------------------------------------------------------


@responses.activate
def test_an_id_in_a_webhook_cannot_lead_to_another_address():
    url = f"{HOST}/v2/orders/..%2Flocations%3Fa%3D1"
    responses.get(url, json={"order": order(note="Ada", customer_id="C1")})

    found = square().fetch(Message("", {}, NOW), Read("order", "../locations?a=1"))

    assert set(found["order"]) <= set(order())
    asked = responses.calls[0].request
    assert asked.url == url
    assert asked.headers["Authorization"] == "Bearer token"
    assert asked.headers["Square-Version"] == "2026-09-16"


@responses.activate
def test_errors_inside_a_200_are_no_order():
    error = {"category": "AUTHENTICATION_ERROR", "code": "ACCESS_TOKEN_EXPIRED"}
    responses.get(f"{HOST}/v2/orders/O1", json={"errors": [error]})

    with pytest.raises(CredentialsRefused, match="ACCESS_TOKEN_EXPIRED"):
        square().fetch(Message("", {}, NOW), Read("order", "O1"))


@responses.activate
def test_recent_orders_are_asked_for_ten_places_at_a_time_page_by_page():
    def answer(request):
        asked = json.loads(request.body)
        assert len(asked["location_ids"]) <= 10
        times = asked["query"]["filter"]["date_time_filter"]["updated_at"]
        assert times == {"start_at": "2026-11-23T12:00:00Z"}
        assert asked["query"]["sort"]["sort_field"] == "UPDATED_AT"
        name = asked["location_ids"][0] + asked.get("cursor", "")
        page = {"orders": [order(id=name, customer_id="C1")]}
        return (
            200,
            {},
            json.dumps(page if "cursor" in asked else page | {"cursor": "x"}),
        )

    responses.add_callback("POST", f"{HOST}/v2/orders/search", callback=answer)
    adapter = square(locations={f"ours{n:02}": f"L{n:02}" for n in range(12)})

    found = list(recent(adapter, NOW))

    assert [one["order"]["id"] for _, one in found] == ["L00", "L00x", "L10", "L10x"]
    assert all("customer_id" not in one["order"] for _, one in found)
    topic, document = found[0]
    assert adapter.normalise(Message(topic, document, NOW)).events


@responses.activate
def test_a_channel_that_maps_nothing_asks_for_its_places_first():
    responses.get(f"{HOST}/v2/locations", json={"locations": [{"id": "L9"}]})
    responses.post(f"{HOST}/v2/orders/search", json={})

    assert list(recent(square(locations={}), NOW)) == []
    assert json.loads(responses.calls[1].request.body)["location_ids"] == ["L9"]


@responses.activate
def test_a_reading_tells_what_each_place_shows():
    def count(item: str, place: str, quantity: str, state: str = "IN_STOCK") -> dict:
        names = {"catalog_object_id": item, "location_id": place}
        return {**names, "quantity": quantity, "state": state}

    url = f"{HOST}/v2/inventory/counts/batch-retrieve"
    pages = [
        {"counts": [count("V1", "L1", "4"), count("V2", "L1", "9")], "cursor": "x"},
        {"counts": [count("V1", "L2", "-1"), count("V3", "L1", "0.5")]},
    ]
    for page in pages:
        responses.post(url, json=page)
    wishes = [
        wish(1),
        wish(2, place="L2"),
        wish(3, external_id="V3"),
        wish(4, external_id="V4"),
        wish(5, place=None),
    ]

    found = square().read(wishes)

    shown = [(one.publication_id, one.available) for one in found]
    assert shown == [(1, 4), (2, -1), (3, None), (4, None), (5, None)]
    asked = json.loads(responses.calls[0].request.body)
    assert asked["states"] == ["IN_STOCK"]
    assert asked["catalog_object_ids"] == ["V1", "V3", "V4"]


@responses.activate
def test_changed_numbers_are_asked_for_page_by_page_each_with_its_time():
    def count(item: str, quantity: str, **more: str) -> dict:
        names = {"catalog_object_id": item, "location_id": "L1", "state": "IN_STOCK"}
        at = "2026-11-23T12:00:01.5Z"
        return {**names, "quantity": quantity, "calculated_at": at, **more}

    url = f"{HOST}/v2/inventory/counts/batch-retrieve"
    odd = [count("V3", "0.5"), count("V4", "1", state="WASTE")]
    odd += [count("V5", "1", calculated_at="?")]
    responses.post(url, json={"counts": [count("V1", "4")], "cursor": "x"})
    responses.post(url, json={"counts": [count("V2", "-1"), *odd]})

    pages = list(square().shown_since(NOW))

    at = NOW + 1_500_000
    assert pages == [[("V1", "L1", 4, at)], [("V2", "L1", -1, at)]]
    asked = [json.loads(call.request.body) for call in responses.calls]
    assert asked[0]["updated_after"] == iso(NOW)
    assert asked[0]["location_ids"] == ["L1", "L2"]
    assert [one.get("cursor") for one in asked] == [None, "x"]
    assert list(square(locations={}).shown_since(NOW)) == [], "none of them is ours"


# -- publishing ---------------------------------------------------------------------


def test_a_count_says_the_time_it_was_worked_out_at_and_never_now():
    composed = square().compose([wish(stamp=parse("2026-11-23T10:00:00.001Z"))])
    count = composed["changes"][0]["physical_count"]

    assert count["occurred_at"] == "2026-11-23T10:00:00.001000Z"
    with pytest.raises(ValueError, match="no stamp"):
        square().compose([wish(stamp=None)])


def test_the_second_five_of_five_four_five_is_not_dropped():
    assert square().compose([wish()])["ignore_unchanged_counts"] is False


@responses.activate
def test_nothing_is_sent_when_no_wish_names_a_place():
    outcomes = square().send({"changes": []}, [wish(place=None)], "key")

    assert [one.verdict for one in outcomes] == ["rejected"]
    assert not responses.calls


@responses.activate
def test_a_server_error_inside_a_200_leaves_us_unsure():
    error = {"category": "API_ERROR", "code": "INTERNAL_SERVER_ERROR"}
    url = f"{HOST}/v2/inventory/changes/batch-create"
    responses.post(url, json={"errors": [error]})
    adapter = square()

    with pytest.raises(RetryLater) as caught:
        adapter.send(adapter.compose([wish()]), [wish()], "key")

    assert caught.value.unknown

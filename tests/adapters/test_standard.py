"""The standard provider: what its events are, and what a till's engineer is told."""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, strategies as st

from adapters.http import Http
from adapters.signatures import SignedRequest
from adapters.standard import Standard
from app.domain import events, instants
from app.domain.channels import Channel
from app.domain.errors import (
    MalformedPayload,
    MissingHeader,
)
from app.domain.events import Message, Normalised, StockEvent, key_of

NOW = instants.parse("2026-11-23T12:00:00Z")
TYPES = (
    *("order", "cancellation", "sale", "shipment", "return", "receipt", "expected"),
    *("transfer", "adjustment", "count", "observation"),
)


def standard(places: Mapping[str, str] = MappingProxyType({})) -> Standard:
    channel = Channel(1, "till", "standard", locations=places)
    return Standard(channel, Http("Standard Webhooks", "till"))


def body(topic: str = "sale", line: Any = None, **changes: Any) -> dict[str, Any]:
    """A good body of that type; None takes a field away."""
    one = {"id": "1", "sku": "SCARF", "quantity": 1, "reason": "broken"}
    made = {
        "type": topic,
        "id": "F-1",
        "order": "R-1",
        "occurred_at": "2026-11-23T10:00:00Z",
        "location": "downtown",
        "to": "airport",
        "lines": [{k: v for k, v in (one | (line or {})).items() if v is not None}],
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def normalise(said: Any, *places: Mapping[str, str]) -> Normalised:
    adapter = standard(*places)
    document = adapter.document(json.dumps(said).encode())
    return adapter.normalise(Message(adapter.topic({}, document), document, NOW))


def event(said: Any, *places: Mapping[str, str]) -> StockEvent:
    (found,) = normalise(said, *places).events
    return found


def complaint(said: Any, *places: Mapping[str, str]) -> str:
    with pytest.raises(MalformedPayload) as caught:
        normalise(said, *places)
    return str(caught.value)


@pytest.mark.parametrize("topic", TYPES)
@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        (None, "null is not a whole number"),
        ("1", '"1" is not a whole number'),
        (1.5, "1.5 is not a whole number"),
        (True, "true is not a whole number"),
        ([1], "a list is not a whole number"),
        ({"value": 1}, "an object is not a whole number"),
        (2**31, "2147483648 is not between"),
        (-(2**31), "-2147483648 is not between"),
        (1e300, "is not between"),
    ],
)
def test_a_quantity_that_is_no_units_is_named(topic: str, quantity: Any, words: str):
    said = body(topic)
    said["lines"].append({**said["lines"][0], "id": "2", "quantity": quantity})

    found = normalise(said)

    [complaint] = found.bad
    assert complaint.startswith("lines[1].quantity: ")
    assert words in complaint
    assert [event.line for event in found.events] == ["1"]


@pytest.mark.parametrize(
    "topic", [t for t in TYPES if t not in ("adjustment", "observation")]
)
def test_fewer_than_no_units_is_refused(topic: str):
    words = complaint(body(topic, {"quantity": -1}))

    assert words == "lines[0].quantity: -1 is not between 0 and 2147483647"


@pytest.mark.parametrize("topic", ["adjustment", "observation"])
def test_a_change_and_a_shown_number_may_be_below_zero(topic: str):
    assert event(body(topic, {"quantity": -1})).quantity == -1


def test_a_whole_number_written_with_a_point_is_whole():
    found = event(body(line={"quantity": 2.0}))

    assert found.quantity == 2
    assert type(found.quantity) is int


@pytest.mark.parametrize(
    ("topic", "field"),
    [
        *(("order", "order"), ("cancellation", "order"), ("shipment", "order")),
        *(("shipment", "id"), ("return", "id"), ("receipt", "id"), ("expected", "id")),
        *(
            ("transfer", "id"),
            ("transfer", "to"),
            ("adjustment", "id"),
            ("count", "id"),
        ),
    ],
)
def test_a_field_that_names_the_fact_is_needed(topic: str, field: str):
    said = complaint(body(topic, **{field: None}))
    assert said.startswith(f"{field}: missing")
    assert not re.search(r"\ba [aeiou]", said)


@pytest.mark.parametrize("topic", TYPES)
def test_every_fact_needs_its_time_and_its_lines(topic: str):
    assert complaint(body(topic, occurred_at=None)).startswith("occurred_at: missing")
    for lines in (None, [], {}, "SCARF", 5):
        assert complaint(body(topic, lines=lines)).startswith("lines: give a list")
    assert complaint(body(topic, lines=["SCARF"])).startswith("lines[0]: give an obj")
    assert complaint(body(topic, {"sku": None})).startswith("lines[0].sku: missing")


@pytest.mark.parametrize("topic", [t for t in TYPES if t != "observation"])
def test_every_line_needs_an_id_of_its_own(topic: str):
    assert complaint(body(topic, {"id": None})).startswith("lines[0].id: missing")

    said = body(topic)
    said["lines"] *= 2
    assert complaint(said).startswith("lines[1].id: lines[0] has it already")


def test_an_observation_needs_no_ids():
    found = event(body("observation", {"id": None}, id=None))

    assert (found.kind, found.line, found.fact) == (events.OBSERVED, None, None)


@pytest.mark.parametrize("field", ["sku", "id"])
@pytest.mark.parametrize("given", ["", "  ", True, 1.5, [], {}, "x" * 201])
def test_an_id_that_is_none_is_named(field: str, given: Any):
    assert complaint(body(line={field: given})).startswith(f"lines[0].{field}: ")


@pytest.mark.parametrize("field", ["order", "id", "location", "channel"])
@pytest.mark.parametrize("given", ["", True, 1.5, [], {}, "x" * 201])
def test_a_name_that_is_none_is_named(field: str, given: Any):
    assert complaint(body(**{field: given})).startswith(f"{field}: ")


def test_ids_that_a_till_writes_as_numbers_are_text_for_us():
    found = event(body(line={"id": 7, "sku": 4006381333931}, order=1001))

    assert (found.line, found.sku, found.order) == ("7", "4006381333931", "1001")


@pytest.mark.parametrize(
    "given",
    [
        *("", "yesterday", "2026-11-23", "2026-11-23T10:00:00", 1795428000, True, []),
        *("1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"),
    ],
)
def test_a_time_that_cannot_be_is_named(given: Any):
    assert complaint(body(occurred_at=given)).startswith("occurred_at: ")


def test_the_version_is_the_time_unless_it_is_given():
    at = instants.parse("2026-11-23T10:00:00Z")

    assert event(body()).version == at
    assert event(body(version=0)).version == 0
    assert event(body(version=2**63 - 1)).version == 2**63 - 1
    assert event(body(version="2026-11-23T10:00:00.000001Z")).version == at + 1
    assert event(body(version="2026-11-23T11:00:00Z")).occurred_at == at


@pytest.mark.parametrize("given", [-1, 2**63, 1.5, True, "7", "latest", [], {}])
def test_a_version_that_orders_nothing_is_named(given: Any):
    assert complaint(body(version=given)).startswith("version: ")


def test_a_type_we_do_not_know_is_no_events_and_a_missing_one_is_an_error():
    found = normalise(body("loyalty.points"))

    assert found == Normalised(ignored=('type "loyalty.points" is none that we know',))
    for topic in (None, "", 5, ["sale"], {"a": 1}):
        assert complaint(body() | {"type": topic}).startswith(
            "type: name what happened"
        )


def test_a_sale_is_known_by_its_order_or_else_by_its_id():
    named = event(body(order="R-1", id="event-1"))
    again = event(body(order="R-1", id="event-2"))
    unnamed = event(body(order=None, id="R-1"))

    assert key_of(named) == key_of(again) == key_of(unnamed)
    assert complaint(body(order=None, id=None)).startswith("order: missing")


def test_a_shipment_and_a_return_are_known_by_their_own_id_too():
    for topic in ("shipment", "return"):
        one, two = event(body(topic, id="P-1")), event(body(topic, id="P-2"))

        assert key_of(one) != key_of(two)
        assert (one.order, one.fact) == ("R-1", "P-1")


def test_the_same_line_ordered_and_cancelled_speaks_about_one_case():
    placed, released = (
        event(body("order", id="e1")),
        event(body("cancellation", id="e2")),
    )

    assert (placed.order, placed.line) == (released.order, released.line)
    assert (placed.kind, released.kind) == (events.PLACED, events.RELEASED)
    assert key_of(placed) == key_of(event(body("order", id="e9")))


def test_a_channel_is_named_only_when_it_is_another():
    assert event(body("shipment", channel="web")).order_channel == "web"
    assert event(body("shipment", channel="till")).order_channel is None


def test_only_a_transfer_goes_to_a_place_and_only_a_receipt_fulfils():
    for topic in TYPES:
        found = event(body(topic, of="PO-1", scope="sellable"))

        assert (found.to_place == "airport") == (topic == "transfer")
        assert (found.of == "PO-1") == (topic == "receipt")
        assert (found.scope == "sellable") == (topic == "count")
        assert found.external_id is None


@pytest.mark.parametrize(
    ("places", "leaves", "to"),
    [
        ({}, "airport", "airport"),
        ({}, 5, "5"),
        ({"air": "airport"}, None, "airport"),
    ],
)
def test_a_transfer_goes_somewhere_else(places: dict[str, str], leaves: Any, to: str):
    said = body("transfer", location=leaves, to=to)

    assert complaint(said, places) == "to: is the location they leave from"
    assert event({**said, "to": "downtown"}, places).to_place == "downtown"


@pytest.mark.parametrize("topic", TYPES)
def test_a_line_may_name_a_location_of_its_own(topic: str):
    said = body(topic, {"location": "uptown"}, location="downtown")

    assert event(said).place == "uptown"
    assert event(body(topic, location="downtown")).place == "downtown"


def test_a_line_is_not_transferred_to_where_it_is():
    said = body("transfer", {"location": "airport"}, location="downtown", to="airport")

    assert complaint(said) == "lines[0].location: is where it would arrive"


def test_what_came_back_is_sellable_unless_the_line_says_otherwise():
    assert event(body("return")).disposition == "sellable"
    assert event(body("return", {"disposition": "damaged"})).disposition == "damaged"
    assert event(body("adjustment", {"disposition": "scrap"})).disposition == "scrap"
    assert event(body("sale", {"disposition": "eaten"})).disposition is None
    for topic, word in (
        ("return", "eaten"),
        ("return", 5),
        ("adjustment", "sellable"),
    ):
        words = complaint(body(topic, {"disposition": word}))
        assert words.startswith("lines[0].disposition: ")


def test_an_adjustment_says_why():
    assert event(body("adjustment")).reason == "broken"
    assert complaint(body("adjustment", {"reason": None})).startswith("lines[0].reason")
    assert event(body("sale")).reason is None


def test_a_scope_is_sellable_or_everything():
    assert event(body("count", scope=None)).scope is None
    assert complaint(body("count", scope="shelf")).startswith("scope: ")


def test_an_error_quotes_little_and_nobody():
    words = complaint(body(line={"quantity": "ada@example.com " + "x" * 999}))

    assert "ada" not in words
    assert len(words) < 200


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=20))
def test_every_line_is_one_event_in_its_order(quantities: list[int]):
    lines = [
        {"id": str(at), "sku": f"SKU-{at}", "quantity": quantity}
        for at, quantity in enumerate(quantities)
    ]

    found = normalise(body("order", lines=lines)).events

    assert [one.quantity for one in found] == quantities
    assert len({key_of(one) for one in found}) == len(lines)


def test_a_delivery_is_known_by_its_webhook_id():
    adapter = standard()

    assert (
        adapter.delivery_id(SignedRequest({"webhook-id": "msg_9"}, b"", NOW)) == "msg_9"
    )
    with pytest.raises(MissingHeader):
        adapter.delivery_id(SignedRequest({}, b"", NOW))


@pytest.mark.parametrize(
    ("paid", "scope"), [(None, None), (True, None), (False, events.NOT_PAID)]
)
def test_an_order_may_say_that_it_is_not_paid(paid: Any, scope: str | None):
    assert event(body("order", paid=paid)).scope == scope


@pytest.mark.parametrize("paid", [0, "false", []])
def test_whether_it_is_paid_is_true_or_false(paid: Any):
    assert "paid: " in complaint(body("order", paid=paid))
    assert "is not true or false" in complaint(body("order", paid=paid))


def test_a_return_that_is_only_advised_needs_no_place_but_an_order():
    advised = event(body("return", stage="advised", location=None))

    assert (advised.kind, advised.place, advised.disposition) == ("advised", None, None)
    assert complaint(body("return", stage="advised", order=None)).startswith("order: ")
    assert complaint(body("return", stage="gone")).startswith("stage: ")
    assert event(body("return")).kind == "returned"

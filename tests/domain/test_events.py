"""The key of a stock event names one business fact, and never two."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from app.domain import events as kinds
from app.domain.events import (
    Normalised,
    StockEvent,
    WholeOrder,
    is_by_hold,
    key_of,
    sharpened,
)
from app.domain.instants import SECOND

EVENT = StockEvent(
    kinds.SHIPPED,
    2,
    10,
    10,
    sku="BLUE-JACKET-M",
    order="1001",
    line="1",
    fact="s-1",
    place="downtown",
)


@pytest.mark.parametrize(
    "another",
    [
        {"quantity": 5},
        {"version": 99},
        {"occurred_at": 99},
        {"place": "uptown"},
        {"reason": "why not"},
        {"order_number": "#1001"},
    ],
)
def test_a_correction_is_about_the_same_fact(another):
    assert key_of(replace(EVENT, **another)) == key_of(EVENT)


@pytest.mark.parametrize(
    "another",
    [
        {"kind": kinds.RETURNED},
        {"order": "1002"},
        {"line": "2"},
        {"fact": "s-2"},
        {"order_channel": "web"},
    ],
)
def test_another_order_line_or_shipment_is_another_fact(another):
    assert key_of(replace(EVENT, **another)) != key_of(EVENT)


def test_without_a_line_the_item_names_the_fact():
    one = replace(EVENT, line=None)
    assert key_of(one) != key_of(replace(one, sku="RED-SCARF"))


def test_what_two_places_show_are_two_facts():
    seen = StockEvent(kinds.OBSERVED, 5, 10, 10, sku="BLUE-JACKET-M", place="A")
    assert key_of(seen) != key_of(replace(seen, place="B"))


ids = st.text(alphabet="a:%3AB", min_size=1, max_size=4)


@given(ids, ids, ids, ids, ids, ids)
def test_a_colon_inside_an_id_never_makes_two_facts_one(a, b, c, d, e, f):
    one = replace(EVENT, order=a, fact=b, line=c)
    other = replace(EVENT, order=d, fact=e, line=f)
    assert (key_of(one) == key_of(other)) == ((a, b, c) == (d, e, f))


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({}, "shipped:1001:s-1:1"),
        ({"order_channel": "web"}, "shipped:web:1001:s-1:1"),
        ({"order": "10:01"}, "shipped:10%3A01:s-1:1"),
        ({"order": "1:0:1"}, "shipped:1%3A0%3A1:s-1:1"),
        ({"order": "10%3A01"}, "shipped:10%253A01:s-1:1"),
        ({"order": "10%"}, "shipped:10%25:s-1:1"),
        ({"line": None}, "shipped:1001:s-1:BLUE-JACKET-M"),
        ({"line": None, "external_id": "808"}, "shipped:1001:s-1:808"),
        ({"line": None, "external_parent_id": "9"}, "shipped:1001:s-1:9"),
        (
            {"line": None, "external_id": "8", "external_parent_id": "9"},
            "shipped:1001:s-1:8",
        ),
        ({"line": None, "sku": None}, "shipped:1001:s-1:"),
        (
            {"kind": kinds.COUNTED, "order": None},
            "counted:s-1:1:BLUE-JACKET-M:downtown",
        ),
        (
            {"kind": kinds.OBSERVED, "place": None, "line": None},
            "observed:1001:s-1:BLUE-JACKET-M:",
        ),
    ],
)
def test_a_key_is_the_kind_and_the_providers_own_ids(told, key):
    assert key_of(replace(EVENT, **told)) == key


@pytest.mark.parametrize(
    ("version", "by_hold"), [(kinds.BY_HOLD, True), (-1, True), (0, False)]
)
def test_whatever_a_channel_says_comes_after_the_word_of_a_hold(version, by_hold):
    assert is_by_hold(version) is by_hold


@pytest.mark.parametrize(
    ("version", "read_at", "sharper"),
    [
        (5 * SECOND, 5 * SECOND + 70, 5 * SECOND + 70),
        (5 * SECOND, 9 * SECOND, 6 * SECOND - 1),
        (5 * SECOND, 4 * SECOND, 5 * SECOND),
        (5 * SECOND + 1, 9 * SECOND, 5 * SECOND + 1),
    ],
)
def test_what_is_read_comes_after_what_was_told_in_the_same_second(
    version, read_at, sharper
):
    order = WholeOrder("1001", ("1",), version, 10, "#1001")
    said = Normalised((replace(EVENT, version=version),), (order,), ignored=("tips",))

    found = sharpened(said, read_at)

    assert found.events == (replace(EVENT, version=sharper),)
    assert found.orders == (replace(order, version=sharper),)
    assert found.ignored == ("tips",)

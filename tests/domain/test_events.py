"""The key of a stock event names one business fact, and never two."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from app.domain import events as kinds
from app.domain.events import StockEvent, key_of

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

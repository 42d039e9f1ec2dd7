"""What is shown at its edges: places nobody stocks, defaults, every word of a reason."""

from itertools import product

import pytest
from hypothesis import given, strategies as st

from app.domain.shown import (
    Policy,
    Promise,
    Reckoning,
    allot,
    reckon,
    sellable,
    sentence,
    shown,
    unserved,
)

NOWHERE = 9
"""A place that has no stock level."""


def test_a_place_without_a_stock_level_has_nothing():
    assert sellable({1: 2}, [], {1, NOWHERE}) == 2
    assert sellable({1: 2}, [Promise(1, {1, NOWHERE})], {1, NOWHERE}) == 1
    assert sellable({1: 0}, [Promise(1, {1})], {1, NOWHERE}, 5) == 4
    assert sellable({1: 0}, [Promise(1, {NOWHERE})], {1, NOWHERE}, 5) == 4
    assert reckon({1: 2}, [], {1, NOWHERE}, Policy()).there == 2


def test_one_unit_counts():
    assert sellable({1: 0}, [], {1}, 1) == 1
    assert allot({1: 1}, [Promise(1, {1})], {1}, 1) is None
    assert allot({1: 2}, [Promise(1, {1})], {1}, 1) == {1: 1}


def test_everything_is_shown_when_nothing_is_said():
    assert shown(1) == 1
    assert shown(100) == 100


def test_what_was_sold_elsewhere_beyond_what_is_there_counts_in_a_reckoning():
    found = reckon({1: 0, 2: -3}, [], {1}, Policy(preorder=5), {1, 2})
    assert found == Reckoning(0, 0, 2, Policy(preorder=5), 2)
    assert found.sellable == 2


@pytest.mark.parametrize(
    ("units", "places", "policy", "words"),
    [
        (3, ["a", "b"], {}, "web shows 3: 3 units available at a and b."),
        (
            3,
            [],
            {},
            "web shows 3: 3 units available at any location it may sell from.",
        ),
        (10, ["a"], {"stop_at": 2}, "web shows 10: 10 units available at a."),
        (
            2,
            ["a"],
            {"stop_at": 2},
            "web shows 0: 2 units available at a; selling stops at 2.",
        ),
        (
            10,
            ["a"],
            {"buffer": 1},
            "web shows 9: 10 units available at a; less a buffer of 1 is 9.",
        ),
        (
            3,
            ["a"],
            {"buffer": 5},
            "web shows 0: 3 units available at a; less a buffer of 5 is 0.",
        ),
        (3, ["a"], {"cap": 3}, "web shows 3: 3 units available at a."),
        (
            3,
            ["a"],
            {"cap": 2},
            "web shows 2: 3 units available at a; the cap is 2.",
        ),
        (
            200,
            ["a"],
            {"share": 50},
            "web shows 100: 200 units available at a; 50 % of that is 100.",
        ),
    ],
)
def test_a_reason_names_what_made_a_difference_and_nothing_else(
    units, places, policy, words
):
    assert sentence(reckon({1: units}, [], {1}, Policy(**policy)), "web", places) == (
        words
    )


@pytest.mark.parametrize(
    ("available", "promises", "short"),
    [
        ({1: 3}, [], 0),
        ({1: -2, 2: 5, 3: -1}, [], 3),
        ({1: 1}, [(1, {1})], 0),
        ({1: 1}, [(3, {1})], 2),
        ({1: 1}, [(3, {NOWHERE})], 3),
        ({1: 0}, [(1, {NOWHERE})], 1),
        ({1: -2, 2: 1}, [(3, {1, 2})], 4),
        ({1: 1, 2: 1}, [(1, {1, 2}), (1, {1})], 0),
        ({1: 1, 2: 0}, [(1, {1, 2}), (1, {1})], 1),
        ({1: 1, 2: 9}, [(2, {1}), (2, {2})], 1),
        ({1: 2, 2: 9}, [(-4, {1}), (2, {1})], 0),
    ],
)
def test_what_is_promised_and_not_there_is_short(available, promises, short):
    assert unserved(available, [Promise(*one) for one in promises]) == short


places = st.sets(st.sampled_from((1, 2, 3)), min_size=1)
stock = st.fixed_dictionaries({place: st.integers(-2, 3) for place in (1, 2, 3)})


@given(stock, st.lists(st.tuples(st.integers(0, 3), places), max_size=2))
def test_trying_every_way_finds_as_many_short(available, promises):
    below = -sum(units for units in available.values() if units < 0)
    demands = [tuple(sorted(draws)) for units, draws in promises for _ in range(units)]
    most = 0
    for way in product(*((*draws, None) for draws in demands)):
        used = [way.count(place) for place in available]
        if all(n <= max(0, available[p]) for p, n in zip(available, used, strict=True)):
            most = max(most, sum(used))
    told = [Promise(units, draws) for units, draws in promises]
    assert unserved(available, told) == below + len(demands) - most

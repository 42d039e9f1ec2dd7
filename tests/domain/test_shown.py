"""What a channel is shown, against trying every way of serving every promise."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from app.domain.shown import (
    BEYOND,
    Policy,
    Promise,
    allot,
    reckon,
    sellable,
    sentence,
    shown,
)

PLACES = (1, 2, 3)


def ways(units, draws_from):
    """Every way of taking that many units from these places."""
    places = sorted(draws_from)
    for taken in product(range(units + 1), repeat=len(places)):
        if sum(taken) == units:
            yield dict(zip(places, taken, strict=True))


def can_serve(available, demands):
    if not demands:
        return True
    (units, draws_from), *others = demands
    for way in ways(units, draws_from):
        left = {p: n - way.get(p, 0) for p, n in available.items()}
        if all(n >= 0 for n in left.values()) and can_serve(left, others):
            return True
    return False


def most(available, promises, draws_from):
    """The largest x by trying, after serving as many promised units as possible."""
    stock = {place: max(0, units) for place, units in available.items()}
    served = max(
        (
            amounts
            for amounts in product(*(range(p.units + 1) for p in promises))
            if can_serve(
                stock,
                [(n, p.draws_from) for n, p in zip(amounts, promises, strict=True)],
            )
        ),
        key=sum,
    )
    demands = [(n, p.draws_from) for n, p in zip(served, promises, strict=True)]
    x = 0
    while can_serve(stock, [*demands, (x + 1, draws_from)]):
        x += 1
    return x


some_places = st.sets(st.sampled_from(PLACES), min_size=1).map(frozenset)
stock = st.fixed_dictionaries({place: st.integers(-2, 3) for place in PLACES})
promised = st.lists(st.builds(Promise, st.integers(0, 3), some_places), max_size=2)


@settings(max_examples=150)
@given(stock, promised, some_places)
def test_trying_every_way_finds_the_same_number(available, promises, draws_from):
    kept = {p: max(0, n) for p, n in available.items()}
    if can_serve(kept, [(p.units, p.draws_from) for p in promises]):
        assert sellable(available, promises, draws_from) == most(
            available, promises, draws_from
        )


@given(stock, promised, some_places)
def test_every_promise_and_every_shown_unit_can_be_served(
    available, promises, draws_from
):
    kept = {p: max(0, n) for p, n in available.items()}
    demands = [(p.units, p.draws_from) for p in promises]
    if can_serve(kept, demands):
        x = sellable(available, promises, draws_from)
        assert can_serve(kept, [*demands, (x, draws_from)])


@given(stock, promised, some_places)
def test_without_enough_for_the_promises_no_promised_unit_is_shown(
    available, promises, draws_from
):
    x = sellable(available, promises, draws_from)
    everything = sum(max(0, n) for n in available.values())
    served = everything - sellable(available, promises, frozenset(PLACES))
    assert 0 <= x <= everything - served


@given(stock, promised, some_places, st.randoms())
def test_the_order_of_promises_does_not_matter(available, promises, draws_from, chance):
    mixed = list(promises)
    chance.shuffle(mixed)
    assert sellable(available, mixed, draws_from) == sellable(
        available, promises, draws_from
    )


@given(stock, promised, some_places, st.sampled_from(PLACES), st.integers(0, 3))
def test_holding_units_never_raises_what_is_shown(
    available, promises, draws_from, place, units
):
    held = available | {place: available[place] - units}
    assert sellable(held, promises, draws_from) <= sellable(
        available, promises, draws_from
    )


@given(stock, promised, some_places, st.builds(Promise, st.integers(0, 3), some_places))
def test_one_more_promise_never_raises_what_is_shown(
    available, promises, draws_from, another
):
    assert sellable(available, [*promises, another], draws_from) <= sellable(
        available, promises, draws_from
    )


@given(stock, promised, some_places, st.integers(0, 8))
def test_a_claim_takes_all_or_nothing_and_never_a_promised_unit(
    available, promises, draws_from, units
):
    taken = allot(available, promises, draws_from, units)
    free = sellable(available, promises, draws_from)
    if units > free:
        assert taken is None
        return
    assert taken is not None
    assert sum(taken.values()) == units
    assert set(taken) <= draws_from
    assert all(0 < n <= available[place] for place, n in taken.items())
    left = {place: n - taken.get(place, 0) for place, n in available.items()}
    assert sellable(left, promises, draws_from) == free - units


def test_a_promise_is_served_from_the_place_the_till_cannot_use():
    either = Promise(1, {1, 2})
    assert sellable({1: 1, 2: 1}, [either], {2}) == 1
    assert sellable({1: 0, 2: 1}, [either], {2}) == 0
    assert sellable({1: 1, 2: 1}, [either], {1, 2}) == 1


def test_a_place_that_is_short_does_not_eat_another_place_s_stock():
    assert sellable({1: -3, 2: 5}, [], {1, 2}) == 5


def test_a_long_chain_of_promises_is_moved_to_make_room():
    chain = [Promise(1, {place, place + 1}) for place in range(1, 6)]
    assert sellable(dict.fromkeys(range(1, 7), 1), chain, {1}) == 1
    assert sellable(dict.fromkeys(range(1, 6), 1), chain, {1}) == 0


@pytest.mark.parametrize(
    ("units", "policy", "number"),
    [
        (10, {}, 10),
        (10, {"buffer": 3}, 7),
        (2, {"buffer": 3}, 0),
        (10, {"cap": 4}, 4),
        (10, {"share": 33}, 3),
        (10, {"share": 50, "buffer": 1, "cap": 3}, 3),
        (10, {"share": 0}, 0),
        (0, {"cap": 4}, 0),
        (5, {"cap": 0}, 0),
    ],
)
def test_share_then_buffer_then_cap(units, policy, number):
    assert shown(units, **policy) == number


@given(
    st.integers(0, 1000),
    st.integers(0, 50),
    st.none() | st.integers(0, 60),
    st.integers(0, 100),
    st.integers(0, 9),
)
def test_a_shown_number_keeps_its_bounds(units, buffer, cap, share, more):
    number = shown(units, buffer=buffer, cap=cap, share=share)
    assert 0 <= number <= units
    assert cap is None or number <= cap
    assert shown(units, buffer=buffer + more, cap=cap, share=share) <= number
    assert shown(units + more, buffer=buffer, cap=cap, share=share) >= number


# -- policies ------------------------------------------------------------------


def with_preorder(available, promises, draws_from, preorder):
    """The same question with the units beyond what is there as one more place."""
    owed = [
        Promise(
            p.units,
            set(p.draws_from) | ({BEYOND} if set(p.draws_from) & draws_from else set()),
        )
        for p in promises
    ]
    owed += [Promise(-available[p], {BEYOND}) for p in draws_from if available[p] < 0]
    return available | {BEYOND: preorder}, owed, draws_from | {BEYOND}


@settings(max_examples=100)
@given(stock, promised, some_places, st.integers(1, 3))
def test_trying_every_way_agrees_when_units_may_be_pre_ordered(
    available, promises, draws_from, preorder
):
    everything, owed, draws = with_preorder(available, promises, draws_from, preorder)
    kept = {p: max(0, n) for p, n in everything.items()}
    if can_serve(kept, [(p.units, p.draws_from) for p in owed]):
        x = sellable(available, promises, draws_from, preorder)
        assert x == most(everything, owed, draws)


policies = st.builds(
    Policy,
    buffer=st.integers(0, 5),
    cap=st.none() | st.integers(0, 8),
    share=st.integers(0, 100),
    stop_at=st.integers(0, 5),
    preorder=st.integers(0, 5),
)
more = st.integers(0, 4)
everywhere = st.just(frozenset(PLACES)) | st.just(frozenset())


@given(stock, promised, some_places, policies, everywhere)
def test_a_number_made_of_steps_keeps_its_bounds(
    available, promises, draws_from, policy, counted_at
):
    found = reckon(available, promises, draws_from, policy, counted_at)

    assert 0 <= found.shown <= found.sellable
    assert policy.cap is None or found.shown <= policy.cap
    assert 0 <= found.stock <= found.there
    assert 0 <= found.ahead <= policy.preorder


@given(stock, promised, some_places, policies, more, more, everywhere)
def test_a_larger_buffer_or_stop_or_a_smaller_limit_never_raises_a_number(
    available, promises, draws_from, policy, buffer, stop_at, counted_at
):
    number = reckon(available, promises, draws_from, policy, counted_at).shown

    for changed in (
        replace(policy, buffer=policy.buffer + buffer),
        replace(policy, stop_at=policy.stop_at + stop_at),
        replace(policy, preorder=max(0, policy.preorder - stop_at)),
    ):
        less = reckon(available, promises, draws_from, changed, counted_at).shown
        assert less <= number


@given(
    stock, promised, some_places, policies, st.sampled_from(PLACES), more, everywhere
)
def test_a_hold_never_raises_a_number_whatever_the_policy(
    available, promises, draws_from, policy, place, units, counted_at
):
    held = available | {place: available[place] - units}
    after = reckon(held, promises, draws_from, policy, counted_at).shown
    assert after <= reckon(available, promises, draws_from, policy, counted_at).shown


@given(stock, promised, some_places, policies, st.builds(Promise, more, some_places))
def test_a_promise_never_raises_a_number_whatever_the_policy(
    available, promises, draws_from, policy, another
):
    after = reckon(available, [*promises, another], draws_from, policy).shown
    assert after <= reckon(available, promises, draws_from, policy).shown


@pytest.mark.parametrize(
    ("units", "policy", "number"),
    [
        (3, {"stop_at": 3}, 0),
        (4, {"stop_at": 3}, 4),
        (8, {"stop_at": 5, "share": 50}, 4),
        (0, {"preorder": 5}, 5),
        (2, {"preorder": 5}, 7),
        (-2, {"preorder": 5}, 3),
        (-9, {"preorder": 5}, 0),
        (0, {"preorder": 6, "share": 50, "buffer": 1}, 2),
        (0, {"preorder": 5, "cap": 2}, 2),
        (0, {"preorder": 5, "stop_at": 5}, 0),
    ],
)
def test_pre_orders_then_stop_then_share_then_buffer_then_cap(units, policy, number):
    assert reckon({1: units}, [], {1}, Policy(**policy)).shown == number


def test_what_was_pre_ordered_counts_against_the_limit_wherever_it_was():
    assert sellable({1: 0}, [Promise(3, {1})], {1}, 5) == 2
    assert sellable({1: 0, 2: -3}, [], {1}, 5, counted_at={1, 2}) == 2
    assert sellable({1: 0, 2: -3}, [], {1}, 5) == 5
    assert sellable({1: 0, 2: 0}, [Promise(3, {2})], {1}, 5) == 5


@pytest.mark.parametrize(
    ("units", "promises", "policy", "words"),
    [
        (10, 0, {}, "web shows 10: 10 units available at downtown."),
        (
            10,
            3,
            {"share": 50, "buffer": 1, "cap": 1},
            (
                "web shows 1: 10 units available at downtown, 3 kept for promises that "
                "name no location, so 7 units may be sold; 50 % of that is 3; less a "
                "buffer of 1 is 2; the cap is 1."
            ),
        ),
        (
            1,
            0,
            {"stop_at": 2},
            "web shows 0: 1 unit available at downtown; selling stops at 2.",
        ),
        (
            -2,
            0,
            {"preorder": 5},
            (
                "web shows 3: 0 units available at downtown, 3 more may be pre-ordered "
                "(limit 5), so 3 units may be sold."
            ),
        ),
    ],
)
def test_the_sentence_says_every_step_that_made_a_difference(
    units, promises, policy, words
):
    found = reckon({1: units}, [Promise(promises, {1})], {1}, Policy(**policy))
    assert sentence(found, "web", ["downtown"]) == words

"""What a channel is shown, against trying every way of serving every promise."""

from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from app.domain.shown import Promise, allot, sellable, shown

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


@settings(max_examples=150, deadline=None)
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

"""How many kits may be sold: never more than can be put together, and all of them."""

from itertools import product

import pytest
from hypothesis import given, strategies as st

from app.domain.building import Kit, Part, build, most, reckon_kit
from app.domain.shown import Policy, Promise, allot, reckon, sellable

PLACES = (1, 2, 3)
few = st.integers(-2, 5)
stock = st.fixed_dictionaries(dict.fromkeys(PLACES, few))
some_places = st.sets(st.sampled_from(PLACES), min_size=1)
promised = st.lists(st.builds(Promise, st.integers(0, 3), some_places), max_size=3)
parts = st.lists(
    st.builds(Part, st.integers(1, 3), stock, promised), min_size=1, max_size=3
)


def left_after(part, kits):
    """What is there of a component when so many kits have gone out from each place."""
    return {
        place: max(0, units) - kits.get(place, 0) * part.quantity
        for place, units in part.available.items()
    }


def served(available, promises):
    """How many promised units can be served; tried out one unit after the other."""
    if not promises:
        return 0
    (first, *others) = promises
    if not first.units:
        return served(available, others)
    less = [Promise(first.units - 1, first.draws_from), *others]
    best = served(available, others)
    for place in first.draws_from:
        if available.get(place, 0) > 0:
            best = max(
                best, 1 + served({**available, place: available[place] - 1}, less)
            )
            if best == sum(one.units for one in promises):
                break
    return best


def can_go_out(told, kits):
    """Whether these kits can be handed over and no promise is served less for it."""
    for part in told:
        left = left_after(part, kits)
        if min(left.values()) < 0:
            return False
        before = {place: max(0, units) for place, units in part.available.items()}
        owed = [one for one in part.promises if one.units]
        if owed and served(left, owed) < served(before, owed):
            return False
    return True


kits = st.builds(Kit, parts, promised)


def ways(kit):
    """Every way to put kits together that leaves what is promised of components."""
    most_here = {
        place: max(0, min(part.available[place] // part.quantity for part in kit.parts))
        for place in PLACES
    }
    tried = (
        dict(zip(PLACES, way, strict=True))
        for way in product(*(range(most_here[place] + 1) for place in PLACES))
    )
    return [way for way in tried if can_go_out(kit.parts, way)]


@given(kits, some_places)
def test_as_many_as_trying_out_everything_finds(kit, draws_from):
    owed = [one for one in kit.promises if one.units]
    kept, left = max(
        (served(way, owed), sellable(way, owed, draws_from)) for way in ways(kit)
    )

    if kept == sum(one.units for one in owed):
        assert most(kit, draws_from) == left
    else:
        assert most(kit, draws_from) <= left


@given(kits, some_places)
def test_no_more_than_every_promise_of_each_component_leaves(kit, draws_from):
    found = most(kit, draws_from)

    for part in kit.parts:
        units = part.owing(kit.promises)
        assert found <= units.in_kits(draws_from)


@given(kits, some_places)
def test_what_is_found_can_go_out_and_every_promise_is_served(kit, draws_from):
    found = build(kit, draws_from)

    assert all(number > 0 for number in found.values())
    assert can_go_out(kit.parts, found)
    taken = allot(found, kit.promises, draws_from, most(kit, draws_from))
    left = {place: number - taken.get(place, 0) for place, number in found.items()}
    owed = [one for one in kit.promises if one.units]
    assert served(left, owed) == served(found, owed)


large = st.fixed_dictionaries(dict.fromkeys(range(12), st.integers(0, 40)))
spread = st.sets(st.integers(0, 11), min_size=1)
many = st.lists(
    st.builds(
        Part,
        st.integers(1, 5),
        large,
        st.lists(st.builds(Promise, st.integers(0, 60), spread), max_size=4),
    ),
    min_size=2,
    max_size=4,
)


@given(many, spread)
def test_where_there_are_too_many_choices_never_too_much_is_found(told, draws_from):
    found = build(Kit(told), draws_from)

    for part in told:
        left = {place: max(0, units) for place, units in part.available.items()}
        taken = {p: n * part.quantity for p, n in found.items()}
        after = {place: units - taken.get(place, 0) for place, units in left.items()}
        assert min(after.values()) >= 0
        everywhere = set(left)
        assert sum(left.values()) - sellable(left, part.promises, everywhere) == sum(
            after.values()
        ) - sellable(after, part.promises, everywhere)


@given(stock, promised, some_places, st.integers(0, 4))
def test_a_kit_of_one_unit_is_that_unit(available, promises, draws_from, preorder):
    policy = Policy(preorder=preorder)
    number = reckon(available, promises, draws_from, policy)

    for kit in (
        Kit([Part(1, available, promises)]),
        Kit([Part(1, available)], promises),
    ):
        assert reckon_kit(kit, draws_from, policy) == number


@given(parts, some_places, st.sampled_from(PLACES), st.integers(1, 3))
def test_fewer_of_a_component_never_raise_the_number(told, draws_from, place, units):
    first, *others = told
    less = {**first.available, place: first.available[place] - units}
    before = reckon_kit(Kit(told), draws_from, Policy())
    after = reckon_kit(
        Kit([Part(first.quantity, less, first.promises), *others]),
        draws_from,
        Policy(),
    )

    assert after.shown <= before.shown


@pytest.mark.parametrize(
    ("told", "kits"),
    [
        ([Part(6, {1: 17, 2: 6})], {1: 2, 2: 1}),
        ([Part(1, {1: 5, 2: 0}), Part(1, {1: 0, 2: 5})], {}),
        ([Part(1, {1: 5, 2: 4}), Part(2, {1: 4, 2: 5})], {1: 2, 2: 2}),
        ([Part(1, {1: -3, 2: 2})], {2: 2}),
        ([Part(1, {1: 5, 2: 2}), Part(1, {2: 3})], {2: 2}),
    ],
)
def test_the_scarcest_component_decides_place_by_place(told, kits):
    assert build(Kit(told), {1, 2}) == kits


def test_a_promise_is_served_where_no_kit_can_be_put_together():
    jackets = Part(1, {1: 1, 2: 1}, [Promise(1, {1, 2})])
    scarves = Part(1, {1: 1, 2: 0})

    assert build(Kit([jackets, scarves]), {1, 2}) == {1: 1}


@pytest.mark.parametrize(
    ("jackets", "kits_promised", "found"),
    [
        (Part(1, {1: 2, 2: 4}, [Promise(1, {1, 2})]), 4, {1: 1, 2: 4}),
        (Part(2, {1: 2, 2: 2}, [Promise(2, {1, 2})]), 2, {2: 1}),
        (Part(2, {1: 2, 2: 4}, [Promise(3, {1, 2})]), 3, {2: 1}),
    ],
)
def test_the_first_place_leaves_its_units_where_that_keeps_more_promises(
    jackets, kits_promised, found
):
    kit = Kit([jackets], [Promise(kits_promised, {2})])
    assert build(kit, {1, 2}) == found


def test_promised_units_and_promised_kits_are_both_kept():
    jackets = Part(1, {1: 1, 2: 3}, [Promise(2, {1, 2})])
    assert most(Kit([jackets], [Promise(1, {1, 2})]), {1, 2}) == 1


def test_a_promised_kit_is_kept_before_more_are_sold():
    """The loose scarf may come from either place, the promised kit from the second."""
    scarves = Part(3, {1: 3, 2: 3}, [Promise(2, {1, 2})])
    kit = Kit([scarves], [Promise(1, {2, 3})])

    assert build(kit, {1}) == {2: 1}
    assert most(kit, {1}) == 0


def test_a_promised_kit_that_no_place_can_put_together_is_kept_in_components():
    scarves = Part(3, {1: 3, 2: 2, 3: 1}, [Promise(2, {1, 2})])

    assert most(Kit([scarves], [Promise(1, {2, 3})]), {1}) == 0
    assert most(Kit([scarves]), {1}) == 1


def test_units_are_left_at_the_place_whose_kits_are_all_promised():
    there, loose, kits = {1: 1, 2: 1, 3: 5}, Promise(1, {1, 2, 3}), Promise(3, {2})

    found = most(Kit([Part(1, there, [loose])], [kits]), {1, 2, 3})

    assert found == sellable(there, [loose, kits], {1, 2, 3}) == 5


def test_a_place_where_all_is_promised_is_left_out():
    jackets = Part(1, {1: 1, 2: 1}, [Promise(1, {1})])
    assert build(Kit([jackets]), {1, 2}) == {2: 1}


def test_a_promised_kit_is_served_at_one_place_like_any_other():
    jackets = Part(1, {1: 10, 2: 0})
    scarves = Part(2, {1: 9, 2: 3})

    assert most(Kit([jackets, scarves], [Promise(1, {1, 2})]), {1, 2}) == 3


def test_a_policy_is_about_kits_and_not_about_units():
    told = Kit([Part(2, {1: 20}), Part(1, {1: 30})])

    found = reckon_kit(told, {1}, Policy(buffer=1, share=50, cap=3))

    assert (found.there, found.sellable, found.shown) == (10, 10, 3)
    assert reckon_kit(told, {1}, Policy(buffer=1, share=50)).shown == 4
    assert reckon_kit(told, {1}, Policy(stop_at=10)).shown == 0


def test_what_was_pre_ordered_of_any_component_counts_against_the_limit():
    told = Kit([Part(2, {1: -4}), Part(1, {1: 9})])

    assert reckon_kit(told, {1}, Policy(preorder=5)).shown == 3

"""Recipes: nested, with a history, never in a circle; kits conserve units."""

from collections import defaultdict

import pytest
from hypothesis import given, strategies as st

from app.domain import events as kinds
from app.domain.case import difference, movements
from app.domain.kits import (
    Asked,
    Recipe,
    Recipes,
    Short,
    of_part,
    of_parts,
    ordered_at,
    take,
)
from app.domain.targets import BEGAN, Rules, Target

JACKET, SCARF, BOX, GIFT, PALLET = range(1, 6)
RULES = Rules(unassigned=99, ships_from=11)


def recipes(**told):
    named = {"box": BOX, "gift": GIFT, "pallet": PALLET}
    return Recipes({named[kit]: [Recipe(0, parts)] for kit, parts in told.items()})


def target(quantity, at=10, place=11, version=1, extra=None):
    return Target(quantity, version, place, at, extra)


def test_nested_kits_are_taken_apart_down_to_what_has_stock():
    found = recipes(
        box={JACKET: 6}, gift={BOX: 1, SCARF: 2, JACKET: 1}, pallet={GIFT: 10}
    )

    assert found.parts(GIFT, 5) == {JACKET: 7, SCARF: 2}
    assert found.parts(PALLET, 5) == {JACKET: 70, SCARF: 20}
    assert found.parts(JACKET, 5) == {}
    assert found.holding(JACKET) == {BOX, GIFT, PALLET}
    assert found.holding(SCARF) == {GIFT, PALLET}


def test_every_time_has_its_own_recipe_also_of_what_is_nested():
    found = Recipes(
        {
            BOX: [Recipe(20, {JACKET: 4}), Recipe(0, {JACKET: 6}), Recipe(40, {})],
            GIFT: [Recipe(10, {BOX: 1})],
        }
    )

    assert [found.parts(GIFT, at) for at in (9, 10, 19, 20, 39)] == [
        {},
        {JACKET: 6},
        {JACKET: 6},
        {JACKET: 4},
        {JACKET: 4},
    ]
    assert found.parts(GIFT, 40) == {BOX: 1}, "a box is then an item like any other"


def test_of_two_recipes_from_one_time_on_the_one_told_last_is_in_force():
    found = Recipes({BOX: [Recipe(20, {SCARF: 2}), Recipe(20, {JACKET: 1})]})
    assert found.parts(BOX, 20) == {JACKET: 1}


def test_one_more_recipe_leaves_the_others_as_they_were():
    before = recipes(box={JACKET: 6}, gift={SCARF: 1})
    found = before.adding(BOX, Recipe(20, {JACKET: 4})).adding(
        PALLET, Recipe(0, {BOX: 2})
    )

    assert [found.parts(PALLET, at) for at in (19, 20)] == [{JACKET: 12}, {JACKET: 8}]
    assert found.parts(GIFT, 20) == {SCARF: 1}
    assert (PALLET in found, PALLET in before) == (True, False)


@pytest.mark.parametrize(
    ("told", "since", "cycle"),
    [
        ({BOX: [Recipe(0, {BOX: 1})]}, 0, [BOX, BOX]),
        (
            {
                BOX: [Recipe(0, {GIFT: 1})],
                GIFT: [Recipe(0, {PALLET: 1})],
                PALLET: [Recipe(0, {JACKET: 1, BOX: 1})],
            },
            0,
            [BOX, GIFT, PALLET, BOX],
        ),
        ({BOX: [Recipe(0, {GIFT: 1})], GIFT: [Recipe(0, {JACKET: 1})]}, 0, None),
        # Only later would they hold each other.
        (
            {BOX: [Recipe(0, {GIFT: 1})], GIFT: [Recipe(0, {}), Recipe(9, {BOX: 1})]},
            0,
            [BOX, GIFT, BOX],
        ),
        # They once did, before the new recipe begins.
        (
            {BOX: [Recipe(5, {GIFT: 1})], GIFT: [Recipe(0, {BOX: 1}), Recipe(5, {})]},
            5,
            None,
        ),
    ],
)
def test_a_kit_that_would_hold_itself_is_found(told, since, cycle):
    assert Recipes(told).cycle(BOX, since) == cycle


def test_a_line_has_the_recipe_of_when_it_was_ordered():
    shipped = {"shipped:1:s": target(1, at=30)}

    assert ordered_at({kinds.PLACED: target(1, at=40)} | shipped) == 40
    assert ordered_at({BEGAN: target(0, at=40)} | shipped) == 40
    assert ordered_at(shipped | {"returned:1:r": target(1, at=40)}) == 30
    assert ordered_at({}) == 0, "nothing is told: the first recipe there was"


# -- laws ------------------------------------------------------------------------

quantities = st.integers(0, 5)
times = st.integers(1, 9)
places = st.sampled_from([11, 12])
told = st.builds(target, quantities, times, places)
targets = st.fixed_dictionaries(
    {},
    optional={
        kinds.PLACED: told,
        kinds.RELEASED: told,
        "routed:f": told,
        "shipped:1:a": told,
        "shipped:2:b": told,
        "returned:1:c": told,
        kinds.RECEIVED: told,
        kinds.ADJUSTED: st.builds(target, st.integers(-5, 5), times, places),
    },
)
made_of = st.dictionaries(
    st.sampled_from([JACKET, SCARF]), st.integers(1, 6), min_size=1
)


def levels(moves):
    found = defaultdict(int)
    for move, quantity in moves.items():
        found[move.sku_id, move.from_state, move.from_location] -= quantity
        found[move.sku_id, move.to_state, move.to_location] += quantity
    return {spot: units for spot, units in found.items() if units}


@given(targets, made_of)
def test_kits_conserve_the_units_of_every_component(line, parts):
    sums = defaultdict(int)
    for (sku, _, _), units in levels(movements(BOX, line, RULES, parts)).items():
        sums[sku] += units

    assert set(sums) <= set(parts)
    assert not any(sums.values())


@given(targets, made_of)
def test_a_kit_moves_so_many_of_each_component_as_it_takes(line, parts):
    whole = levels(movements(BOX, line, RULES))

    assert levels(movements(BOX, line, RULES, parts)) == {
        (sku, state, place): units * each
        for (_, state, place), units in whole.items()
        for sku, each in parts.items()
    }


@given(targets, made_of)
def test_a_component_of_a_kit_moves_as_if_it_were_said_of_itself(line, parts):
    of_kit = of_parts(movements(BOX, line, RULES), parts)

    assert of_kit == {
        move: units
        for sku, each in parts.items()
        for move, units in movements(sku, of_part(line, each), RULES).items()
    }


def test_what_the_kit_tells_is_no_report_of_the_component():
    assert of_part({"shipped:1:s\nBOX": target(2)}, 3) == {
        "shipped:1:s\rBOX": target(6)
    }


@given(st.lists(st.tuples(targets, made_of), min_size=1, max_size=4))
def test_what_is_posted_step_by_step_is_what_is_called_for_in_the_end(steps):
    posted, total = {}, defaultdict(int)
    for line, parts in steps:
        wanted = movements(BOX, line, RULES, parts)
        for spot, units in levels(difference(wanted, posted)).items():
            total[spot] += units
        posted = wanted

    assert {spot: units for spot, units in total.items() if units} == levels(posted)


def test_what_is_too_much_is_summed_up_and_says_how_many_could_be_taken():
    box, single = {7: 6, 8: 1}, {7: 1}
    asked = [
        Asked("UNIT", 7, 2, single),
        Asked("BOX", 9, 1, box),
        Asked("alias of BOX", 9, 2, box),
        Asked("NONE", 5, 1, {5: 1}),
    ]

    left = {7: 14, 8: 5}
    assert take(asked, left) == [Short("alias of BOX", 3, 2, 2), Short("NONE", 1, 0, 3)]

    left = {7: 14, 8: 5}
    assert take(asked[:2], left) == []
    assert left == {7: 6, 8: 4}


def test_lines_that_are_short_again_keep_the_first_of_them():
    asked = [
        Asked("BOX", 9, 1, {7: 6}),
        Asked("alias of BOX", 9, 1, {7: 6}),
        Asked("BOX", 9, 1, {7: 6}),
        Asked("NONE", 5, 1, {5: 1}),
        Asked("NONE", 5, 1, {5: 1}),
    ]
    assert take(asked, {7: 11}) == [
        Short("alias of BOX", 3, 1, 1),
        Short("NONE", 2, 0, 3),
    ]
    assert take(asked[:2], {7: 12}) == [], "all there are"

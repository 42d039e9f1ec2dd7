"""What each fact moves, in full: which SKU, from where to where, when and how many."""

import pytest

from app.domain import events as kinds, states
from app.domain.case import difference, doubtful_returns, movements
from app.domain.states import Movement
from app.domain.targets import UNLINKED, Rules, Target

SKU, NORTH, SOUTH, WEB = 7, 11, 12, 99
RULES = Rules(unassigned=WEB, ships_from=NORTH)


def target(quantity, at=10, place=NORTH, extra=None, version=1):
    return Target(quantity, version, place, at, extra)


def move(before, after, at=10, place=NORTH, to=NORTH):
    return Movement(SKU, before, place, after, to, at)


def committed(targets):
    """What is promised, by place."""
    found = {}
    for one, units in movements(SKU, targets, RULES).items():
        for state, place, sign in (
            (one.from_state, one.from_location, -1),
            (one.to_state, one.to_location, 1),
        ):
            if state == states.COMMITTED:
                found[place] = found.get(place, 0) + sign * units
    return {place: units for place, units in found.items() if units}


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize(
    ("kind", "extra", "moved"),
    [
        (kinds.RECEIVED, None, move("supplier", "available")),
        (kinds.RECEIVED, "damaged", move("supplier", "damaged")),
        (kinds.RECEIVED, "inspect", move("supplier", "inspection")),
        (kinds.EXPECTED, None, move("supplier", "incoming")),
        (kinds.TRANSFERRED, SOUTH, move("available", "incoming", to=SOUTH)),
        (kinds.ADJUSTED, None, move("variance", "available")),
        (kinds.ADJUSTED, kinds.DAMAGED, move("damaged", "available")),
        (kinds.INSPECTED, None, move("inspection", "available")),
        (kinds.INSPECTED, kinds.DAMAGED, move("inspection", "damaged")),
        (kinds.HELD, None, move("available", "reserved")),
        (kinds.WITHDRAWN, None, move("available", "inspection")),
        (f"{kinds.SHIPPED}:1:s", None, move("available", "customer")),
        (
            f"{kinds.RETURNED}:1:r",
            f"damaged{UNLINKED}",
            move("customer", "damaged"),
        ),
    ],
)
def test_a_fact_moves_its_sku_at_its_time(kind, extra, moved, units):
    assert movements(SKU, {kind: target(units, extra=extra)}, RULES) == {moved: units}


def test_what_was_lost_moves_the_other_way():
    lost = {kinds.ADJUSTED: target(-1)}
    broken = {kinds.ADJUSTED: target(-2, extra=kinds.DAMAGED)}
    assert movements(SKU, lost, RULES) == {move("available", "variance"): 1}
    assert movements(SKU, broken, RULES) == {move("available", "damaged"): 2}


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (kinds.RECEIVED, target(3, place=None)),
        (kinds.ADJUSTED, target(0)),
        (kinds.TRANSFERRED, target(3, place=None, extra=SOUTH)),
        (kinds.TRANSFERRED, target(3, extra="to where")),
    ],
)
def test_a_fact_that_names_no_units_or_no_place_moves_nothing(kind, told):
    assert movements(SKU, {kind: told}, RULES) == {}


def test_a_hold_is_let_go_of_when_it_ends():
    held = {kinds.HELD: target(3, at=10)}
    reserved, freed = move("available", "reserved"), move("reserved", "available", 20)
    for ended, units in ((3, 3), (5, 3), (2, 2)):
        told = held | {kinds.LET_GO: target(ended, at=20)}
        assert movements(SKU, told, RULES) == {reserved: 3, freed: units}


def test_a_reversed_fact_counts_as_never_said_until_its_source_speaks_again():
    mistake = {kinds.RECEIVED: target(3, version=5)}
    reversed_ = {kinds.REVERSED: target(1, version=6)}
    anew = {kinds.RECEIVED: target(2, version=7)}
    same_time = {kinds.RECEIVED: target(2, version=6)}
    assert movements(SKU, mistake | reversed_, RULES) == {}
    assert movements(SKU, same_time | reversed_, RULES) == {}
    assert movements(SKU, anew | reversed_, RULES) == {move("supplier", "available"): 2}


def test_a_reversal_leaves_the_other_facts_of_its_case():
    told = {
        kinds.REVERSED: target(1, version=6),
        kinds.RECEIVED: target(3, version=5),
        kinds.EXPECTED: target(2, version=9),
        kinds.ADJUSTED: target(1, version=8),
    }
    assert movements(SKU, told, RULES) == {
        move("supplier", "incoming"): 2,
        move("variance", "available"): 1,
    }


def test_equal_movements_of_two_facts_are_added_up():
    told = {kinds.ADJUSTED: target(2, extra=kinds.DAMAGED)}
    told |= {f"{kinds.SHIPPED}:1:a": target(2), f"{kinds.SHIPPED}:1:b": target(3)}
    assert movements(SKU, told, RULES) == {
        move("damaged", "available"): 2,
        move("available", "customer"): 5,
    }


def test_a_promise_begins_when_it_is_made_and_ends_when_it_ships():
    told = {kinds.PLACED: target(2, at=10), f"{kinds.SHIPPED}:1:s": target(1, at=20)}
    assert movements(SKU, told, RULES) == {
        move("available", "committed"): 2,
        move("committed", "available", 20): 1,
        move("available", "customer", 20): 1,
    }


def test_a_shipment_ends_the_promise_of_its_own_place():
    told = {kinds.PLACED: target(2, place=WEB)}
    told |= {
        f"{kinds.ROUTED}:a": target(1),
        f"{kinds.ROUTED}:b": target(1, place=SOUTH),
    }
    told |= {f"{kinds.SHIPPED}:1:s": target(1, 20, SOUTH)}
    assert committed(told) == {NORTH: 1}


@pytest.mark.parametrize("other", [NORTH, 1])
def test_a_cancellation_ends_first_what_is_not_routed(other):
    told = {kinds.PLACED: target(2, place=WEB), kinds.RELEASED: target(1, 20, None)}
    told |= {f"{kinds.ROUTED}:a": target(1, place=other)}
    assert committed(told) == {other: 1}


def test_what_was_cancelled_before_it_was_ordered_is_promised_nowhere():
    told = {kinds.PLACED: target(2, place=WEB), kinds.RELEASED: target(2, 5, None)}
    told |= {f"{kinds.ROUTED}:a": target(1, place=SOUTH)}
    assert movements(SKU, told, RULES) == {}


def test_a_shipment_without_a_place_is_known_when_its_units_come_back():
    told = {kinds.PLACED: target(2, place=SOUTH)}
    told |= {f"{kinds.SHIPPED}:1:s": target(2, 20, None)}
    told |= {f"{kinds.RETURNED}:1:r": target(2, 30)}
    assert doubtful_returns(told, RULES) == ({}, {})


def test_what_is_doubtful_at_one_place_is_added_up():
    surplus = {f"{kinds.RETURNED}:1:{n}": target(n, 30) for n in (1, 2)}
    unlinked = {
        name: told._replace(extra=kinds.SELLABLE + UNLINKED)
        for name, told in surplus.items()
    }
    assert doubtful_returns(surplus, RULES) == ({}, {NORTH: 3})
    assert doubtful_returns(unlinked, RULES) == ({NORTH: 3}, {})


SOLD = move("available", "customer")


def test_the_difference_of_two_opposite_movements_is_added_up():
    back = SOLD.reversed()
    assert difference({SOLD: 4, back: 1}, {SOLD: 1, back: 3}) == {SOLD: 5}
    assert difference({back: 1, SOLD: 4}, {SOLD: 1, back: 3}) == {SOLD: 5}
    assert difference({SOLD: 1, back: 3}, {SOLD: 4, back: 1}) == {back: 5}
    assert difference({SOLD: 4}, {SOLD: 1, back: 3}) == {SOLD: 6}


def test_a_movement_backwards_is_of_the_same_sku_at_the_same_time():
    sent = Movement(SKU, "available", NORTH, "incoming", SOUTH, 10)
    assert sent.reversed() == Movement(SKU, "incoming", SOUTH, "available", NORTH, 10)

"""What a promise is while its order is not paid, and what it becomes."""

import itertools

import pytest

from app.domain.case import movements
from app.domain.payment import is_paid, merged
from app.domain.targets import Rules, Target

HERE = 1


def target(quantity, version=0, *, at=10, extra=None, place=None):
    return Target(quantity, version, place, at, extra)


def placed(quantity):
    return target(quantity, 1, place=HERE)


def unpaid(version=1, until=70):
    return target(1, version, extra=until)


def moved(**targets):
    """(time, from, to) → units."""
    told = {name.replace("__", ":"): one for name, one in targets.items()}
    return {
        (move.occurred_at, move.from_state, move.to_state): units
        for move, units in movements(7, told, Rules()).items()
    }


def kept(**targets):
    """What is kept in the end: state → units."""
    left = {"available": 0}
    for (_, origin, to), units in moved(**targets).items():
        left[origin] = left.get(origin, 0) - units
        left[to] = left.get(to, 0) + units
    return {state: units for state, units in left.items() if units}


def test_unpaid_units_are_reserved():
    assert moved(placed=placed(3), unpaid=unpaid()) == {
        (10, "available", "reserved"): 3
    }


def test_a_payment_commits_them_when_it_came():
    assert moved(placed=placed(3), unpaid=unpaid(), paid=target(1, 2, at=40)) == {
        (10, "available", "reserved"): 3,
        (40, "reserved", "committed"): 3,
    }


def test_a_payment_no_later_than_the_order_just_commits():
    paid = target(1, 2, at=10)
    expected = {(10, "available", "committed"): 3}
    assert moved(placed=placed(3), unpaid=unpaid(), paid=paid) == expected


def test_once_the_time_is_over_they_are_free():
    assert moved(placed=placed(3), unpaid=unpaid(), lapsed=target(1, 70, at=70)) == {
        (10, "available", "reserved"): 3,
        (70, "reserved", "available"): 3,
    }


def test_a_late_payment_commits_again():
    assert moved(
        placed=placed(3),
        unpaid=unpaid(),
        lapsed=target(1, 70, at=70),
        paid=target(1, 2, at=90),
    ) == {
        (10, "available", "reserved"): 3,
        (70, "reserved", "available"): 3,
        (90, "available", "committed"): 3,
    }


def test_a_payment_in_time_makes_it_as_if_nothing_had_lapsed():
    paid = target(1, 2, at=40)
    lapsed = target(1, 70, at=70)
    assert moved(placed=placed(3), unpaid=unpaid(), lapsed=lapsed, paid=paid) == moved(
        placed=placed(3), unpaid=unpaid(), paid=paid
    )


def test_a_payment_in_the_moment_of_the_lapse_is_in_time():
    paid, lapsed = target(1, 2, at=70), target(1, 70, at=70)
    assert moved(placed=placed(3), unpaid=unpaid(), lapsed=lapsed, paid=paid) == {
        (10, "available", "reserved"): 3,
        (70, "reserved", "committed"): 3,
    }


def test_a_longer_time_to_pay_in_outlives_the_end_of_a_shorter_one():
    lapsed = target(1, 70, at=70)
    assert kept(placed=placed(3), unpaid=unpaid(2, until=99), lapsed=lapsed) == {
        "available": -3,
        "reserved": 3,
    }


def test_a_newer_word_that_it_is_not_paid_wins():
    paid = target(1, 2, at=40)
    assert kept(placed=placed(3), unpaid=unpaid(3), paid=paid)["reserved"] == 3
    assert kept(placed=placed(3), unpaid=unpaid(2), paid=paid)["committed"] == 3


def test_what_ends_while_it_is_held_free_or_committed_is_let_go_of_there():
    told = {
        "placed": placed(6),
        "unpaid": unpaid(),
        "lapsed": target(1, 70, at=70),
        "paid": target(1, 2, at=90),
    }
    found = moved(
        **told,
        shipped__1__a=target(1, 1, at=20, place=HERE),
        shipped__1__b=target(1, 1, at=80, place=HERE),
        shipped__1__c=target(1, 1, at=90, place=HERE),
        shipped__1__d=target(1, 1, at=95, place=HERE),
    )
    promise = {move: units for move, units in found.items() if "customer" not in move}
    assert promise == {
        (10, "available", "reserved"): 6,
        (20, "reserved", "available"): 1,
        (70, "reserved", "available"): 5,
        (90, "available", "committed"): 3,
        (95, "committed", "available"): 1,
    }


def test_a_payment_alone_changes_nothing():
    assert moved(placed=placed(3), paid=target(1, 2, at=40)) == moved(placed=placed(3))
    assert moved(unpaid=unpaid()) == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_one_payment_the_earliest_time_and_the_newest_word_are_kept(order):
    told = [target(1, 5, at=50), target(1, 3, at=30), target(1, 9, at=90)]
    first, *rest = (told[number] for number in order)
    for one in rest:
        first = merged("paid", first, one)

    assert (first.version, first.occurred_at) == (9, 30)


def test_of_other_words_the_newest_is_kept_as_it_is():
    older, newer = unpaid(1, until=70), unpaid(2, until=99)
    assert merged("unpaid", older, newer) is newer
    assert merged("unpaid", newer, older) is newer
    assert merged("unpaid", newer, unpaid(2, until=50)) is newer, "a repeat"


@pytest.mark.parametrize(
    ("told", "paid"),
    [
        ({}, True),
        ({"unpaid": unpaid(2)}, False),
        ({"unpaid": unpaid(2), "paid": target(1, 1)}, False),
        ({"unpaid": unpaid(2), "paid": target(1, 2)}, True),
    ],
)
def test_an_order_is_paid_unless_the_newest_word_is_that_it_is_not(told, paid):
    assert is_paid(told) is paid

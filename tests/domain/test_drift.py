"""Why a channel shows another number, row by row, and what is done about it."""

from dataclasses import replace

import pytest

from app.domain.drift import (
    ADOPT,
    ASK,
    EDITED,
    FALSE_SUCCESS,
    IN_FLIGHT,
    LOOK,
    LOST_EVENT,
    MAPPING,
    NOTHING,
    OVERRIDE,
    POLICIES,
    PUBLISH,
    STALE_PUSH,
    TAKE,
    UNKNOWN,
    WAIT,
    Difference,
    cause_of,
    deed,
    is_plausible,
    reply,
)

RIGHT = Difference(
    theirs=7,
    desired=7,
    accepted=7,
    believed=(7, 7),
    first=7,
    before=5,
    is_wanted=False,
    orders_read=True,
)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({}, None),
        ({"theirs": None}, MAPPING),
        # Nothing was ever accepted, or nothing is believed of what was.
        ({"theirs": 9, "accepted": None}, IN_FLIGHT),
        ({"theirs": 9, "believed": (None, None)}, IN_FLIGHT),
        ({"theirs": 9, "believed": (None, 7)}, IN_FLIGHT),
        # It shows what we thought, and should show something else.
        ({"desired": 4}, STALE_PUSH),
        ({"desired": 4, "is_wanted": True}, IN_FLIGHT),
        # Its own sale came in while we looked.
        ({"theirs": 7, "desired": 6, "believed": (7, 6)}, IN_FLIGHT),
        ({"theirs": 6, "desired": 5, "believed": (7, 5)}, LOST_EVENT),
        # Its orders explained the number, and we had not known of them.
        ({"theirs": 6, "desired": 4, "believed": (6, 6), "first": 7}, LOST_EVENT),
        ({"theirs": 6, "desired": 6, "believed": (6, 6), "first": 7}, LOST_EVENT),
        ({"theirs": 9, "is_wanted": True}, IN_FLIGHT),
        ({"theirs": 5}, FALSE_SUCCESS),
        ({"theirs": 5, "before": 5, "accepted": 5}, EDITED),
        ({"theirs": 9}, EDITED),
        ({"theirs": 9, "orders_read": False}, UNKNOWN),
    ],
)
def test_the_cause_is_the_first_that_fits(change, cause):
    assert cause_of(replace(RIGHT, **change)) == cause


@pytest.mark.parametrize(
    ("cause", "policy", "change", "can_take", "done"),
    [
        (IN_FLIGHT, OVERRIDE, {}, True, NOTHING),
        (LOST_EVENT, OVERRIDE, {}, True, NOTHING),
        (STALE_PUSH, ASK, {}, True, PUBLISH),
        (FALSE_SUCCESS, ASK, {}, True, PUBLISH),
        (MAPPING, OVERRIDE, {"theirs": None}, True, WAIT),
        (EDITED, OVERRIDE, {"theirs": 9}, True, PUBLISH),
        (EDITED, ADOPT, {"theirs": 9}, True, TAKE),
        (EDITED, ADOPT, {"theirs": 9}, False, WAIT),
        (EDITED, ASK, {"theirs": 9}, True, WAIT),
        (EDITED, OVERRIDE, {"theirs": 0}, True, WAIT),
        (EDITED, OVERRIDE, {"theirs": 70}, True, WAIT),
        (EDITED, OVERRIDE, {"theirs": 5, "believed": (0, 0)}, True, WAIT),
        (EDITED, ADOPT, {"theirs": 0}, True, WAIT),
        (UNKNOWN, OVERRIDE, {"theirs": 9}, True, PUBLISH),
        (UNKNOWN, OVERRIDE, {"theirs": 5}, True, WAIT),
        (UNKNOWN, ADOPT, {"theirs": 9}, True, WAIT),
        (UNKNOWN, ASK, {"theirs": 9}, True, WAIT),
    ],
)
def test_what_is_done_follows_from_cause_and_policy(
    cause, policy, change, can_take, done
):
    assert deed(cause, replace(RIGHT, **change), policy, can_take=can_take) == done


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("theirs", [0, 1, 6, 8, 69, 70])
def test_an_edit_is_answered_alike_when_told_and_when_compared(policy, theirs):
    edit = replace(RIGHT, theirs=theirs)

    told = reply(EDITED, edit, policy, is_settled=True, can_take=True)

    assert told == deed(EDITED, edit, policy, can_take=True)


@pytest.mark.parametrize(
    ("theirs", "policy", "done"),
    [
        (9, OVERRIDE, PUBLISH),
        (5, OVERRIDE, NOTHING),
        (0, OVERRIDE, NOTHING),
        (70, OVERRIDE, WAIT),
        (9, ADOPT, LOOK),
        (0, ASK, LOOK),
    ],
)
def test_what_its_orders_may_still_explain_is_only_lowered(theirs, policy, done):
    edit = replace(RIGHT, theirs=theirs)
    assert reply(EDITED, edit, policy, is_settled=False, can_take=True) == done


@pytest.mark.parametrize("theirs", [None, RIGHT.desired])
def test_a_number_that_is_right_or_not_kept_is_not_answered(theirs):
    told = replace(RIGHT, theirs=theirs)
    assert reply(EDITED, told, ADOPT, is_settled=False, can_take=True) == NOTHING


@pytest.mark.parametrize(
    ("policy", "done"), [(OVERRIDE, PUBLISH), (ADOPT, WAIT), (ASK, WAIT)]
)
def test_what_looks_like_a_write_that_failed_may_be_an_edit_back(policy, done):
    told = replace(RIGHT, theirs=5)
    assert reply(FALSE_SUCCESS, told, policy, is_settled=True, can_take=True) == done


@pytest.mark.parametrize(
    ("orders_read", "can_take", "done"),
    [(True, True, TAKE), (True, False, WAIT), (False, True, WAIT)],
)
def test_theirs_is_taken_only_once_their_orders_are_known(orders_read, can_take, done):
    told = replace(RIGHT, theirs=9, orders_read=orders_read)
    assert reply(EDITED, told, ADOPT, is_settled=True, can_take=can_take) == done


@pytest.mark.parametrize("cause", [EDITED, UNKNOWN])
def test_a_person_who_says_which_is_right_is_not_asked_again(cause):
    nothing = replace(RIGHT, theirs=0)

    def done(policy, can_take=True):
        return deed(cause, nothing, policy, can_take=can_take, is_told=True)

    assert done(OVERRIDE) == PUBLISH
    assert done(ADOPT) == TAKE
    assert done(ADOPT, can_take=False) == WAIT


@pytest.mark.parametrize("policy", POLICIES)
def test_more_is_never_shown_than_a_channel_shows_while_nobody_knows_why(policy):
    lower = replace(RIGHT, theirs=5, before=4, orders_read=False)

    assert cause_of(lower) == UNKNOWN
    assert deed(UNKNOWN, lower, policy, can_take=True) == WAIT


@pytest.mark.parametrize(
    ("theirs", "believed", "plausible"),
    [
        (9, 7, True),
        (0, 7, False),
        (0, 1, True),
        (1, 0, True),
        (2, 0, False),
        (7, 0, False),
        (69, 7, True),
        (70, 7, False),
        (1, 10, False),
        (2, 10, True),
    ],
)
def test_nothing_and_tenfold_are_not_plausible(theirs, believed, plausible):
    assert is_plausible(theirs, believed) is plausible

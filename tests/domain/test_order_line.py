"""Where the units of an order line leave from, and whether anybody said so."""

import pytest

from app.domain import events as kinds
from app.domain.case import assumed_shipments, doubtful_returns, handed_over
from app.domain.targets import Rules
from tests.domain.test_case import (
    NORTH,
    PARCELS,
    RULES,
    SOUTH,
    WEB,
    after,
    placed,
    returned,
    routed,
    shipped,
    target,
)

WEST = 13
IGNORED = {kinds.IGNORED: target(1)}


def targets(*told):
    return {name: one for facts in told for name, one in facts.items()}


def test_a_shipment_without_a_place_leaves_from_where_most_was_routed():
    few, most = routed(1, NORTH, "a"), routed(2, SOUTH, "b")
    found = after(placed(3, place=WEB), few, most, shipped(1, place=None))
    assert found["customer", SOUTH] == 1


def test_of_equal_routes_the_first_by_name_is_taken():
    routes = routed(1, SOUTH, "a"), routed(1, NORTH, "b")
    found = after(placed(2, place=WEB), *routes, shipped(1, place=None))
    assert found["customer", SOUTH] == 1


def test_routes_to_one_place_are_added_up_also_to_what_sits_there():
    routes = routed(1, SOUTH, "a"), routed(2, SOUTH, "b"), routed(1, NORTH, "c")
    assert after(placed(6), *routes) == {
        ("available", NORTH): -3,
        ("committed", NORTH): 3,
        ("available", SOUTH): -3,
        ("committed", SOUTH): 3,
    }


def test_a_route_that_was_taken_back_moves_no_promise():
    assert after(placed(2), routed(0, SOUTH)) == after(placed(2))


def test_what_left_beyond_the_promise_of_its_place_is_taken_off_the_others():
    sent = shipped(1, at=20, fact="a"), shipped(2, at=21, fact="b")
    found = after(placed(4, place=WEB), routed(1, NORTH), *sent)
    assert found["committed", WEB] == 1
    assert ("committed", NORTH) not in found


def test_units_taken_off_a_line_wait_at_the_place_that_is_named():
    withdrawn = {kinds.WITHDRAWN: target(1, place=SOUTH)}
    assert after(placed(0), withdrawn) == {
        ("available", SOUTH): -1,
        ("inspection", SOUTH): 1,
    }


def test_units_taken_off_a_line_wait_where_it_sits_if_no_place_is_named():
    withdrawn = {kinds.WITHDRAWN: target(1, place=None)}
    found = after(placed(3, place=SOUTH), withdrawn)
    assert found["inspection", SOUTH] == 1


def test_an_id_with_colons_in_it_is_still_told_by_its_source():
    twice = shipped(1, fact="a:b"), shipped(1, fact="c:d")
    less = shipped(1, place=SOUTH, by=PARCELS)
    assert after(placed(3), *twice, less)["customer", NORTH] == 2

    back = returned(1, fact="a:b"), returned(1, fact="a:c", by=PARCELS)
    assert after(shipped(2), *back)["customer", NORTH] == 1


def test_what_was_handed_over_is_told_oldest_first():
    told = shipped(2, at=30, fact="a"), shipped(1, at=20, place=None, fact="b")
    found = handed_over(targets(placed(3, place=SOUTH), *told), RULES)
    assert list(found) == [(SOUTH, 1), (NORTH, 2)]


@pytest.mark.parametrize(
    ("told", "by_place"),
    [
        ((placed(3, place=WEB), shipped(2, place=None)), {NORTH: 2}),
        ((shipped(2, place=None),), {NORTH: 2}),
        ((shipped(2, place=None, fact="a"), shipped(1, fact="b")), {NORTH: 2}),
        (
            (shipped(2, place=None, fact="a"), shipped(1, place=None, fact="b")),
            {NORTH: 3},
        ),
        ((placed(3, place=WEB), shipped(2, place=SOUTH)), {}),
        ((placed(3, place=WEST), shipped(2, place=None)), {}),
        ((placed(3, place=WEB), routed(1, WEST), shipped(2, place=None)), {}),
        ((shipped(0, place=None),), {}),
        ((placed(3, place=WEB),), {}),
        ((IGNORED, shipped(2, place=None)), {}),
    ],
    ids=[
        "nobody named a place",
        "nor was it placed",
        "one of two did",
        "two did not",
        "the shipment named one",
        "the promise sits at one",
        "it was routed to one",
        "nothing left",
        "nothing was shipped",
        "another system's copy",
    ],
)
def test_a_shipment_from_the_usual_place_is_assumed_if_nobody_named_one(told, by_place):
    assert assumed_shipments(targets(*told), RULES) == by_place


def test_nothing_is_doubtful_of_what_is_another_systems_copy():
    assert doubtful_returns(targets(IGNORED, returned(2)), RULES) == ({}, {})


def test_nothing_is_assumed_where_a_channel_has_no_usual_place():
    assert assumed_shipments(shipped(2, place=None), Rules()) == {}

"""What a copied order is known by."""

from dataclasses import replace

import pytest

from app.domain.events import Normalised, Origin, Read, StockEvent, WholeOrder
from app.domain.ignoring import Ignore, without_copies

SAID = Normalised(
    events=(StockEvent("placed", 1, 5, 5, sku="A", order="77", line="1"),),
    orders=(WholeOrder("77", ("1",), 5, 5),),
    bad=("lines[1].sku is missing",),
    read=Read("order", "77"),
    origin=Origin("77", "AMZ-1001", "580111", ("Amazon", "Gift")),
)


@pytest.mark.parametrize(
    ("marks", "why"),
    [
        ({"tags": ["eBay", "amazon"]}, "it has the tag amazon"),
        ({"sources": ["580111"]}, "its source is 580111"),
        ({"order_prefix": ["AMZ-"]}, "its number begins with AMZ-"),
        ({"order_prefix": ["7"]}, "its number begins with 7"),
    ],
)
def test_one_mark_is_enough(marks, why):
    said = without_copies(SAID, Ignore(marks, 7), 9)

    [event] = said.events
    told = (event.kind, event.quantity, event.order, event.occurred_at)
    assert told == ("ignored", 1, "77", 9)
    assert event.reason == f"Order AMZ-1001 is another system's copy: {why}."
    assert said.ignored == (event.reason,)
    assert (said.orders, said.bad, said.read) == ((), (), None)


@pytest.mark.parametrize("rules", [Ignore(), Ignore({"tags": ["gift"]}, 7)])
def test_a_test_is_one_whatever_the_rules(rules):
    tested = replace(SAID, origin=replace(SAID.origin, is_test=True))

    said = without_copies(tested, rules, 9)

    [event] = said.events
    assert (event.kind, event.quantity, event.order) == ("ignored", 1, "77")
    assert said.ignored == ("Order AMZ-1001 is a test: nothing was sold.",)


@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"tags": ["Ama"]},
        {"sources": ["web"]},
        {"order_prefix": ["MZ"]},
        {"tags": []},
    ],
)
def test_of_other_orders_it_is_said_that_they_are_none(marks):
    said = without_copies(SAID, Ignore(marks, 7), 9)

    told, *rest = said.events
    assert (told.kind, told.quantity, told.version, told.fact) == ("ignored", 0, 5, "7")
    assert replace(said, events=tuple(rest)) == SAID


@pytest.mark.parametrize(
    ("events", "orders", "version"), [((5, 8), (6,), 8), ((5,), (6,), 6), ((), (), 9)]
)
def test_a_copy_is_known_in_the_newest_version_that_the_message_tells(
    events, orders, version
):
    [event], [order] = SAID.events, SAID.orders
    said = replace(
        SAID,
        events=tuple(replace(event, version=one) for one in events),
        orders=tuple(replace(order, version=one) for one in orders),
    )

    [told] = without_copies(said, Ignore({"tags": ["gift"]}, 7), 9).events
    assert told.version == version


def test_of_an_order_that_a_message_only_mentions_it_is_not_said_that_it_is_none():
    mentioned = Normalised(origin=SAID.origin)
    assert without_copies(mentioned, Ignore({}, 7), 9) is mentioned


def test_where_there_never_were_rules_nothing_is_said_of_it():
    assert without_copies(SAID, Ignore(), 9) is SAID


def test_what_is_about_no_order_is_left_alone():
    said = Normalised(ignored=("nothing",))

    assert without_copies(said, Ignore({"tags": ["a"]}, 7), 9) is said

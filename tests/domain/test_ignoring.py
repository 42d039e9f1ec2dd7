"""What a copied order is known by."""

from dataclasses import replace

import pytest

from app.domain.events import Normalised, Origin, Read, StockEvent, WholeOrder
from app.domain.ignoring import Ignore, without_copies

SAID = Normalised(
    events=(StockEvent("placed", 1, 5, 5, sku="A", order="77", line="1"),),
    orders=(WholeOrder("77", ("1",), 5, 5),),
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
    assert (event.kind, event.order, event.occurred_at) == ("ignored", "77", 9)
    assert said.ignored == (f"Order AMZ-1001 is another system's copy: {why}.",)
    assert (said.orders, said.read) == ((), None)


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


def test_where_there_never_were_rules_nothing_is_said_of_it():
    assert without_copies(SAID, Ignore(), 9) is SAID


def test_what_is_about_no_order_is_left_alone():
    said = Normalised(ignored=("nothing",))

    assert without_copies(said, Ignore({"tags": ["a"]}, 7), 9) is said

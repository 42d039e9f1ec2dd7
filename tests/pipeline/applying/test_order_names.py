"""An order's number: with its sign or without, and as another channel's order has it."""

import itertools
from functools import partial
from types import SimpleNamespace

import pytest

from app.domain import events as kinds
from app.domain.instants import DAY, MINUTE, SECOND, now
from app.pipeline.acts import holding, telling
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.proving.rehearsal import rehearse
from tests.builders import JACKET, order, shipment
from tests.pipeline.applying.test_whose import (
    AT,
    back,
    flagged,
    number,
    say,
    send,
    shop,
)

__all__ = ["shop"]


@pytest.mark.parametrize("is_late", [False, True], ids=["known", "not yet known"])
def test_its_number_as_it_is_printed_says_whose_order_it_is(shop, is_late):
    if is_late:
        say(shop, back("#1001"))
    number(shop, "9987", "1001")
    number(shop, "9987", "1001", kind=kinds.SHIPPED)
    if not is_late:
        say(shop, back("#1001"))

    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == []
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now() + SECOND, 1)) == []


@pytest.mark.parametrize("is_late", [False, True], ids=["known", "not yet known"])
def test_an_order_is_named_as_it_is_printed(shop, is_late):
    """By a warehouse or a person who read it off the packing slip."""
    shop.channel("wms")
    told = shipment("#1001", JACKET, 2, at=AT + MINUTE, location="downtown")
    came = {"location": "downtown", "order": "#1001", "channel": "web"}
    line = {"sku": JACKET, "quantity": 1, "disposition": kinds.SELLABLE}
    one = SimpleNamespace(id="r", now=now())

    if not is_late:
        number(shop, "500", "1001", quantity=2)
    shop.tell("wms", told | {"channel": "web"})
    say(shop, *telling.returned({**came, "lines": [line]}, one))
    if is_late:
        number(shop, "500", "1001", quantity=2)

    assert shop.level(JACKET) == {"available": 9}


@pytest.mark.parametrize("own", ["1001", "#1001"])
@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_an_order_is_one_with_the_sign_of_its_number_or_without(shop, own, arrival):
    shop.channel("wms")
    acts = (
        lambda: shop.tell("web", order(own, JACKET, 3, at=AT)),
        lambda: shop.tell("wms", parcel("1001", 2, AT + MINUTE)),
        # The same parcel, corrected.
        lambda: shop.tell("wms", parcel("#1001", 1, AT + MINUTE, version=AT + DAY)),
    )

    def parcel(named, units, at, version=AT):
        told = shipment(named, JACKET, units, at=at, location="downtown")
        return told | {"channel": "web", "id": "A", "version": version}

    for number_ in arrival:
        acts[number_]()

    assert shop.level(JACKET) == {"available": 7, "committed": 2}
    with shop.engine.connect() as connection:
        told = [rehearse(connection, now() + SECOND, seed) for seed in range(3)]
        assert [list(said) for said in told] == [[], [], []]


@pytest.mark.parametrize("is_late", [False, True], ids=["known", "not yet known"])
def test_a_return_waits_for_an_order_with_the_sign_or_without(shop, is_late):
    told = order("1001", JACKET, 1, at=AT), shipment("1001", JACKET, 1, at=AT)
    if not is_late:
        shop.tell("web", *told)
    say(shop, back("#1001"))
    if is_late:
        shop.tell("web", *told)

    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == []


@pytest.mark.parametrize("named", ["1001", "#1001"])
@pytest.mark.parametrize("is_late", [False, True], ids=["known", "not yet known"])
def test_a_hold_is_committed_to_an_order_with_the_sign_or_without(shop, is_late, named):
    lines = [{"sku": JACKET, "quantity": 2}]
    held = holding.hold(shop.engine, lines, 900, actor="test", now=now())
    shop.channel("wms")
    parcel = shipment("#1001", JACKET, 1, at=AT + MINUTE, location="downtown")

    if not is_late:
        number(shop, "500", "1001", quantity=2)
    holding.commit(shop.engine, held["id"], "web", named, actor="test", now=now())
    shop.tell("wms", parcel | {"channel": "web"})
    if is_late:
        number(shop, "500", "1001", quantity=2)

    assert shop.level(JACKET) == {"available": 8, "committed": 1}


@pytest.mark.parametrize("is_first", [True, False])
def test_what_another_calls_an_order_finds_no_third_one_s_words(shop, is_first):
    """A parcel whose channel nobody names is of that order or not, whatever others say."""
    shop.channel("wms")
    shop.channel("carrier")
    parcel = shipment("#1001", JACKET, 1, at=AT, location="downtown")
    parcel |= {"channel": "web"}
    shop.tell("web", order("1001", JACKET, 3, at=AT))
    if is_first:
        shop.tell("wms", parcel)
    send(shop, "carrier", order_number="1001")
    if not is_first:
        shop.tell("wms", parcel)

    with shop.engine.connect() as connection:
        told = [rehearse(connection, now() + SECOND, seed) for seed in range(4)]
        assert [list(said) for said in told] == [[], [], [], []]


# -- a channel is named ----------------------------------------------------------

OF_THE_TILL = {
    "placed": lambda shop: shop.tell("till", order("1001", JACKET, 2, at=AT)),
    "shipped": lambda shop: shop.tell(
        "wms",
        shipment("1001", JACKET, 2, at=AT, location="downtown") | {"channel": "till"},
    ),
    "of the web": lambda shop: number(shop, "500", "1001", quantity=3),
}


@pytest.mark.parametrize("arrival", list(itertools.permutations(OF_THE_TILL)))
def test_what_names_a_channel_is_not_another_s_with_that_number(shop, arrival):
    for one in arrival:
        OF_THE_TILL[one](shop)

    assert shop.level(JACKET) == {"available": 5, "committed": 3}
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now() + SECOND, 1)) == []


def test_a_hold_for_a_channel_s_order_is_not_another_s_with_that_number(shop):
    lines = [{"sku": JACKET, "quantity": 2}]
    held = holding.hold(shop.engine, lines, 900, actor="test", now=now())
    holding.commit(shop.engine, held["id"], "till", "1001", actor="test", now=now())

    number(shop, "500", "1001", quantity=3)

    assert shop.level(JACKET) == {"available": 5, "committed": 5}


def test_what_its_channel_says_of_an_order_outweighs_a_hold_found_by_its_number(shop):
    lines = [{"sku": JACKET, "quantity": 2}]
    held = holding.hold(shop.engine, lines, 900, actor="test", now=now())
    number(shop, "500", None, kind=kinds.SHIPPED)
    holding.commit(shop.engine, held["id"], "web", "1001", actor="test", now=now())

    number(shop, "500", "1001", quantity=4)

    assert shop.level(JACKET) == {"available": 6, "committed": 3}
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now() + SECOND, 1)) == []


@pytest.mark.parametrize("arrival", [(0, 1), (1, 0)])
def test_parts_for_a_channel_s_order_are_not_of_another_s_kit(shop, arrival):
    set_recipe(shop.engine, "BOX", {JACKET: 2}, now=now())
    acts = [
        lambda: number(shop, "500", "1001", sku="BOX"),
        partial(OF_THE_TILL["shipped"], shop),
    ]
    for one in arrival:
        acts[one]()

    assert shop.level(JACKET) == {"available": 6, "committed": 2}
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now() + SECOND, 1)) == []

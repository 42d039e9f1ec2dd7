"""Pools: two of our locations that are one of a channel's, which names neither."""

import pytest
import sqlalchemy as sa

from app.domain.errors import ShortOfUnits
from app.domain.instants import MINUTE, now
from app.domain.pools import pools
from app.pipeline.acts import holding
from app.pipeline.applying import oversells
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.proving.explaining import explain
from app.pipeline.publishing import desired
from app.store.publishing import deliveries
from app.store.tables import incidents
from tests.builders import JACKET, order, sale, shipment


@pytest.fixture
def shop(empty_shop):
    """A store whose one place is two rooms of ours, and a market that sells it all."""
    shop = empty_shop
    shop.locations("front", "back", "depot")
    shop.channel("store", mapped={"front": "S", "back": "S"}, publish={})
    shop.channel("market", publish={})
    shop.sku(JACKET, "RED-SCARF")
    for channel in ("store", "market"):
        shop.listing(channel, JACKET, JACKET)
    shop.count(JACKET, "back", 5)
    return shop


def shown(shop, sku=JACKET):
    with shop.engine.connect() as connection:
        wanted = deliveries.Filter(sku=sku)
        rows = deliveries.page(connection, wanted, now=now(), limit=10)
        found = desired.numbers(connection, rows)
    return {row["channel"]: found[row["id"]] for row in rows}


def is_oversold(shop):
    query = sa.select(incidents.c.closed_at).where(incidents.c.kind == oversells.KIND)
    with shop.engine.connect() as connection:
        return [closed_at is None for closed_at in connection.execute(query).scalars()]


def test_what_a_channel_sells_at_its_place_leaves_less_wherever_it_is_written(shop):
    at = now() - MINUTE
    shop.tell("store", sale("1", JACKET, 1, at=at, location="S"))
    assert shown(shop) == {"store": 4, "market": 4}

    shop.tell("store", order("2", JACKET, 1, at=at) | {"location": "S"})
    assert shown(shop) == {"store": 3, "market": 3}

    shop.tell("store", shipment("2", JACKET, 1, at=at, location="S"))
    assert shown(shop) == {"store": 3, "market": 3}
    assert shop.level(JACKET, "front") == {"available": -2}
    assert is_oversold(shop) == []


def test_more_is_sold_than_there_is_once_the_whole_place_is_empty(shop):
    shop.tell("store", sale("1", JACKET, 5, at=now(), location="S"))
    assert (shown(shop), is_oversold(shop)) == ({"store": 0, "market": 0}, [])

    shop.tell("store", sale("2", JACKET, 1, at=now(), location="S"))
    assert is_oversold(shop) == [True]


def test_another_location_does_not_make_up_for_what_a_place_lacks(shop):
    shop.count(JACKET, "depot", 3)

    shop.tell("store", sale("1", JACKET, 6, at=now(), location="S"))

    assert shown(shop) == {"store": 0, "market": 3}
    assert is_oversold(shop) == [True]


def test_nobody_can_claim_what_a_place_has_sold(shop):
    shop.tell("store", sale("1", JACKET, 2, at=now(), location="S"))

    def hold(quantity, **where):
        lines = [{"sku": JACKET, "quantity": quantity, **where}]
        holding.hold(shop.engine, lines, 60, actor="me", now=now())

    with pytest.raises(ShortOfUnits) as refused:
        hold(4, location="back")
    assert refused.value.short[0]["available"] == 3
    hold(3)
    assert shown(shop) == {"store": 0, "market": 0}


def test_a_kit_needs_what_is_left_of_its_components(shop):
    parts = {JACKET: 1, "RED-SCARF": 2}
    set_recipe(shop.engine, "GIFT", parts, now=now(), actor="test")
    shop.listing("store", "GIFT", "GIFT")
    shop.count("RED-SCARF", "back", 20)
    assert shown(shop, "GIFT") == {"store": 5}

    shop.tell("store", sale("1", JACKET, 1, at=now(), location="S"))
    assert shown(shop, "GIFT") == {"store": 4}

    shop.tell("store", sale("2", "GIFT", 1, at=now(), location="S"))
    assert shown(shop, "GIFT") == {"store": 3}
    assert shown(shop) == {"store": 3, "market": 3}


def test_the_explanation_is_of_the_number_that_is_published(shop):
    shop.tell("store", sale("1", JACKET, 2, at=now(), location="S"))

    with shop.engine.connect() as connection:
        told = explain(connection, JACKET, "store", at=None, now=now())

    assert [one["shown"] for one in told["numbers"]] == [3]
    assert told["numbers"][0]["kept_for_promises"] == 2


def test_a_channel_with_one_place_of_its_own_need_not_name_it(shop):
    shop.tell("store", sale("1", JACKET, 1, at=now()))

    assert shop.messages() == [("applied", None)]
    assert shown(shop) == {"store": 4, "market": 4}


def test_the_first_of_two_pools_owes_for_both():
    links = [[(1, "S"), (2, "S"), (3, "T")], [(1, "X"), (4, "X")], [(2, "Y")]]
    assert pools(links) == {1: (1, 2, 4)}

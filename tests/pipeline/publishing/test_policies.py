"""Policies: per channel and per listing, what they show and what they publish anew."""

import json

import pytest
import sqlalchemy as sa
from hypothesis import given, strategies as st

from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import now
from app.pipeline.configuring.listings import publish_listings
from app.pipeline.configuring.revising import relist, ruled_anew
from app.pipeline.house import read_house
from app.pipeline.publishing import desired
from app.pipeline.publishing.ruling import ruling
from app.store import bulk
from app.store.engine import applying
from app.store.publishing import deliveries
from app.store.tables import channels, policies, publications
from tests.builders import JACKET, order, sale

SHIRT = "WHITE-SHIRT-M"


@pytest.fixture
def shop(shop):
    """A store with two places of its own, and two that are told one number."""
    shop.locations("harbour")
    shop.channel("store", mapped={"downtown": "d", "harbour": "h"}, publish={})
    shop.sku(SHIRT)
    for sku in (JACKET, SHIRT):
        shop.listing("store", sku, sku)
    shop.listing("web", SHIRT, SHIRT)
    shop.count(JACKET, "harbour", 4)
    shop.count(SHIRT, "downtown", 3)
    return shop


def policy(shop, channel, sku, told):
    listing = {"channel": channel, "sku": sku, "external_id": sku, "policy": told}
    return relist(shop.engine, listing, now=now(), actor="test")


def numbers(shop, channel, sku=JACKET):
    """What a channel should show: its own place → number."""
    with shop.engine.connect() as connection:
        wanted = deliveries.Filter(channel=channel, sku=sku)
        rows = deliveries.page(connection, wanted, now=now(), limit=10)
        found = desired.numbers(connection, rows)
    return {row["place"]: found[row["id"]] for row in rows}


def settle(shop):
    with shop.engine.begin() as connection:
        connection.execute(
            publications.update().values(accepted_version=publications.c.wanted_version)
        )


def wanted(shop):
    """What waits to be published: (channel, SKU, place)."""
    with shop.engine.connect() as connection:
        rows = deliveries.page(connection, deliveries.Filter(), now=now(), limit=50)
    return {
        (row["channel"], row["sku"], row["place"])
        for row in rows
        if row["wanted_version"] > row["accepted_version"]
    }


def test_a_listing_overrides_the_keys_it_gives_and_no_others(shop):
    shop.channel("web", publish={"buffer": 2, "cap": 8})
    assert numbers(shop, "web") == {"": 8}

    policy(shop, "web", JACKET, {"cap": None})
    assert numbers(shop, "web") == {"": 12}

    policy(shop, "web", JACKET, {"buffer": 9})
    assert numbers(shop, "web") == {"": 5}

    policy(shop, "web", JACKET, None)
    assert numbers(shop, "web") == {"": 8}


def test_another_policy_publishes_that_listing_and_nothing_else(shop):
    settle(shop)

    _, lanes = policy(shop, "web", JACKET, {"buffer": 1})

    assert wanted(shop) == {("web", JACKET, "")}
    assert lanes == {"outbound:web"}


def test_the_same_policy_again_publishes_nothing(shop):
    policy(shop, "web", JACKET, {"buffer": 1})
    settle(shop)

    _, lanes = policy(shop, "web", JACKET, {"buffer": 1})

    assert wanted(shop) == set()
    assert lanes == set()


def test_a_policy_that_says_what_the_channel_says_publishes_nothing(shop):
    shop.channel("web", publish={"buffer": 1})
    settle(shop)

    policy(shop, "web", JACKET, {"buffer": 1, "share": 100})

    assert wanted(shop) == set()


def test_a_listing_left_out_of_a_place_shows_nothing_there(shop):
    settle(shop)

    policy(shop, "store", JACKET, {"from": ["harbour"]})

    assert numbers(shop, "store") == {"d": 0, "h": 4}
    assert wanted(shop) == {("store", JACKET, "d")}


def test_a_listing_may_sell_from_where_its_channel_does_not(shop):
    shop.channel("web", publish={"from": ["downtown"]})
    assert numbers(shop, "web") == {"": 10}

    policy(shop, "web", JACKET, {"from": ["downtown", "harbour"]})

    assert numbers(shop, "web") == {"": 14}


def test_pre_orders_are_shown_once_and_used_up_by_what_is_sold(shop):
    policy(shop, "store", SHIRT, {"preorder": 5})
    assert numbers(shop, "store", SHIRT) == {"d": 8, "h": 0}

    shop.tell("store", order("1", SHIRT, 4, at=now()))
    assert numbers(shop, "store", SHIRT) == {"d": 4, "h": 0}

    shop.tell("store", sale("2", SHIRT, 3, at=now(), location="h"))
    assert numbers(shop, "store", SHIRT) == {"d": 1, "h": 0}


def test_selling_stops_where_it_is_told_to(shop):
    policy(shop, "web", SHIRT, {"stop_at": 2})
    assert numbers(shop, "web", SHIRT) == {"": 3}

    shop.tell("till", sale("1", SHIRT, 1, at=now(), location="downtown"))
    assert numbers(shop, "web", SHIRT) == {"": 0}


@pytest.mark.parametrize(
    ("channel", "code", "error"),
    [("web", "attic", UnknownName), ("mapped", "harbour", BadConfiguration)],
)
def test_a_place_that_cannot_be_meant_is_refused_and_named(shop, channel, code, error):
    shop.channel("mapped", mapped={"downtown": "1"}, publish={})
    shop.listing("mapped", JACKET, JACKET)

    with pytest.raises(error) as caught:
        policy(shop, channel, JACKET, {"from": ["downtown", code]})

    assert caught.value.field == "policy.from[1]"
    with shop.engine.connect() as connection:
        kept = sa.select(policies.c.id).where(policies.c.listing_id.is_not(None))
        assert connection.execute(kept).all() == []


def test_every_policy_is_kept_with_version_time_and_author(shop):
    before = now()
    for told in ({"buffer": 1}, {"buffer": 1}, {"buffer": 2}, None):
        policy(shop, "web", JACKET, told)

    with shop.engine.connect() as connection:
        rows = connection.execute(
            sa.select(policies)
            .where(policies.c.listing_id.is_not(None))
            .order_by(policies.c.id)
        ).all()
    assert [(r.version, json.loads(r.policy or "null")) for r in rows] == [
        (1, {"buffer": 1}),
        (2, {"buffer": 2}),
        (3, None),
    ]
    assert all(before <= row.changed_at <= now() for row in rows)
    assert {row.actor for row in rows} == {"test"}


def test_a_listing_told_again_without_a_policy_keeps_it_and_its_parent(shop):
    listing = {"channel": "web", "sku": JACKET, "external_id": JACKET}
    relist(shop.engine, listing | {"external_parent_id": "p"}, now=now())
    policy(shop, "web", JACKET, {"buffer": 1})

    told, _ = relist(shop.engine, listing, now=now())

    assert (told["policy"], told["external_parent_id"]) == ({"buffer": 1}, "p")
    assert numbers(shop, "web") == {"": 13}


def test_where_promises_come_from_changes_what_others_show(shop):
    shop.tell("web", order("1", JACKET, 2, at=now()))
    settle(shop)
    with shop.engine.connect() as connection:
        before = read_house(connection)
    shop.channel("web", publish={"from": ["harbour"]})

    with shop.engine.connect() as connection:
        again = ruled_anew(connection, before, read_house(connection))
        rows = connection.execute(
            sa.select(channels.c.key, publications.c.sku_id)
            .join(channels, channels.c.id == publications.c.channel_id)
            .where(publications.c.id.in_(again))
        ).all()

    web = {row.sku_id for row in rows if row.key == "web"}
    others = {row.sku_id for row in rows if row.key != "web"}
    assert (len(web), len(others)) == (2, 1)


own = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "from": st.lists(st.sampled_from(["downtown", "harbour"]), min_size=1),
        "cap": st.none() | st.integers(0, 5),
        "preorder": st.integers(0, 5),
    },
)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_channel_s_places_are_kept_and_pre_orders_offered_at_one(shop):
    with shop.engine.connect() as connection:
        house = read_house(connection)
    store = house.named("store")

    @given(own)
    def at_most_once(told):
        rules = ruling(house, store, told)

        assert set(rules.places) == set(store.places)
        offered = [rules.at(place).policy.preorder for place in rules.places]
        assert sorted(offered)[:-1] == [0]

    at_most_once()


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_place_of_very_many_listings_can_be_given_up(shop):
    """PostgreSQL takes 65,535 values at a time."""
    with applying(shop.engine) as connection:
        columns = ("channel_id", "listing_id", "sku_id", "place")
        rows = [(1, 1, 1, f"place {number}") for number in range(66_000)]
        bulk.insert(connection, publications, columns, rows)

    with applying(shop.engine) as connection:
        publish_listings(connection, read_house(connection), now())

    query = sa.select(sa.func.count()).where(publications.c.place.like("place %"))
    with shop.engine.connect() as connection:
        assert connection.execute(query).scalar() == 0

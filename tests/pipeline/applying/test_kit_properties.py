"""Kits in any order: the same stock, whole components, and nothing promised twice."""

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

from app.domain.instants import MINUTE, now
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.house import read_house
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.publishing import desired
from app.pipeline.repairing.rebuilding import rebuild
from app.store.tables import publications, skus, stock_levels
from tests.pipeline.test_properties import (
    BEGIN,
    KEPT,
    SKUS,
    TRADE,
    at,
    bounded,
    furnish,
    hasty,
    picture,
    stories,
    told_in,
)

KEPT |= {"recipes", "kit_parts", "sku_aliases"}
GIFT, PAIR = "GIFT", "PAIR-OF-GIFTS"
LINES = (("1", GIFT), ("2", SKUS[0]), ("3", PAIR), ("4", GIFT))
mixed = stories(kinds=[kind for kind in TRADE if kind != "count"], lines=LINES)
few = settings(bounded, max_examples=25)


@pytest.fixture
def trade(empty_shop):
    """A gift is a jacket and two scarves; after a quarter of an hour three scarves."""
    shop = furnish(hasty(empty_shop))

    def recipe(kit, parts, at=None):
        set_recipe(shop.engine, kit, parts, now=now(), since=at)

    recipe(GIFT, {SKUS[0]: 1, SKUS[1]: 2})
    recipe(GIFT, {SKUS[0]: 1, SKUS[1]: 3}, BEGIN + 15 * MINUTE)
    recipe(PAIR, {GIFT: 2})
    for kit in (GIFT, PAIR):
        shop.listing("web", kit, kit)
        shop.listing("till", kit, kit)
    return shop


def kits_of(shop):
    """What is written down of kits themselves: nothing ever."""
    query = (
        sa.select(stock_levels.c.id)
        .join(skus, skus.c.id == stock_levels.c.sku_id)
        .where(skus.c.sku.in_([GIFT, PAIR]))
    )
    with shop.engine.connect() as connection:
        return connection.execute(query).all()


def test_any_order_and_any_repetition_of_kits_leaves_the_same_stock(trade):
    @few
    @given(mixed, st.sampled_from([1, 3, 100]))
    def law(story, batch):
        told, again = story
        once = told_in(trade, told)
        assert told_in(trade, again, batch) == once
        assert kits_of(trade) == []

    law()


def test_kits_told_again_or_rebuilt_leave_the_same_stock(trade):
    @settings(few, max_examples=8)
    @given(mixed)
    def law(story):
        before = told_in(trade, story[1])
        with trade.engine.connect() as connection:
            assert list(rehearse(connection, now(), 3)) == []
        done = rebuild(trade.engine, now())
        assert (done.levels, done.entries, done.after) == ([], 0, [])
        assert picture(trade) == before

    law()


def test_a_kit_is_never_shown_more_often_than_its_scarcest_component(trade):
    @few
    @given(mixed)
    def law(story):
        told_in(trade, story[0])
        with trade.engine.connect() as connection:
            found = connection.execute(sa.select(publications)).mappings().all()
            house = read_house(connection)
            numbers = desired.numbers(connection, found, house)
            names = {row.id: row.sku for row in connection.execute(sa.select(skus))}
        shown = {
            (row["channel_id"], names[row["sku_id"]]): numbers[row["id"]]
            for row in found
        }
        for channel in {channel for channel, _ in shown}:
            gifts, pairs = shown[channel, GIFT], shown[channel, PAIR]
            assert 0 <= 2 * pairs <= gifts <= shown[channel, SKUS[0]]
            assert 3 * gifts <= shown[channel, SKUS[1]]

    law()


def test_kits_on_the_way_arrive_by_the_recipe_they_were_sent_with(trade):
    """In any order of telling, whatever the recipe was when they arrived."""
    minutes, units = st.integers(1, 30), st.integers(1, 4)

    def told(kind, number, minute, quantity, place, **more):
        line = {"id": "1", "sku": GIFT, "quantity": quantity}
        moment = {"id": number, "occurred_at": at(minute), "location": place}
        return "web", {"type": kind, **moment, "lines": [line], **more}

    @few
    @given(minutes, st.lists(st.tuples(minutes, units), max_size=3), st.data())
    def law(left_at, arrivals, data):
        sent, received = 5, sum(quantity for _, quantity in arrivals)
        story = [told("transfer", "T", left_at, sent, "north", to="south")] + [
            told("receipt", f"R{number}", minute, quantity, "south", of="T")
            for number, (minute, quantity) in enumerate(arrivals)
        ]
        told_in(trade, data.draw(st.permutations(story)), batch=1)

        scarves = 2 if left_at < 15 else 3
        left = scarves * max(0, sent - received)
        here = {"incoming": left, "available": scarves * received}
        assert trade.level(SKUS[1], "south") == {n: q for n, q in here.items() if q}

    law()

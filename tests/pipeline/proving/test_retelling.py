"""Retelling: what stock events keep is enough to come to the same levels."""

from hypothesis import given, settings, strategies as st

from app.domain import events as kinds
from app.domain.events import StockEvent, WholeOrder
from app.domain.instants import HOUR, MINUTE, SECOND, now
from app.pipeline.acts import facts, holding, inspecting
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.configuring import listings
from app.pipeline.house import read_house
from app.pipeline.proving.rehearsal import rehearse
from app.store.engine import applying
from app.store.tables import channel_locations
from tests.builders import JACKET, order, returned, sale, shipment
from tests.pipeline.test_properties import any_story, bounded, furnish, hasty, told_in

SCARF = "RED-SCARF"
SEEDS = range(6)
BEFORE = now() - HOUR


def differing(shop, seeds=SEEDS):
    with shop.engine.connect() as connection:
        return [
            said
            for seed in seeds
            for said in rehearse(connection, now() + SECOND, seed)
        ]


def tell(shop, channel, *events, orders=()):
    with applying(shop.engine) as connection:
        house = read_house(connection)
        told = Told(house.by_key[channel], events, now(), orders)
        return apply(connection, house, [told], now()).verdicts[0]


def placed(line, quantity, version):
    at = BEFORE + version
    return StockEvent(
        kinds.PLACED, quantity, BEFORE, at, order="7", line=line, sku=JACKET
    )


def whole(version, *lines):
    return WholeOrder("7", lines, BEFORE + version, BEFORE)


def test_any_set_of_events_told_again_leaves_the_same_stock(empty_shop):
    shop = furnish(hasty(empty_shop))

    @settings(bounded, max_examples=30)
    @given(any_story, st.integers(0, 99), st.sampled_from([1, 100]))
    def law(story, seed, batch):
        _, mixed = story
        told_in(shop, mixed, batch)
        assert differing(shop, [seed]) == []

    law()


def test_lines_that_an_order_lost_stay_lost(shop):
    tell(shop, "web", placed("1", 2, 1), placed("2", 3, 2), orders=[whole(2, "1", "2")])
    tell(shop, "web", orders=[whole(5, "1")])
    (late,) = tell(shop, "web", placed("3", 4, 4))
    assert late.verdict == "superseded"

    assert shop.level(JACKET)["committed"] == 2
    assert differing(shop) == []


def test_what_was_told_of_a_listing_stays_with_its_sku(shop):
    shop.sku(SCARF)
    shop.listing("till", JACKET, "item-1")
    shop.tell("till", sale("S", "item-1", 2, at=now() - MINUTE))
    event = StockEvent(
        kinds.COUNTED, 6, now(), now(), external_id="item-1", line="1", fact="c"
    )
    tell(shop, "till", event)
    shop.listing("till", SCARF, "item-1")

    assert shop.level(JACKET) == {"available": 6}
    assert differing(shop) == []


def test_what_was_told_of_a_place_stays_there(shop):
    shop.locations("harbour")
    shop.channel("wms", mapped={"downtown": "D", "harbour": "H"})
    shop.listing("wms", JACKET, JACKET)
    shop.tell("wms", sale("S", JACKET, 2, at=now() - MINUTE, location="D"))
    with applying(shop.engine) as connection:
        connection.execute(channel_locations.delete())
    shop.channel("wms", mapped={"harbour": "D"})

    assert shop.level(JACKET, "downtown") == {"available": 8}
    assert differing(shop) == []


def test_a_hold_over_two_places_that_became_an_order(shop):
    shop.locations("harbour")
    shop.count(JACKET, "harbour", 10, at=BEFORE)
    held = [
        {"sku": JACKET, "quantity": 2, "location": "downtown"},
        {"sku": JACKET, "quantity": 3, "location": "harbour"},
    ]
    for number in ("8", "9"):
        made = holding.hold(shop.engine, held, 600, actor="test", now=now())
        holding.commit(shop.engine, made["id"], "web", number, actor="test", now=now())
    assert shop.level(JACKET, "downtown") == {"available": 6, "committed": 4}
    assert shop.level(JACKET, "harbour") == {"available": 4, "committed": 6}
    shop.tell("web", order("9", JACKET, 5, at=now()))

    assert differing(shop) == []


def test_units_judged_before_their_return_is_told_again(shop):
    shop.tell("web", order("1", JACKET, 3, at=BEFORE))
    shop.tell("web", shipment("1", JACKET, 3, at=BEFORE, location="downtown"))
    at = BEFORE + MINUTE
    back = returned("1", JACKET, 3, at=at, location="downtown", to="inspect")
    shop.tell("web", back)
    inspecting.inspect(
        shop.engine,
        "downtown",
        [{"sku": JACKET, "quantity": 3, "disposition": "damaged"}],
        actor="test",
        now=now(),
        occurred_at=now(),
        fact_id="i",
    )

    assert shop.level(JACKET)["damaged"] == 3
    assert differing(shop) == []


def test_what_contradicted_stays_out(shop):
    tell(shop, "web", placed("1", 2, 1))
    (doubted,) = tell(shop, "web", placed("1", 4, 1))
    assert doubted.verdict == "quarantined"

    assert differing(shop) == []


def test_what_waited_for_its_listing_is_told_again_with_it(shop):
    shop.tell("till", sale("S", SCARF, 1, at=now() - MINUTE, location="downtown"))
    assert differing(shop) == []
    shop.sku(SCARF)
    listings.map_listing(shop.engine, "till", SCARF, SCARF, now=now())

    assert shop.level(SCARF) == {"available": -1}
    assert differing(shop) == []


def test_a_clock_ahead_is_not_clamped_twice(shop):
    at = now() + HOUR
    event = StockEvent(
        kinds.ADJUSTED, -2, at, at, sku=JACKET, place="downtown", fact="a", line="1"
    )
    facts.record(shop.engine, [event], actor="test", now=now())

    assert differing(shop) == []


def test_an_order_may_be_shipped_under_its_number_before_that_is_known(empty_shop):
    """A store's own parcel does not tell the order's number; a carrier knows no more."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("web", mapped={"downtown": "d"}, publish=None)
    shop.channel("parcels", publish=None)
    shop.sku(JACKET)
    shop.count(JACKET, "downtown", 9)
    own = {"order": "7", "line": "1", "sku": JACKET}
    at = now() - SECOND
    order = StockEvent(kinds.PLACED, 1, at, at, order_number="W-7", **own)
    parcel = StockEvent(kinds.SHIPPED, 1, at, at, place="d", fact="f", **own)
    label = StockEvent(
        kinds.SHIPPED, 1, at, at, order="W-7", order_channel="web", fact="l", sku=JACKET
    )
    for channel, event in (("web", parcel), ("parcels", label), ("web", order)):
        tell(shop, channel, event)

    assert shop.level(JACKET) == {"available": 8}
    assert differing(shop, range(12)) == []

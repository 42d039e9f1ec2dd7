"""Kits: what moves one moves its components, and every listing of it is told."""

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.errors import BadConfiguration, ShortOfUnits
from app.domain.events import StockEvent
from app.domain.instants import HOUR, MINUTE, SECOND, now
from app.pipeline.acts import facts, holding, transferring
from app.pipeline.acts.claims import expire_holds
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.applying.travelling import Arrival
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.house import read_house
from app.pipeline.proving.assembling import stock_of
from app.pipeline.proving.audit import differences
from app.pipeline.proving.explaining import explain
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.publishing import desired, marking
from app.pipeline.repairing.rebuilding import rebuild
from app.store.configuration import channels
from app.store.engine import applying, writing
from app.store.stock.balances import When
from app.store.tables import (
    holds,
    ledger,
    lines,
    listings,
    publications,
    skus,
    stock_levels,
)
from tests.builders import JACKET, cancellation, order, returned, sale, shipment

SCARF = "RED-SCARF"
GIFT = "GIFT-BOX"
SIX = "SIX-GIFTS"


def recipe(shop, kit, at=None, **parts):
    named = {"jacket": JACKET, "scarf": SCARF, "gift": GIFT, "six": SIX}
    told = {named[part]: units for part, units in parts.items()}
    return set_recipe(shop.engine, kit, told, now=now(), since=at, actor="test")


@pytest.fixture
def gifts(shop):
    """Ten jackets and nine scarves downtown; a gift is one jacket and two scarves."""
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 9)
    recipe(shop, GIFT, jacket=1, scarf=2)
    shop.listing("web", GIFT, "gift-1")
    shop.listing("web", SCARF, "scarf-1")
    return shop


def shown(shop, channel="web"):
    """SKU → the number the channel should show."""
    with shop.engine.connect() as connection:
        rows = connection.execute(
            sa.select(publications)
            .where(publications.c.channel_id == channels.row(connection, channel)["id"])
            .order_by(publications.c.id)
        )
        found = rows.mappings().all()
        numbers = desired.numbers(connection, found)
        named = {
            row.id: row.external_id for row in connection.execute(sa.select(listings))
        }
        return {named[row["listing_id"]]: numbers[row["id"]] for row in found}


def tell_fact(shop, kind, quantity, sku=GIFT, **more):
    event = StockEvent(
        kind,
        quantity,
        now(),
        now(),
        sku=sku,
        place="downtown",
        fact=f"{kind}-{now()}",
        line="1",
        **more,
    )
    return facts.record(shop.engine, [event], actor="test", now=now())


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == [] == list(rehearse(connection, now(), 3))


def own(shop, sku=GIFT):
    """Rows that a kit must never have: it has no stock of its own."""
    with shop.engine.connect() as connection:
        query = sa.select(ledger.c.id).join(skus, skus.c.id == ledger.c.sku_id)
        return connection.execute(query.where(skus.c.sku == sku)).all()


# -- what moves a kit --------------------------------------------------------------


def test_an_order_of_a_kit_moves_its_components_and_is_one_line(gifts):
    gifts.tell("web", order("1", "gift-1", 2, at=now()))

    assert gifts.level(JACKET) == {"available": 8, "committed": 2}
    assert gifts.level(SCARF) == {"available": 5, "committed": 4}
    assert own(gifts) == []
    with gifts.engine.connect() as connection:
        [case] = connection.execute(sa.select(lines).where(lines.c.line != "")).all()
        gift = connection.execute(sa.select(skus.c.id).where(skus.c.sku == GIFT))
        assert case.sku_id == gift.scalar_one()

    gifts.tell("web", cancellation("1", "gift-1", 1, at=now()))
    gifts.tell("web", shipment("1", "gift-1", 1, at=now()))
    gifts.tell(
        "web", returned("1", "gift-1", 1, at=now(), location="downtown", to="damaged")
    )
    assert gifts.level(JACKET) == {"available": 9, "damaged": 1}
    assert gifts.level(SCARF) == {"available": 7, "damaged": 2}
    assert is_right(gifts)


def test_a_receipt_of_packs_is_units_and_a_lost_pack_is_its_units(gifts):
    recipe(gifts, SIX, jacket=6)

    tell_fact(gifts, kinds.RECEIVED, 3, SIX)
    assert gifts.level(JACKET) == {"available": 28}

    tell_fact(gifts, kinds.ADJUSTED, -1, SIX, reason="lost")
    assert gifts.level(JACKET) == {"available": 22}
    assert is_right(gifts)


def test_nested_kits_move_what_has_stock(gifts):
    recipe(gifts, SIX, gift=2, jacket=1)

    gifts.tell("till", sale("T", SIX, 1, at=now()))

    assert gifts.level(JACKET) == {"available": 7}
    assert gifts.level(SCARF) == {"available": 5}
    assert own(gifts) == own(gifts, SIX) == []
    assert is_right(gifts)


def test_transfers_of_kits_move_components_in_two_steps(gifts):
    gifts.locations("harbour")
    sent = transferring.transfer(
        gifts.engine,
        "downtown",
        "harbour",
        [{"sku": GIFT, "quantity": 3}],
        actor="test",
        now=now(),
    )
    assert gifts.level(SCARF, "downtown") == {"available": 3}
    assert gifts.level(SCARF, "harbour") == {"incoming": 6}

    transferring.receive_transfer(
        gifts.engine,
        sent["id"],
        Arrival([{"sku": GIFT, "quantity": 3}]),
        actor="test",
        now=now(),
    )
    assert gifts.level(SCARF, "harbour") == {"available": 6}
    assert gifts.level(JACKET, "harbour") == {"available": 3}
    assert is_right(gifts)


def test_a_kit_cannot_be_counted_by_anybody(gifts):
    with pytest.raises(BadConfiguration, match="is a kit") as refused:
        tell_fact(gifts, kinds.COUNTED, 4)
    assert refused.value.field == "lines[0].sku"

    body = {"type": "count", "id": "C", "occurred_at": "2026-01-01T00:00:00Z"}
    counted = [{"id": "1", "sku": "gift-1", "quantity": 4}]
    jackets = [{"id": "2", "sku": JACKET, "quantity": 7}]
    gifts.tell("web", body | {"location": "downtown", "lines": counted + jackets})

    assert own(gifts) == []
    with gifts.engine.connect() as connection:
        told = connection.execute(sa.text("SELECT verdict, note FROM stock_events"))
        assert [note for verdict, note in told if verdict == "quarantined"] == [
            "counts a kit, which has no stock of its own; count its components"
        ]
        kinds_ = connection.execute(sa.text("SELECT kind FROM incidents")).scalars()
        assert "counted_kit" in set(kinds_)
    assert is_right(gifts)


# -- recipes and their history -------------------------------------------------------


def test_a_line_keeps_the_recipe_in_force_when_it_was_ordered(gifts):
    before = now() - MINUTE
    gifts.tell("web", order("1", "gift-1", 1, at=before))
    recipe(gifts, GIFT, jacket=1, scarf=4)
    after = now()
    gifts.tell("web", order("2", "gift-1", 1, at=after))
    assert gifts.level(SCARF) == {"available": 3, "committed": 6}

    gifts.tell("web", shipment("1", "gift-1", 1, at=now()))
    assert gifts.level(SCARF) == {"available": 3, "committed": 4}
    # Told late, but ordered before.
    gifts.tell("web", order("3", "gift-1", 1, at=before))
    assert gifts.level(SCARF) == {"available": 1, "committed": 6}

    assert is_right(gifts)
    done = rebuild(gifts.engine, now())
    assert (done.before, done.levels, done.entries, done.after) == ([], [], 0, [])


def test_a_shipment_told_before_its_order_takes_the_orders_recipe_in_the_end(gifts):
    ordered = now() - MINUTE
    recipe(gifts, GIFT, jacket=2, scarf=4)
    gifts.tell("web", shipment("1", "gift-1", 1, at=now()))
    assert gifts.level(SCARF) == {"available": 5}

    gifts.tell("web", order("1", "gift-1", 1, at=ordered))

    assert gifts.level(SCARF) == {"available": 7}
    assert gifts.level(JACKET) == {"available": 9}
    assert is_right(gifts)


def test_a_recipe_cannot_begin_before_what_was_told(gifts):
    gifts.tell("web", order("1", "gift-1", 1, at=now() - MINUTE))

    with pytest.raises(BadConfiguration, match="began at"):
        recipe(gifts, GIFT, at=0, jacket=3)
    with pytest.raises(BadConfiguration, match="was ordered or moved") as refused:
        recipe(gifts, GIFT, at=now() - HOUR, jacket=3)
    assert refused.value.field == "from"

    recipe(gifts, GIFT, at=now(), jacket=3)
    assert gifts.level(SCARF) == {"available": 7, "committed": 2}


def test_a_recipe_of_a_nested_kit_cannot_begin_before_what_the_outer_one_told(gifts):
    recipe(gifts, SIX, gift=6)
    gifts.tell("till", sale("T", SIX, 1, at=now() - MINUTE))

    with pytest.raises(BadConfiguration, match="was ordered or moved"):
        recipe(gifts, GIFT, at=now() - HOUR, jacket=3)


def test_kits_that_hold_themselves_are_refused_by_name(gifts):
    recipe(gifts, SIX, gift=6)

    with pytest.raises(BadConfiguration) as refused:
        recipe(gifts, GIFT, six=1)
    assert str(refused.value) == (
        "a kit cannot hold itself: GIFT-BOX is made of SIX-GIFTS, which is made of "
        "GIFT-BOX"
    )
    with pytest.raises(BadConfiguration, match="GIFT-BOX is made of GIFT-BOX"):
        recipe(gifts, GIFT, gift=1)


def test_what_has_units_or_promises_of_its_own_cannot_become_a_kit(gifts):
    with pytest.raises(BadConfiguration, match="units of its own"):
        recipe(gifts, JACKET, scarf=2)

    gifts.count(JACKET, "downtown", 0, at=now())
    recipe(gifts, JACKET, scarf=2)
    gifts.tell("till", sale("T", JACKET, 1, at=now()))
    assert gifts.level(SCARF) == {"available": 7}
    assert is_right(gifts)


def test_what_is_no_kit_any_more_is_counted_again(gifts):
    set_recipe(gifts.engine, GIFT, {}, now=now())

    tell_fact(gifts, kinds.COUNTED, 4)

    assert gifts.level(GIFT) == {"available": 4}
    assert shown(gifts) == {JACKET: 10, "gift-1": 4, "scarf-1": 9}
    assert is_right(gifts)


def test_what_waited_for_a_kit_applies_as_a_kit(gifts):
    gifts.tell("web", order("1", SIX, 1, at=now() - HOUR))
    assert [state for state, _ in gifts.messages()] == ["parked"]

    recipe(gifts, SIX, jacket=6)

    assert [state for state, _ in gifts.messages()] == ["applied"]
    assert gifts.level(JACKET) == {"available": 4, "committed": 6}


# -- what channels are shown ---------------------------------------------------------


def test_a_kit_is_shown_as_often_as_it_can_be_put_together(gifts):
    assert shown(gifts) == {JACKET: 10, "gift-1": 4, "scarf-1": 9}

    gifts.tell("till", sale("T", SCARF, 2, at=now()))
    assert shown(gifts)["gift-1"] == 3
    gifts.tell("web", order("1", "gift-1", 2, at=now()))
    assert shown(gifts) == {JACKET: 8, "gift-1": 1, "scarf-1": 3}


def test_components_at_two_places_are_no_kit(gifts):
    gifts.locations("harbour")
    gifts.count(JACKET, "harbour", 5)
    assert shown(gifts)["gift-1"] == 4

    gifts.count(SCARF, "harbour", 3)
    assert shown(gifts)["gift-1"] == 5


@pytest.fixture
def packs(shop):
    """Packs of three scarves; a store and a market whose orders name no location."""
    shop.locations("harbour", "depot")
    shop.channel("store", mapped={"downtown": "d", "harbour": "h"}, publish={})
    shop.channel("market", mapped={"harbour": "h", "depot": "p"}, publish={})
    shop.channel("corner", mapped={"downtown": "1"}, publish={})
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 3)
    recipe(shop, "PACK", scarf=3)
    shop.listing("corner", SCARF, "scarf")
    shop.listing("corner", "PACK", "pack")
    return shop


@pytest.mark.parametrize(
    ("there", "promised"), [((3, 0), ("PACK", 1)), ((2, 1), (SCARF, 3))]
)
def test_a_kit_is_not_sold_of_what_other_orders_need(packs, there, promised):
    for place, units in zip(("harbour", "depot"), there, strict=True):
        packs.count(SCARF, place, units)
    packs.tell("store", order("1", SCARF, 2, at=now()))
    packs.tell("market", order("2", *promised, at=now()))

    assert shown(packs, "corner") == {"scarf": 1, "pack": 0}
    told = [{"sku": "PACK", "quantity": 1, "location": "downtown"}]
    with pytest.raises(ShortOfUnits) as refused:
        holding.hold(packs.engine, told, 600, actor="test", now=now())
    assert refused.value.short == [{"sku": "PACK", "requested": 1, "available": 0}]


def wanted(shop, external_id):
    with shop.engine.connect() as connection:
        return connection.execute(
            sa.select(publications.c.wanted_version)
            .join(listings, listings.c.id == publications.c.listing_id)
            .where(
                listings.c.external_id == external_id,
                listings.c.channel_id == channels.row(connection, "web")["id"],
            )
        ).scalar_one()


def mark(shop):
    with shop.engine.connect() as connection:
        row = channels.row(connection, "web")
    marking.mark(shop.engine, row, now())


def test_a_component_that_changes_marks_every_kit_that_holds_it(gifts):
    recipe(gifts, SIX, gift=6)
    gifts.listing("web", SIX, "six-1")
    mark(gifts)
    before = {one: wanted(gifts, one) for one in (JACKET, "gift-1", "six-1")}

    gifts.tell("till", sale("T", SCARF, 1, at=now()))
    mark(gifts)

    after = {one: wanted(gifts, one) for one in before}
    changed = {one for one in before if after[one] > before[one]}
    assert changed == {"gift-1", "six-1"}


def test_another_recipe_wants_the_kit_and_what_holds_it_anew(gifts):
    recipe(gifts, SIX, gift=6)
    gifts.listing("web", SIX, "six-1")
    mark(gifts)
    before = {one: wanted(gifts, one) for one in (JACKET, "gift-1", "six-1")}

    assert recipe(gifts, GIFT, jacket=1, scarf=1) == {"outbound:web"}

    after = {one: wanted(gifts, one) for one in before}
    assert {one for one in before if after[one] > before[one]} == {"gift-1", "six-1"}
    assert recipe(gifts, GIFT, jacket=1, scarf=1) == set(), "nothing new was said"
    assert shown(gifts)["gift-1"] == 9


def test_the_stock_of_a_kit_is_what_can_be_put_together(gifts):
    gifts.locations("harbour")
    gifts.count(SCARF, "harbour", 3)
    gifts.tell("web", order("1", "gift-1", 1, at=now()))

    with gifts.engine.connect() as connection:
        found = stock_of(connection, GIFT, When(now()))
        then = stock_of(connection, GIFT, When(now(), at=now() - HOUR // 2))

    assert (found["available"], found["on_hand"], found["committed"]) == (3, 0, 0)
    assert {row["location"]: row["available"] for row in found["locations"]} == {
        "downtown": 4,  # the order names no location yet
        "harbour": 0,
    }
    assert found["components"] == [
        {"sku": JACKET, "quantity": 1},
        {"sku": SCARF, "quantity": 2},
    ]
    assert then["available"] == 4


def test_explaining_a_kit_names_its_components(gifts):
    gifts.tell("web", order("1", "gift-1", 1, at=now()))

    with gifts.engine.connect() as connection:
        told = explain(connection, GIFT, "web", at=None, now=now())

    [number] = told["numbers"]
    assert number["shown"] == shown(gifts)["gift-1"] == 3
    assert (
        "each is made of 1 of BLUE-JACKET-M and 2 of RED-SCARF" in number["explanation"]
    )
    assert {entry["sku"] for entry in told["ledger"]} == {JACKET, SCARF}


def test_two_listings_of_one_sku_on_one_channel_are_both_published(gifts):
    gifts.listing("web", GIFT, "gift-2")
    with writing(gifts.engine) as connection:
        connection.execute(
            listings.update()
            .where(listings.c.external_id == "gift-2")
            .values(policy='{"cap": 1}')
        )

    assert shown(gifts) == {JACKET: 10, "gift-1": 4, "scarf-1": 9, "gift-2": 1}
    mark(gifts)
    before = [wanted(gifts, one) for one in ("gift-1", "gift-2")]

    gifts.tell("web", order("1", "gift-2", 4, at=now()))
    mark(gifts)

    assert shown(gifts)["gift-1"] == shown(gifts)["gift-2"] == 0
    after = [wanted(gifts, one) for one in ("gift-1", "gift-2")]
    assert all(new > old for new, old in zip(after, before, strict=True))


# -- claims ------------------------------------------------------------------------


def hold(shop, *told, expires_in=600):
    wanted_ = [{"sku": sku, "quantity": units} for sku, units in told]
    return holding.hold(shop.engine, wanted_, expires_in, actor="test", now=now())


def test_a_held_kit_holds_its_components_and_is_committed_as_a_kit(gifts):
    held = hold(gifts, (GIFT, 3))
    assert gifts.level(JACKET) == {"available": 7, "reserved": 3}
    assert gifts.level(SCARF) == {"available": 3, "reserved": 6}
    assert is_right(gifts)

    holding.commit(
        gifts.engine,
        held["id"],
        "web",
        "1001",
        [{"id": "1", "sku": GIFT}],
        actor="test",
        now=now(),
    )
    assert gifts.level(SCARF) == {"available": 3, "committed": 6}
    gifts.tell("web", order("1001", "gift-1", 3, at=now()))
    assert gifts.level(SCARF) == {"available": 3, "committed": 6}
    assert is_right(gifts)


def test_a_kit_and_its_components_cannot_be_claimed_twice(gifts):
    with pytest.raises(ShortOfUnits) as refused:
        hold(gifts, (SCARF, 3), (GIFT, 2), (GIFT, 2))
    assert refused.value.short == [{"sku": GIFT, "requested": 4, "available": 3}]

    hold(gifts, (SCARF, 3), (GIFT, 3))
    assert gifts.level(SCARF) == {"reserved": 9}


def test_an_expired_hold_of_a_kit_is_given_back_once(gifts):
    hold(gifts, (GIFT, 4))
    assert shown(gifts)["gift-1"] == 0
    with writing(gifts.engine) as connection:
        connection.execute(holds.update().values(expires_at=now() - SECOND))

    assert shown(gifts) == {JACKET: 10, "gift-1": 4, "scarf-1": 9}
    hold(gifts, (SCARF, 9))
    assert gifts.level(JACKET) == {"available": 10}
    assert expire_holds(gifts.engine, now()) == set()
    assert is_right(gifts)


def test_the_channels_own_sale_of_a_kit_changes_its_number_of_the_kit(gifts):
    gifts.channel("shopify", provider="shopify", publish={}, settings={"shop": "x"})
    gifts.listing("shopify", GIFT, "1")
    gifts.listing("shopify", SCARF, "2")
    with writing(gifts.engine) as connection:
        at = now() - HOUR
        connection.execute(publications.update().values(believed=5, believed_at=at))
        shop_id = channels.row(connection, "shopify")["id"]
    event = StockEvent(
        kinds.PLACED,
        2,
        now(),
        now(),
        external_id="1",
        order="9",
        line="1",
    )
    with applying(gifts.engine) as connection:
        apply(
            connection, read_house(connection), [Told(shop_id, [event], now())], now()
        )

    with gifts.engine.connect() as connection:
        found = connection.execute(
            sa.select(listings.c.external_id, publications.c.believed)
            .join(listings, listings.c.id == publications.c.listing_id)
            .where(publications.c.channel_id == shop_id)
        )
        assert dict(map(tuple, found)) == {"1": 3, "2": 5}
    assert sum(gifts.level(SCARF).values()) == 9
    with gifts.engine.connect() as connection:
        levels = connection.execute(sa.select(stock_levels.c.sku_id)).scalars()
        assert len(set(levels)) == 2

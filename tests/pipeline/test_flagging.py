"""What came back in a way that a person should look at, and how it is put to them."""

import json

import sqlalchemy as sa

from app.domain.instants import HOUR, iso, now
from app.pipeline.replaying import replay
from app.store.tables import incidents
from tests.builders import JACKET


def unlinked(quantity, *, fact="R-7", **more):
    return {
        "type": "return",
        "id": fact,
        "occurred_at": iso(now() - HOUR),
        "location": "downtown",
        "lines": [{"id": "1", "sku": JACKET, "quantity": quantity}],
    } | more


def flagged(shop, *, is_open=True):
    query = sa.select(incidents).where(incidents.c.closed_at.is_(None) == is_open)
    with shop.engine.connect() as connection:
        return connection.execute(query.order_by(incidents.c.id)).all()


# -- without an order ----------------------------------------------------------


def test_a_return_without_an_order_is_posted_and_put_before_a_person(shop):
    shop.tell("till", unlinked(3))

    assert shop.level(JACKET) == {"available": 13}
    [found] = flagged(shop)
    assert found.kind == "unlinked_return"
    assert "3 units of BLUE-JACKET-M came back to downtown" in found.message
    assert "return R-7 from till" in found.message
    assert "Find the order" in found.message
    assert json.loads(found.details) == {
        "sku": JACKET,
        "locations": {"downtown": 3},
        "return": "R-7",
    }


def test_the_same_return_again_is_no_second_incident(shop):
    body = unlinked(3)
    shop.tell("till", body, body)
    shop.tell("till", body)
    replay(shop.engine, filter={"channel": "till"})
    shop.apply()

    [found] = flagged(shop)
    assert found.times == 1
    assert shop.level(JACKET) == {"available": 13}


def test_two_returns_without_an_order_are_two_incidents(shop):
    shop.tell("till", unlinked(1), unlinked(1, fact="R-8"))

    assert len(flagged(shop)) == 2


def test_a_corrected_return_corrects_its_incident(shop):
    shop.tell("till", unlinked(3), unlinked(1, version=iso(now())))

    [found] = flagged(shop)
    assert found.message.startswith("1 unit of BLUE-JACKET-M came back")
    assert json.loads(found.details)["locations"] == {"downtown": 1}


def test_a_return_that_is_taken_back_is_nobody_s_business_any_more(shop):
    shop.tell("till", unlinked(3), unlinked(0, version=iso(now())))

    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == []
    assert len(flagged(shop, is_open=False)) <= 1


def test_a_return_of_an_unknown_sku_is_flagged_once_it_is_known(shop):
    from app.pipeline.listings import map_listing

    body = unlinked(2)
    body["lines"][0]["sku"] = "scarf-ext"
    shop.tell("till", body)
    assert flagged(shop) == []

    shop.sku("RED-SCARF")
    map_listing(shop.engine, "till", "RED-SCARF", "scarf-ext", now=now())
    [found] = flagged(shop)
    assert "2 units of RED-SCARF" in found.message


def test_a_return_is_no_order_that_happens_to_have_its_id(shop):
    sold = unlinked(1, fact="R-7") | {"type": "sale"}
    shop.sku("RED-SCARF")
    body = unlinked(3)
    body["lines"][0]["sku"] = "RED-SCARF"
    shop.tell("till", sold, body)

    assert shop.level(JACKET) == {"available": 9}
    assert shop.level("RED-SCARF") == {"available": 3}


def test_what_another_place_s_custodian_must_tell_is_not_flagged(empty_shop):
    shop = empty_shop
    shop.channel("warehouse")
    shop.channel("till")
    shop.locations("downtown", custodian="warehouse")
    shop.sku(JACKET)
    shop.tell("till", unlinked(3))

    assert shop.level(JACKET) == {}
    assert flagged(shop) == []

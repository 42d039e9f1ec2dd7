"""What came back in a way that a person should look at, and how it is put to them."""

import json

import pytest
import sqlalchemy as sa

from app.domain.instants import HOUR, MINUTE, iso, now
from app.pipeline.repairing.replaying import replay
from app.store.tables import incidents
from tests.builders import JACKET, cancellation, order, returned, shipment


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
    from app.pipeline.configuring.listings import map_listing

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


# -- more than was shipped -----------------------------------------------------


def back(quantity, number="1001", **more):
    return returned(number, JACKET, quantity, at=now(), location="downtown") | more


def test_more_than_was_shipped_waits_where_a_person_sees_it(shop):
    at = now() - HOUR
    shop.tell(
        "web", order("1001", JACKET, 3, at=at), shipment("1001", JACKET, 1, at=at)
    )
    before = shop.level(JACKET)
    shop.tell("web", back(3))

    after = shop.level(JACKET)
    # One of three went out and is back; two were never sent, so nobody waits for them.
    assert (before, after) == (
        {"available": 7, "committed": 2},
        {"available": 10},
    )
    [found] = flagged(shop)
    assert found.kind == "surplus_return"
    assert "2 units of BLUE-JACKET-M came back to downtown" in found.message
    assert "order 1001 of web" in found.message
    assert json.loads(found.details) == {
        "sku": JACKET,
        "locations": {"downtown": 2},
        "order": "1001",
    }


def test_a_return_before_any_word_of_the_order_moves_nothing(shop):
    shop.tell("web", back(2))

    assert shop.level(JACKET) == {"available": 10}
    assert [found.kind for found in flagged(shop)] == ["surplus_return"]


def test_the_shipment_moves_what_waited_and_closes_the_incident(shop):
    at = now() - HOUR
    shop.tell("web", back(2, lines=[line(2, disposition="damaged")]))
    shop.tell("web", order("1001", JACKET, 2, at=at))
    assert len(flagged(shop)) == 1

    shop.tell("web", shipment("1001", JACKET, 1, at=at + MINUTE))
    [found] = flagged(shop)
    assert found.message.startswith("1 unit of BLUE-JACKET-M")

    shop.tell("web", dict(shipment("1001", JACKET, 1, at=at + MINUTE), id="second"))
    assert flagged(shop) == []
    assert shop.level(JACKET) == {"available": 8, "damaged": 2}
    [closed] = flagged(shop, is_open=False)
    assert closed.closed_at >= closed.opened_at


def test_a_return_told_with_its_shipment_is_nobody_s_business(shop):
    at = now() - HOUR
    shop.tell("web", back(2), shipment("1001", JACKET, 2, at=at))

    assert flagged(shop) + flagged(shop, is_open=False) == []


def test_a_repeated_surplus_is_one_incident_seen_once(shop):
    body = back(2)
    shop.tell("web", body, body)
    shop.tell("web", body)

    [found] = flagged(shop)
    assert found.times == 1


def test_the_warehouse_s_surplus_follows_the_order_to_its_own_line(shop):
    shop.channel("wms")
    at = now() - HOUR
    shop.tell("wms", back(2, channel="web"))
    [found] = flagged(shop)
    assert "order 1001 of web" in found.message

    shop.tell("web", order("1001", JACKET, 2, at=at))
    assert len(flagged(shop)) == 1

    shop.tell("web", shipment("1001", JACKET, 2, at=at + MINUTE))
    assert flagged(shop) == []
    assert shop.level(JACKET) == {"available": 10}


def test_a_surplus_is_told_by_the_place_it_came_back_to(shop):
    shop.locations("uptown")
    at = now() - HOUR
    shop.tell("web", dict(shipment("1001", JACKET, 1, at=at), location="downtown"))
    uptown = back(2, id="up", location="uptown", occurred_at=iso(at + 2 * MINUTE))
    shop.tell("web", back(2, occurred_at=iso(at + MINUTE)), uptown)

    [found] = flagged(shop)
    assert json.loads(found.details)["locations"] == {"downtown": 1, "uptown": 2}
    assert "came back to downtown and 2 units" in found.message


def test_a_cancelled_order_s_return_is_a_surplus_too(shop):
    at = now() - HOUR
    shop.tell(
        "web",
        order("1001", JACKET, 2, at=at),
        cancellation("1001", JACKET, 2, at=at + MINUTE),
        back(2),
    )

    assert shop.level(JACKET) == {"available": 10}
    assert [found.kind for found in flagged(shop)] == ["surplus_return"]


def line(quantity, **more):
    return {"id": "1", "sku": JACKET, "quantity": quantity} | more


# -- more than the order takes --------------------------------------------------


def packed(number, units, *, at, **more):
    """What a warehouse says that it sent for the store's order."""
    body = shipment(number, JACKET, units, at=at, location="downtown")
    return body | {"channel": "web"} | more


@pytest.mark.parametrize("arrival", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_more_than_an_order_takes_is_put_before_a_person(shop, arrival):
    """As when two orders left in one parcel under the number of one."""
    shop.channel("wms")
    at = now() - HOUR
    told = [
        ("web", order("1001", JACKET, 1, at=at)),
        ("wms", packed("1001", 3, at=at + MINUTE)),
        ("web", shipment("1001", JACKET, 1, at=at, location="downtown")),
    ]
    for number in arrival:
        shop.tell(*told[number])

    [found] = flagged(shop)
    assert found.kind == "surplus_shipment"
    assert (
        "2 units of BLUE-JACKET-M left downtown for order 1001 of web above what it takes"
        in found.message
    )
    assert shop.level(JACKET) == {"available": 7}

    shop.tell("wms", packed("1001", 1, at=at + MINUTE, version=at + 2 * MINUTE))
    assert flagged(shop) == []
    assert shop.level(JACKET) == {"available": 9}


def test_an_order_that_grows_takes_what_left_for_it(shop):
    shop.channel("wms")
    at = now() - HOUR
    shop.tell("web", order("1001", JACKET, 1, at=at))
    shop.tell("wms", packed("1001", 2, at=at + MINUTE))
    assert [one.kind for one in flagged(shop)] == ["surplus_shipment"]

    shop.tell("web", order("1001", JACKET, 2, at=at, version=at + 2 * MINUTE))

    assert flagged(shop) == []

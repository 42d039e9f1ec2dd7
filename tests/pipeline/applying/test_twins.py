"""One sale that two channels told: a person is told of both, nothing is taken back."""

import json

import pytest
import sqlalchemy as sa

from app.domain.instants import HOUR, MINUTE, SECOND, now
from app.pipeline.applying import twins
from app.store.tables import incidents
from tests.builders import JACKET, order, sale, shipment


def told(shop):
    twins.look(shop.engine, now())
    with shop.engine.connect() as connection:
        query = sa.select(incidents).where(incidents.c.kind == twins.KIND)
        return connection.execute(query.order_by(incidents.c.id)).all()


def pairs(shop):
    return [
        tuple(one["order"] for one in part["sales"])
        for row in told(shop)
        for part in json.loads(row.details)["parts"]
    ]


@pytest.mark.parametrize("apart", [0, 10 * MINUTE, -10 * MINUTE])
def test_the_same_sale_from_two_channels_is_told_with_both(shop, apart):
    at = now() - HOUR // 2
    shop.tell("till", sale("T-1", JACKET, 1, at=at))
    shop.tell("web", sale("1001", JACKET, 1, at=at + apart))

    [incident] = told(shop)
    assert incident.closed_at is None
    assert pairs(shop) == [("T-1", "1001")]
    assert "till T-1 and web 1001 both took 1" in incident.message
    assert shop.level(JACKET) == {"available": 8}


def test_both_may_come_in_one_batch(shop):
    at = now()
    shop.receive("till", sale("T-1", JACKET, 1, at=at))
    shop.receive("web", sale("1001", JACKET, 1, at=at))
    shop.apply()

    assert len(pairs(shop)) == 1


def test_an_order_that_was_copied_and_handed_over_is_told(shop):
    at = now() - HOUR // 2
    shop.tell("till", sale("T-1", JACKET, 2, at=at))
    shop.tell("web", order("1001", JACKET, 2, at=at + SECOND))
    assert told(shop) == []
    shop.tell("web", shipment("1001", JACKET, 2, at=at + MINUTE, location="downtown"))

    assert pairs(shop) == [("T-1", "1001")]


@pytest.mark.parametrize(
    ("quantity", "apart", "channel"),
    [(2, 0, "web"), (1, 10 * MINUTE + 1, "web"), (1, 0, "till")],
)
def test_what_differs_is_no_twin(shop, quantity, apart, channel):
    at = now() - HOUR // 2
    shop.tell("till", sale("T-1", JACKET, 1, at=at))
    shop.tell(channel, sale("1001", JACKET, quantity, at=at + apart))

    assert told(shop) == []


def test_another_place_is_no_twin(shop):
    shop.locations("harbour")
    shop.tell("till", sale("T-1", JACKET, 1, at=now(), location="downtown"))
    shop.tell("web", sale("1001", JACKET, 1, at=now(), location="harbour"))

    assert told(shop) == []


def test_an_order_of_yesterday_that_leaves_now_is_no_twin(shop):
    at = now()
    shop.tell("web", order("1001", JACKET, 1, at=at - 24 * HOUR))
    shop.tell("till", sale("T-1", JACKET, 1, at=at))
    shop.tell("web", shipment("1001", JACKET, 1, at=at, location="downtown"))

    assert told(shop) == []


@pytest.mark.parametrize("names_channel", [True, False])
@pytest.mark.parametrize("carrier_first", [True, False])
def test_what_a_carrier_reports_of_an_order_is_no_sale_of_its_own(
    shop, names_channel, carrier_first
):
    shop.channel("parcels")
    at = now() - HOUR // 2
    placed = order("1001", JACKET, 1, at=at)
    own = shipment("1001", JACKET, 1, at=at + SECOND, location="downtown")
    carrier = own | {"id": "label-1"} | ({"channel": "web"} if names_channel else {})
    if not names_channel:
        shop.tell("web", placed)
    reports = [("parcels", carrier), ("web", own)]
    for channel, body in reports if carrier_first else reversed(reports):
        shop.tell(channel, body)
    if names_channel:
        shop.tell("web", placed)
        # And of the next order, which the store itself reports, at the same time.
        shop.tell("web", order("1002", JACKET, 1, at=at))
        shop.tell("web", own | {"id": "ship-1002", "order": "1002"})
        assert told(shop) == []


def test_an_incident_is_added_to_while_it_is_open(shop):
    at = now() - HOUR // 2
    shop.tell("till", sale("T-1", JACKET, 1, at=at))
    shop.tell("web", sale("1001", JACKET, 1, at=at))
    shop.tell("web", sale("1002", JACKET, 1, at=at))

    [incident] = told(shop)
    assert incident.times == 2
    assert pairs(shop) == [("T-1", "1001"), ("T-1", "1002")]


def test_a_sale_that_was_taken_back_is_no_twin(shop):
    at = now() - HOUR // 2
    body = sale("T-1", JACKET, 1, at=at)
    shop.tell("till", body)
    body["lines"][0]["quantity"] = 0
    shop.tell("till", body | {"version": at + SECOND})

    shop.tell("web", sale("1001", JACKET, 1, at=at))

    assert told(shop) == []

"""Rehearsal: the stock events alone lead to the same levels, in any order."""

import pytest

from app.domain.instants import HOUR, MINUTE, SECOND, iso, now
from app.pipeline.acts import holding, transferring
from app.pipeline.applying.travelling import Arrival
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.tables import stock_events, stock_levels
from tests.builders import JACKET, cancellation, order, returned, sale, shipment

SCARF = "RED-SCARF"


@pytest.fixture
def busy(shop):
    """A day in which everything happens that moves stock."""
    shop.locations("harbour")
    at = now() - HOUR
    shop.tell("web", shipment("1", JACKET, 1, at=at + MINUTE, location="downtown"))
    shop.tell("web", order("1", JACKET, 3, at=at))
    shop.tell("web", order("1", JACKET, 2, at=at, version=at + 1))
    shop.tell("web", cancellation("1", JACKET, 1, at=at + 2 * MINUTE))
    shop.tell("till", sale("T", JACKET, 4, at=at - 2 * HOUR, location="downtown"))
    shop.tell("till", sale("T", JACKET, 2, at=at, location="downtown"))
    shop.tell("web", returned("1", JACKET, 2, at=at + 3 * MINUTE, location="downtown"))
    shop.tell("till", sale("S", SCARF, 1, at=at, location="downtown"))
    shop.sku(SCARF)
    shop.listing("till", SCARF, SCARF)
    shop.count(JACKET, "downtown", 8, at=at + 10 * MINUTE)
    lines = [{"sku": JACKET, "quantity": 1, "location": "downtown"}]
    ends = [
        holding.hold(shop.engine, lines, 600, actor="test", now=now()) for _ in range(4)
    ]
    holding.release(shop.engine, ends[0]["id"], actor="test", now=now())
    holding.commit(shop.engine, ends[1]["id"], "web", "9", actor="test", now=now())
    shop.tell("web", order("9", JACKET, 1, at=now()))
    sent = transferring.transfer(
        shop.engine, "downtown", "harbour", lines, actor="test", now=now()
    )
    transferring.receive_transfer(
        shop.engine, sent["id"], Arrival(lines), actor="test", now=now()
    )
    return shop


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_all_events_comes_to_the_same_levels(busy, seed):
    with busy.engine.connect() as connection:
        assert list(rehearse(connection, now() + SECOND, seed)) == []
        assert differences(connection) == []


def test_an_event_that_is_missing_is_told_in_words(busy):
    with busy.engine.begin() as connection:
        connection.execute(
            stock_events.delete().where(stock_events.c.kind == "counted")
        )
    with busy.engine.connect() as connection:
        found = list(rehearse(connection, now(), 1))

    assert any(JACKET in one and "told again make it" in one for one in found)


def test_a_level_that_was_changed_by_hand_is_found(busy):
    with busy.engine.begin() as connection:
        connection.execute(
            stock_levels.update().values(
                available=stock_levels.c.available + 1,
                variance=stock_levels.c.variance - 1,
            )
        )
    with busy.engine.connect() as connection:
        assert list(rehearse(connection, now(), 1))


def test_two_places_counted_under_one_id_are_both_told_again(shop):
    shop.locations("harbour")
    line = {"id": "1", "sku": JACKET, "quantity": 4}
    told = {"type": "count", "id": "c-1", "occurred_at": iso(now()), "lines": [line]}
    for place in ("downtown", "harbour"):
        shop.tell("till", {**told, "location": place})

    assert shop.level(JACKET) == {"available": 8}
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now(), 1)) == []

"""Open lines of an item that was mapped to the wrong SKU follow it to the right one."""

import pytest

from app.domain.instants import MINUTE, now
from app.pipeline.configuring.revising import relist
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.replaying import replay
from tests.builders import JACKET, cancellation, order, sale, shipment

RIGHT, ITEM = "BLUE-JACKET-S", "item-1"


@pytest.fixture
def shop(shop):
    shop.sku(RIGHT)
    mapped(shop, JACKET)
    return shop


def mapped(shop, sku, **told):
    listing = {"channel": "web", "external_id": ITEM, "sku": sku, **told}
    made, _ = relist(shop.engine, listing, now=now(), actor="ada")
    return made.get("open_lines", 0)


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == [] == list(rehearse(connection, now(), 5))


def test_its_promises_move_and_what_is_told_of_them_later_is_about_the_right_one(shop):
    at = now() - MINUTE
    shop.tell("web", order("1", ITEM, 3, at=at))
    shop.tell("web", order("2", ITEM, 2, at=at), shipment("2", ITEM, 2, at=at))
    assert mapped(shop, RIGHT) == 1, "they stay where they are"
    assert shop.level(JACKET) == {"available": 5, "committed": 3}

    assert mapped(shop, RIGHT, open_lines="move") == 0

    assert shop.level(JACKET) == {"available": 8}
    assert shop.level(RIGHT) == {"available": -3, "committed": 3}
    shop.tell("web", order("1", ITEM, 2, at=now()))
    shop.tell("web", shipment("1", ITEM, 1, at=now()))
    assert shop.level(RIGHT) == {"available": -2, "committed": 1}
    assert shop.level(JACKET) == {"available": 8}
    assert mapped(shop, RIGHT, open_lines="move") == 0, "twice is once"
    assert shop.level(RIGHT) == {"available": -2, "committed": 1}
    assert is_right(shop)


def test_what_was_shipped_of_an_open_line_goes_along(shop):
    shop.tell("web", order("1", ITEM, 3, at=now() - MINUTE))
    shop.tell("web", shipment("1", ITEM, 1, at=now()))

    assert mapped(shop, RIGHT, open_lines="move") == 0

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(RIGHT) == {"available": -3, "committed": 2}
    assert is_right(shop)


def test_only_lines_told_as_this_item_go(shop):
    shop.tell("web", order("1", JACKET, 1, at=now()))
    shop.tell("web", order("2", ITEM, 1, at=now()))
    shop.tell("till", order("3", JACKET, 1, at=now()))
    shop.tell("till", sale("4", JACKET, 1, at=now()))

    mapped(shop, RIGHT, open_lines="move")

    assert shop.level(JACKET) == {"available": 7, "committed": 2}
    assert shop.level(RIGHT) == {"available": -1, "committed": 1}
    assert is_right(shop)


def test_what_is_over_stays(shop):
    at = now() - MINUTE
    shop.tell("web", order("1", ITEM, 1, at=at), cancellation("1", ITEM, 1, at=now()))

    assert mapped(shop, RIGHT, open_lines="move") == 0

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(RIGHT) == {}


def test_all_told_again_changes_nothing(shop):
    shop.tell("web", order("1", ITEM, 3, at=now() - MINUTE))
    mapped(shop, RIGHT, open_lines="move")

    replay(shop.engine)
    shop.apply()

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(RIGHT) == {"available": -3, "committed": 3}
    assert is_right(shop)

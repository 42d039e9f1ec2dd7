"""A line or a fact is corrected to another SKU; an item that is mapped anew is not one."""

from itertools import permutations

import pytest

from app.domain.instants import MINUTE, iso, now
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.rebuilding import rebuild
from tests.builders import JACKET, order

SCARF = "RED-SCARF"


@pytest.fixture
def shop(shop):
    """Ten jackets and nine scarves downtown; a warehouse that ships for the store."""
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 9)
    shop.channel("wms")
    return shop


def fact(kind, version, sku, quantity, **more):
    line = {"id": "1", "sku": sku, "quantity": quantity, "reason": "lost"}
    moment = {"occurred_at": iso(now() - MINUTE), "version": version}
    return {"type": kind, "id": kind, "lines": [line], **moment, **more}


def is_right(shop):
    """Every other order of arrival leads to the same, and nothing is to be rebuilt."""
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        for seed in (1, 2):
            assert list(rehearse(connection, now() + MINUTE, seed)) == []
    done = rebuild(shop.engine, now())
    return (done.before, done.levels, done.entries, done.after) == ([], [], 0, [])


@pytest.mark.parametrize("arrival", list(permutations(range(3))))
@pytest.mark.parametrize("at_once", [True, False])
def test_an_order_line_is_what_its_newest_version_says(shop, arrival, at_once):
    at = now() - MINUTE
    told = [
        order("1", JACKET, 2, at=at, version=1),
        order("1", SCARF, 3, at=at, version=2),
        order("1", SCARF, 1, at=at, version=3),
    ]
    for number in arrival:
        shop.receive("web", told[number])
        if not at_once:
            shop.apply()
    shop.apply()

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(SCARF) == {"available": 8, "committed": 1}
    assert is_right(shop)


@pytest.mark.parametrize(
    ("kind", "quantity", "left"),
    [
        ("receipt", 2, {"available": 11}),
        ("expected", 2, {"available": 9, "incoming": 2}),
        ("adjustment", -2, {"available": 7}),
    ],
)
def test_a_fact_of_the_wrong_sku_is_corrected(shop, kind, quantity, left):
    for version, sku in ((1, JACKET), (2, SCARF)):
        told = fact(kind, version, sku, quantity, location="downtown")
        shop.tell("wms", told)

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(SCARF) == left
    assert is_right(shop)


def test_an_item_that_is_mapped_to_another_sku_moves_no_open_line(shop):
    at = now() - MINUTE
    shop.listing("web", JACKET, "item")
    shop.tell("web", order("1", "item", 2, at=at, version=1))
    shop.listing("web", SCARF, "item")
    shop.tell("web", order("1", "item", 3, at=at, version=2))

    assert shop.level(JACKET) == {"available": 7, "committed": 3}
    assert is_right(shop)


@pytest.mark.parametrize("arrival", [(0, 2, 1, 3), (2, 3, 0, 1), (0, 1, 3, 2)])
def test_what_a_warehouse_shipped_stays_with_its_sku(shop, arrival):
    """Two lines change places: their ids are the store's, the warehouse tells SKUs."""

    def ordered(version, *lines):
        told = fact("order", version, "", 0, order="1")
        names = [
            {"id": f"{at}", "sku": sku, "quantity": units}
            for at, (sku, units) in enumerate(lines)
        ]
        return "web", {**told, "lines": names}

    def left(parcel, sku, units):
        more = {"order": "1", "channel": "web", "location": "downtown", "id": parcel}
        return "wms", fact("shipment", 1, sku, units) | more

    told = [
        ordered(1, (JACKET, 2), (SCARF, 2)),
        ordered(2, (SCARF, 2), (JACKET, 3)),
        left("a", JACKET, 1),
        left("b", SCARF, 2),
    ]
    for number in arrival:
        shop.tell(*told[number])

    assert shop.level(JACKET) == {"available": 7, "committed": 2}
    assert shop.level(SCARF) == {"available": 7}
    assert is_right(shop)

"""A line that its order has no more takes nothing, whichever of the two is told first."""

import itertools

import pytest
import sqlalchemy as sa

from app.domain.instants import DAY, MINUTE, SECOND, iso, now
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.configuration import channels
from app.store.engine import writing
from app.store.receiving import inbox
from app.store.tables import return_cases
from tests.builders import JACKET, Shop

AT = now() - DAY


@pytest.fixture
def shop(shopify) -> Shop:
    """A store with two locations, and a warehouse that ships its orders."""
    shopify.locations("harbour")
    shopify.channel(
        "web",
        provider="shopify",
        mapped={"downtown": "1", "harbour": "2"},
        settings={"shop": "blue-jacket.myshopify.com"},
    )
    shopify.channel("wms")
    return shopify


def whole(minute: int, **lines: int) -> dict:
    """Order #1001 as it was after so many minutes: jackets by line."""
    times = {"created_at": iso(AT), "updated_at": iso(AT + minute * MINUTE)}
    rows = [
        {"id": int(line[1:]), "variant_id": 8, "sku": JACKET, "quantity": units}
        for line, units in lines.items()
    ]
    names = {"id": 500, "name": "#1001", "location_id": 2}
    return {**names, **times, "line_items": rows}


def parcel(units: int, **more: str) -> dict:
    return {
        "type": "shipment",
        "id": "A",
        "order": "1001",
        "channel": "web",
        "occurred_at": iso(AT + 9 * MINUTE),
        "lines": [{"id": "1", "sku": JACKET, "quantity": units}],
        **more,
    }


def told(shop: Shop, message: dict) -> None:
    if "type" in message:
        shop.tell("wms", message)
        return
    with writing(shop.engine) as connection:
        web = channels.row(connection, "web")["id"]
        found = [("orders/updated", message, inbox.READ)]
        inbox.store_read(connection, web, found, now())
    shop.apply()


def is_sound(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        seeds = range(4)
        told = [one for n in seeds for one in rehearse(connection, now() + SECOND, n)]
        return differences(connection) + told == []


@pytest.mark.parametrize("units", [0, 1])
@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_a_parcel_of_a_line_that_is_lost_leaves_where_it_was_to(shop, units, arrival):
    messages = whole(1, l7=units), whole(2), parcel(1)
    for number in arrival:
        told(shop, messages[number])

    assert shop.level(JACKET, "harbour") == {"available": -1}
    assert shop.level(JACKET, "downtown") == {"available": 10}
    assert is_sound(shop)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_a_parcel_of_too_many_is_dealt_out_among_the_same_lines(shop, arrival):
    messages = whole(1, l7=1, l8=2), whole(2, l7=2), parcel(3)
    for number in arrival:
        told(shop, messages[number])

    assert shop.level(JACKET, "harbour") == {"available": -3}
    assert is_sound(shop)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_a_line_that_is_told_of_again_is_none_that_is_lost(shop, arrival):
    messages = whole(1, l7=1, l8=2), whole(2, l7=1), whole(3, l7=1, l8=3)
    for number in arrival:
        told(shop, messages[number])

    assert shop.level(JACKET, "harbour") == {"available": -4, "committed": 4}
    assert is_sound(shop)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(2))))
def test_a_notice_of_a_return_is_kept_by_the_lines_that_share_its_sku(shop, arrival):
    notice = parcel(2, type="return", stage="advised", id="r")
    messages = whole(1, l7=1, l8=2), notice
    for number in (*arrival, *arrival):
        told(shop, messages[number])
    told(shop, parcel(3))
    told(shop, parcel(2, type="return", id="back", location="harbour"))
    told(shop, {**notice, "version": iso(AT + DAY)})

    with shop.engine.connect() as connection:
        found = [row.advised for row in connection.execute(sa.select(return_cases))]
    assert sum(found) == 2
    assert is_sound(shop)

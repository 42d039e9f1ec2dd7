"""A parcel's SKUs are told together: what is named no more is not in it."""

import itertools

import pytest

from app.domain.instants import DAY, MINUTE, SECOND, iso, now
from app.pipeline.configuring.listings import map_listing
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.configuration import channels
from app.store.engine import writing
from app.store.receiving import inbox
from tests.builders import JACKET, Shop

SCARF = "RED-SCARF"
AT = now() - DAY
READ, READ_BY_V1 = "v2.shipments.read", "shipments.read"


@pytest.fixture
def shop(empty_shop) -> Shop:
    """A store, and a shipper of its orders by ShipStation's V2."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("web")
    shop.channel(
        "parcels",
        provider="shipstation",
        settings={"channel": "web"},
        secrets={"api_key": ["key"]},
    )
    shop.sku(JACKET, SCARF)
    for sku in (JACKET, SCARF):
        shop.count(sku, "downtown", 10, at=AT - DAY)
    return shop


def ordered(jackets: int = 2, scarves: int = 1) -> dict:
    lines = [
        {"id": "1", "sku": JACKET, "quantity": jackets},
        {"id": "2", "sku": SCARF, "quantity": scarves},
    ]
    return {"type": "order", "order": "1001", "occurred_at": iso(AT), "lines": lines}


def labels(*voided: bool) -> list[dict]:
    """Labels a minute apart; a voided one was so half a minute later."""
    made = []
    for number, is_void in enumerate(voided):
        at = AT + number * MINUTE
        ended = {"voided": True, "voided_at": iso(at + MINUTE // 2)} if is_void else {}
        made.append({"created_at": iso(at), "status": "completed", **ended})
    return made


def parcel(*voided: bool, shipment: str = "se-1", **items: int) -> dict:
    """A shipment as it was read: its labels so far, and what it holds."""
    skus = {"jackets": JACKET, "scarves": SCARF}
    return {
        "shipment_id": shipment,
        "shipment_number": "1001",
        "items": [
            {"sku": skus[name], "quantity": units} for name, units in items.items()
        ],
        "labels": labels(*voided),
        "fulfillments": [],
    }


def read(shop: Shop, found: dict) -> None:
    topic = READ if "shipment_id" in found else READ_BY_V1
    document = {"resource_type": topic, "shipments": [found]}
    with writing(shop.engine) as connection:
        row = channels.row(connection, "parcels")
        inbox.store_read(connection, row["id"], [(topic, document, inbox.READ)], now())
    shop.apply()


def is_sound(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        told = [said for seed in range(4) for said in rehearse(connection, now(), seed)]
        return differences(connection) + told == []


HISTORY = [
    parcel(False, jackets=2, scarves=1),
    parcel(True, False, jackets=2),
]
"""A label for all of it; one for the jackets alone, after that was voided."""


@pytest.mark.parametrize(
    "told", list(itertools.permutations([ordered(), *HISTORY])), ids=lambda _: ""
)
def test_what_was_taken_out_between_two_labels_did_not_leave(shop, told):
    for one in (*told, told[0]):
        if "order" in one:
            shop.tell("web", one)
        else:
            read(shop, one)

    assert shop.level(JACKET) == {"available": 8}
    assert shop.level(SCARF) == {"available": 9, "committed": 1}
    assert is_sound(shop)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_what_is_put_in_again_leaves_with_the_label_that_has_it(shop, arrival):
    history = [*HISTORY, parcel(True, True, False, jackets=1, scarves=2)]
    shop.tell("web", ordered(2, 2))

    for number in arrival:
        read(shop, history[number])

    assert shop.level(JACKET) == {"available": 8, "committed": 1}
    assert shop.level(SCARF) == {"available": 8}
    assert is_sound(shop)


def test_another_parcel_of_the_order_keeps_what_it_holds(shop):
    shop.tell("web", ordered())
    for one in (*HISTORY, parcel(False, shipment="se-2", scarves=1)):
        read(shop, one)
    read(shop, HISTORY[1])

    assert shop.level(SCARF) == {"available": 9}
    assert is_sound(shop)


@pytest.mark.parametrize("arrival", [(0, 1), (1, 0)])
def test_a_sku_that_becomes_known_late_was_taken_out_all_the_same(shop, arrival):
    hats = {"sku": "HAT", "quantity": 3}
    first, then = HISTORY[0], HISTORY[1]
    history = [first | {"items": [*first["items"], hats]}, then]
    for number in arrival:
        read(shop, history[number])
    shop.sku("HAT")
    map_listing(shop.engine, "web", "HAT", "HAT", now=now() + SECOND)
    shop.apply()

    assert shop.level("HAT") == {}
    assert is_sound(shop)


def by_v1(number: int, jackets: int, *, void: bool = False) -> dict:
    """A shipment as V1 tells of it: by another number."""
    ended = {"voided": True, "voidDate": iso(AT + 3 * MINUTE)} if void else {}
    return {
        "shipmentId": number,
        "orderNumber": "1001",
        "createDate": iso(AT),
        "shipmentItems": [{"sku": JACKET, "quantity": jackets}],
        **ended,
    }


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))))
def test_a_shipment_that_both_apis_tell_of_leaves_once(shop, arrival):
    told = [by_v1(77, 2), by_v1(78, 1), parcel(False, jackets=2)]
    told.append(parcel(False, shipment="se-2", jackets=1))
    shop.tell("web", ordered(4, 0))
    for number in arrival:
        read(shop, told[number])

    assert shop.level(JACKET) == {"available": 6, "committed": 1}
    read(shop, by_v1(78, 1, void=True))
    assert shop.level(JACKET) == {"available": 6, "committed": 1}
    read(shop, parcel(True, shipment="se-2", jackets=1))
    assert shop.level(JACKET) == {"available": 6, "committed": 2}
    assert is_sound(shop)

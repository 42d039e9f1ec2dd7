"""Units that came back to a Shopify store: restocked by a refund, or by who unpacks."""

import itertools

import pytest
import sqlalchemy as sa

from app.domain.instants import MINUTE, iso, now
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.watching.polling import Poller
from app.store.configuration import channels
from app.store.engine import writing
from app.store.receiving import inbox
from app.store.tables import inbox as inbox_table
from tests.adapters.sandboxes import control
from tests.builders import JACKET
from tests.pipeline.test_channels_that_sell import (
    PLACE,
    Trade,
    is_right,
    sell,
    trade,
)

__all__ = ["trade"]

of_shopify = pytest.mark.parametrize("trade", ["shopify"], indirect=True)
AT = now() - 20 * MINUTE


def sold(trade: Trade, quantity: int = 2) -> str:
    """The order of jackets that were shipped."""
    return sell(trade, quantity, shipped=True, place=PLACE)["order"]


def sent_back(trade: Trade, order: str, quantity: int = 1) -> dict[str, str]:
    made = control(trade.url, "return", order=order, quantity=quantity)
    return {"order": order, "return": made["return"]}


def comes_to(trade: Trade, eventually, **level: int) -> None:
    eventually(lambda: trade.work() or trade.shop.level(JACKET) == level)


def is_heard(trade: Trade) -> bool:
    """Whether the word about what became of a return was understood by itself."""
    told = sa.select(inbox_table.c.state).where(
        inbox_table.c.topic == "reverse_fulfillment_orders/dispose"
    )
    with trade.shop.engine.connect() as connection:
        return connection.scalars(told).all() == ["applied"]


@of_shopify
def test_a_unit_restocked_after_its_refund_comes_back_once(trade, eventually):
    trade.settle(eventually, 5)
    back = sent_back(trade, sold(trade))
    control(trade.url, "refund", quantity=1, restock="no_restock", **back)
    comes_to(trade, eventually, available=3)

    control(trade.url, "dispose", type="restocked", **back)

    comes_to(trade, eventually, available=4)
    trade.settle(eventually, 4)
    eventually(lambda: trade.work() or is_heard(trade))
    assert is_right(trade)


@of_shopify
def test_a_unit_to_be_judged_is_inspected_until_it_was(trade, eventually):
    trade.settle(eventually, 5)
    back = sent_back(trade, sold(trade, 3), 3)

    control(trade.url, "dispose", type="processing_required", quantity=3, **back)
    comes_to(trade, eventually, available=2, inspection=3)

    control(trade.url, "dispose", type="restocked", **back)
    control(trade.url, "dispose", type="not_restocked", **back)
    comes_to(trade, eventually, available=3, inspection=1)
    assert is_right(trade)


@of_shopify
def test_a_lost_word_about_a_return_is_found_by_the_poll(trade, settings, eventually):
    trade.settle(eventually, 5)
    back = sent_back(trade, sold(trade))
    comes_to(trade, eventually, available=3)
    trade.shop.deaf = True
    control(trade.url, "dispose", type="restocked", **back)

    engine, vault = trade.shop.engine, trade.shop.vault
    Poller(engine, vault, settings, trade.fetcher.lease).poll_due("web")

    comes_to(trade, eventually, available=4)
    assert is_right(trade)


@of_shopify
def test_an_app_that_may_not_read_returns_is_told_so(trade, eventually):
    trade.sandbox.config["scopes"] = "read_orders,write_inventory"
    trade.settle(eventually, 5)
    order = sold(trade)

    sent_back(trade, order)

    def is_told() -> bool:
        trade.work()
        return any("read_returns" in (note or "") for _, note in trade.shop.messages())

    eventually(is_told)
    assert trade.shop.level(JACKET) == {"available": 3}


# -- whoever tells of it, in any order -----------------------------------------------


def order(version: int, **more) -> dict:
    """An order of two jackets, both shipped, as it was read."""
    line = {"id": "7", "variant_id": "8", "sku": JACKET, "quantity": 2}
    return {
        "id": "500",
        "name": "#1001",
        "created_at": iso(AT),
        "updated_at": iso(AT + version * MINUTE),
        "line_items": [{**line, "fulfillable_quantity": 0}],
        "fulfillments": [
            {
                "id": "41",
                "status": "success",
                "location_id": "1",
                "created_at": iso(AT + MINUTE),
                "updated_at": iso(AT + MINUTE),
                "line_items": [{"id": "7", "quantity": 2}],
            }
        ],
        "fulfillment_orders": [],
        **more,
    }


def refund(number: str, minute: int, of_return: str | None, kind="return") -> dict:
    row = {"line_item_id": "7", "quantity": 1, "restock_type": kind, "location_id": "1"}
    at = iso(AT + minute * MINUTE)
    rows = {"created_at": at, "refund_line_items": [row]}
    return {"id": number, "of_return": of_return, **rows}


def disposed(minute: int, kind: str = "restocked") -> list[dict]:
    made = {"id": "61", "type": kind, "quantity": 1, "location_id": "1"}
    made["created_at"] = iso(AT + minute * MINUTE)
    return [{"line_item_id": "7", "total_quantity": 1, "dispositions": [made]}]


PAID = [refund("51", 5, "R1")]
PAID_ONLY = [refund("51", 5, "R1", "no_restock")]
OTHER = [refund("52", 6, None)]

TOLD_TWICE = [
    order(5, refunds=PAID),
    order(8, refunds=PAID, disposed=disposed(8)),
    order(9, refunds=PAID, disposed=disposed(8)),
]
"""One unit, restocked by its refund and by its disposition."""
TWO_UNITS = [
    order(5, refunds=PAID_ONLY),
    order(6, refunds=PAID_ONLY + OTHER, disposed=[]),
    order(8, refunds=PAID_ONLY + OTHER, disposed=disposed(8)),
]
"""One unit by the disposition of a return, one by a refund of none."""
BY_DISPOSITION = TWO_UNITS[2] | {"refunds": PAID_ONLY}
JUDGED = [
    order(5, refunds=PAID_ONLY),
    order(7, refunds=PAID_ONLY, disposed=disposed(7, "processing_required")),
    order(8, refunds=PAID_ONLY, disposed=disposed(7)),
]


@pytest.mark.parametrize("turn", list(itertools.permutations(range(3))))
@pytest.mark.parametrize(
    ("told", "available"), [(TOLD_TWICE, 9), (TWO_UNITS, 10), (JUDGED, 9)]
)
def test_in_any_order_each_unit_comes_back_once(
    shopify, told: list[dict], available: int, turn: tuple[int, ...]
):
    for at in turn:
        with writing(shopify.engine) as connection:
            row = channels.row(connection, "web")
            read = [("order read", told[at], inbox.READ)]
            inbox.store_read(connection, row["id"], read, now())
        shopify.apply()

    assert shopify.level(JACKET) == {"available": available}
    with shopify.engine.connect() as connection:
        proof = [
            said for seed in range(4) for said in rehearse(connection, now(), seed)
        ]
        assert differences(connection) + proof == []


@pytest.mark.parametrize(("custodian", "available"), [("desk", 8), ("web", 9)])
def test_only_a_custodian_puts_units_back(shopify, custodian: str, available: int):
    shopify.channel("desk")
    shopify.locations("downtown", custodian=custodian)
    with writing(shopify.engine) as connection:
        row = channels.row(connection, "web")
        read = [("order read", BY_DISPOSITION, inbox.READ)]
        inbox.store_read(connection, row["id"], read, now())
    shopify.apply()

    assert shopify.level(JACKET) == {"available": available}

"""What a channel does itself changes its number when it does it, not when it was sold."""

import time

import pytest
import sqlalchemy as sa

from app.domain import drift, events as kinds
from app.domain.events import StockEvent
from app.domain.instants import MINUTE, Instant, now
from app.pipeline.acts.claims import expire_holds
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.house import read_house
from app.store.configuration import channels as channel_store
from app.store.engine import applying, writing
from app.store.tables import channels, publications
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.test_channels_that_sell import is_right, sell, trade
from tests.pipeline.watching.test_comparing import (
    asked,
    compare,
    comparer,
    policy,
)

__all__ = ["compare", "comparer", "trade"]


@pytest.fixture
def cancel(trade, eventually):
    """Sell two there, push another number, then cancel that order; nobody tells us."""
    trade.settle(eventually, 5)
    order = sell(trade, 2)
    trade.settle(eventually, 3)
    time.sleep(1.1)  # providers' clocks tell seconds apart
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    trade.settle(eventually, 2)
    time.sleep(1.1)

    def run() -> None:
        control(trade.url, "weather", drop=1)
        control(trade.url, "cancel", order=order["order"])
        control(trade.url, "weather")

    return run


def catch_up(trade) -> None:
    with trade.shop.engine.connect() as connection:
        channel = channel_store.row(connection, "web")
        adapter = trade.publisher.adapter(connection, channel)
    assert trade.publisher.readings.catch_up(adapter, channel)


def test_an_order_that_is_cancelled_after_our_last_number_raised_it(trade, cancel):
    cancel()

    catch_up(trade)

    assert trade.shop.level(JACKET) == {"available": 4}
    assert trade.row()["believed"] == 4 == trade.shows()


def test_ours_is_the_next_number_there_whatever_was_cancelled(
    trade, cancel, eventually
):
    """Ordered by time stamps, ours comes after the units that came back: they would be
    added to it, and offered twice."""
    cancel()
    catch_up(trade)
    trade.shop.tell("till", sale("T-2", JACKET, 1, at=now()))

    eventually(lambda: trade.work() or trade.row()["accepted"] == 3)

    assert trade.shows() == 3
    assert is_right(trade)


def test_nobody_is_asked_why_a_cancelled_order_raised_it(
    trade, cancel, compare, eventually
):
    policy(trade, drift.ADOPT)
    cancel()
    trade.shop.tell("till", sale("T-2", JACKET, 1, at=now()))

    compare()
    trade.settle(eventually, 3)

    assert trade.shop.level(JACKET) == {"available": 3}
    assert asked(trade) == []
    assert trade.row()["disputed"] is None


def told(shop, kind: str, at: Instant, version: Instant, **values) -> None:
    event = StockEvent(
        kind, 1, at, version, sku=JACKET, order="1001", line="1", **values
    )
    with applying(shop.engine) as connection:
        house = read_house(connection)
        one = Told(house.by_key["web"], [event], now())
        apply(connection, house, [one], now())


def test_where_an_order_leaves_from_is_no_news_of_what_it_took_there(empty_shop):
    """The channel had lowered its number when it took the order, before it was read."""
    shop, at = empty_shop, now()
    shop.locations("downtown", "uptown")
    shop.channel(
        "web",
        provider="shopify",
        settings={"shop": "blue-jacket.myshopify.com"},
        secrets={"webhook": ["s"], "access_token": ["t"]},
        mapped={"downtown": "1", "uptown": "2"},
        publish={},
    )
    shop.sku(JACKET)
    shop.listing("web", JACKET, "item-1")
    shop.count(JACKET, "downtown", 5)
    with writing(shop.engine) as connection:
        read = {"accepted": 5, "believed": 4, "believed_at": at - 30 * MINUTE}
        connection.execute(publications.update().values(**read))
    ordered_at, held_at = at - 40 * MINUTE, at - 20 * MINUTE
    told(shop, kinds.PLACED, ordered_at, ordered_at, place=None)

    told(shop, kinds.ROUTED, ordered_at, held_at, place="1", fact="fo-1")

    assert shop.level(JACKET, "downtown") == {"available": 4, "committed": 1}
    here = sa.select(publications.c.believed).where(publications.c.place == "1")
    with shop.engine.connect() as connection:
        assert connection.scalar(here) == 4


@pytest.fixture
def unpaid(trade, eventually):
    """Place an order there; it is held here for so many seconds, until it is paid."""

    def run(seconds: int) -> str:
        trade.settle(eventually, 5)
        with writing(trade.shop.engine) as connection:
            web = channels.update().where(channels.c.key == "web")
            connection.execute(web.values(orders=f'{{"until_paid": {seconds}}}'))
            channel_store.touch(connection, now())
        time.sleep(1.1)
        order = sell(trade, unpaid=True)
        eventually(lambda: trade.work() or "reserved" in trade.shop.level(JACKET))
        return order["order"]

    return run


@pytest.fixture
def pay(trade, eventually):
    """Pay an order there; we hear of it, and publish nothing yet."""

    def is_heard() -> bool:
        trade.shop.apply()
        trade.fetcher.fetch_due("web")
        return "committed" in trade.shop.level(JACKET)

    def run(order: str) -> None:
        control(trade.url, "pay", order=order)
        eventually(is_heard)

    return run


def test_what_a_channel_does_when_an_order_is_paid_is_known(
    trade, unpaid, pay, eventually
):
    order = unpaid(3600)
    trade.settle(eventually, 4)
    assert trade.row()["believed"] == 4

    pay(order)

    assert trade.row()["believed"] == trade.shows()
    trade.settle(eventually, 4)
    assert is_right(trade)


def test_an_order_that_is_paid_too_late_is_no_edit(trade, unpaid, pay, eventually):
    order = unpaid(1)
    time.sleep(1.1)
    expire_holds(trade.shop.engine, now())
    trade.settle(eventually, 5)
    assert trade.shop.level(JACKET) == {"available": 5}

    pay(order)

    assert trade.shop.level(JACKET) == {"available": 4, "committed": 1}
    assert trade.row()["believed"] == trade.shows()
    trade.settle(eventually, 4)
    assert is_right(trade)

"""What a channel does itself changes its number when it does it, not when it was sold."""

import time

import pytest

from app.domain import drift
from app.domain.instants import MINUTE, now
from app.store.configuration import channels as channel_store
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.test_channels_that_sell import is_right, sell, trade
from tests.pipeline.watching.test_adopting import sold
from tests.pipeline.watching.test_comparing import (
    asked,
    compare,
    comparer,
    edit,
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


def test_ours_is_the_next_number_there_whatever_was_cancelled(trade, cancel):
    """Ordered by time stamps, ours comes after the units that came back: they would be
    added to it, and offered twice."""
    cancel()
    catch_up(trade)
    trade.shop.tell("till", sale("T-2", JACKET, 1, at=now()))

    trade.work()

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


def test_what_a_person_is_asked_about_is_not_explained_by_what_is_done_later(
    trade, compare, eventually
):
    trade.settle(eventually, 5)
    at = now() - MINUTE
    order = sold(trade, at, 3)
    trade.settle(eventually, 2)
    policy(trade, drift.ASK)
    edit(trade, 6)
    assert compare() == [(6, 2, drift.EDITED, drift.WAIT)]

    sold(trade, at, 0, order, version=now())

    assert trade.row()["disputed"] == 4

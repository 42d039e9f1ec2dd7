"""A clock that is set back by an hour lets nothing wait for an hour."""

from collections.abc import Iterator

import pytest

from app.domain.instants import HOUR, SECOND, now, to_datetime
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.test_channels_that_sell import trade
from workers import scheduled
from workers.hands import Hands, make

__all__ = ["trade"]


@pytest.fixture
def mine(settings) -> Iterator[Hands]:
    mine = make(settings)
    yield mine
    mine.wakes.redis.close()
    mine.engine.dispose()


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_a_channel_that_wanted_a_pause_gets_its_number_after_it(
    trade, mine, eventually, time_machine
):
    trade.settle(eventually, 5)
    scheduled.sweep(mine)
    control(trade.url, "weather", status=429, retry_after=20)
    trade.shop.tell("till", sale("T-1", JACKET, 2, at=now()))
    trade.work()
    control(trade.url, "weather")

    time_machine.move_to(to_datetime(now() - HOUR), tick=True)
    scheduled.sweep(mine)
    early = scheduled.due_lanes(mine, now() + 10 * SECOND)
    time_machine.shift(25)

    assert ("outbound:web", False) not in early, "the pause is kept"
    assert ("outbound:web", False) in scheduled.due_lanes(mine, now())
    trade.work()
    assert trade.shows() == 3


def test_what_is_corrected_meanwhile_is_the_later_word(shop, mine, time_machine):
    at = now()
    scheduled.sweep(mine)
    shop.tell("till", sale("T-1", JACKET, 2, at=at) | {"version": at})
    time_machine.move_to(to_datetime(at - HOUR), tick=True)
    scheduled.sweep(mine)

    time_machine.shift(60)
    later = at + 60 * SECOND
    shop.tell("till", sale("T-1", JACKET, 1, at=at) | {"version": later})
    shop.tell("till", sale("T-1", JACKET, 3, at=at) | {"version": later - SECOND})
    assert shop.level(JACKET) == {"available": 9}

    # A source that is wrong by far more wins no longer than the clock was wrong.
    shop.tell("till", sale("T-1", JACKET, 4, at=at) | {"version": at + 24 * HOUR})
    time_machine.move_to(to_datetime(at + 2 * HOUR), tick=True)
    shop.tell("till", sale("T-1", JACKET, 5, at=at) | {"version": now()})
    assert shop.level(JACKET) == {"available": 5}


def test_what_was_sold_before_is_applied_after(shop, mine, time_machine):
    at = now()
    shop.receive("till", sale("T-1", JACKET, 2, at=at))
    time_machine.move_to(to_datetime(at - HOUR), tick=True)
    shop.receive("till", sale("T-2", JACKET, 1, at=now()))

    # Nobody was woken: the sweep finds both.
    assert ("inbound", False) in scheduled.due_lanes(mine, now())
    shop.apply()

    assert shop.level(JACKET) == {"available": 7}
    assert shop.messages() == [("applied", None)] * 2

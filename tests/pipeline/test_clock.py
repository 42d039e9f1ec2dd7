"""A clock that is set back by an hour lets nothing wait for an hour."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from adapters.sandbox.orders import set_clock
from adapters.sandbox.standard import StandardSandbox
from adapters.signatures import StandardWebhooks
from app.domain.errors import StaleWebhook
from app.domain.instants import DAY, HOUR, MINUTE, SECOND, now, to_datetime
from app.pipeline.acts import holding
from app.pipeline.publish import Publisher
from app.pipeline.watching.alerting import SETTLED, Outages, watch
from app.store import timekeeper
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.publishing.waits import behind
from app.store.tables import channels
from app.store.watching import clock
from tests.adapters.sandboxes import control, serving
from tests.builders import JACKET, SECRET, Shop, sale
from tests.pipeline.test_channels_that_sell import (
    ITEM,
    PLACE,
    is_right,
    look_again,
    sell,
    trade,
)
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


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_our_own_number_whose_answer_got_lost_is_still_ours(
    trade, eventually, time_machine
):
    trade.settle(eventually, 5)
    trade.shop.count(JACKET, "downtown", 6, now())
    control(trade.url, "weather", hang_up=1)
    trade.shop.deaf = True  # nor does its echo arrive
    trade.publisher.push_due("web")
    control(trade.url, "weather")
    assert (trade.row()["unsure"], trade.shows()) == (True, 6)
    trade.shop.count(JACKET, "downtown", 8, now())

    time_machine.move_to(to_datetime(now() - HOUR), tick=True)
    look_again(trade)

    assert trade.row()["misses"] == 0, "nobody edited it"
    assert trade.shows() == 8


def test_what_is_wrong_is_told_as_soon_as_ever(shop, mine, time_machine):
    heard = []
    tell = lambda title, _: heard.append(title) or True
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))
    scheduled.sweep(mine)
    watch(shop.engine, tell, now(), HOUR)

    time_machine.move_to(to_datetime(now() - HOUR), tick=True)
    scheduled.sweep(mine)
    watch(shop.engine, tell, now(), HOUR)
    assert heard == []
    time_machine.shift(2 * SETTLED // SECOND)
    watch(shop.engine, tell, now(), HOUR)

    assert heard == ["Onecount needs you"]


def test_a_database_in_trouble_is_told_of_as_soon_as_ever():
    heard, outages, at = [], Outages("scheduler"), now()

    for moment in (at, at - HOUR):
        outages.heed("it is gone", lambda title, _: heard.append(title) or True, moment)

    assert heard == ["Onecount needs you"]


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


# -- machines that share a database, each with a clock of its own ---------------


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_holds_are_swept_up_by_the_database_s_clock(shop, mine, time_machine, ahead):
    lines = [{"sku": JACKET, "quantity": 4}]
    for seconds in (-1, 900):  # from now
        begun = timekeeper.now(shop.engine) - MINUTE
        holding.hold(shop.engine, lines, seconds + 60, actor="a", now=begun)

    time_machine.move_to(to_datetime(now() + ahead), tick=True)
    scheduled.sweep(mine)

    assert shop.level(JACKET) == {"available": 6, "reserved": 4}


# -- channels that tell another time -------------------------------------------


@pytest.fixture
def hour(time_machine, mine) -> Iterator[Callable[[], None]]:
    """Set the hub's clock back by an hour, and not that of a sandbox at this URL."""

    def set_back(url: str) -> None:
        control(url, "weather", ahead=3600)
        time_machine.move_to(to_datetime(now() - HOUR), tick=True)
        scheduled.sweep(mine)

    yield set_back
    set_clock(0)


def astray(shop: Shop) -> int:
    with shop.engine.connect() as connection:
        return round(clock.astray(connection, now()) / MINUTE)


def test_a_channel_is_told_the_right_numbers_by_its_own_clock(
    trade, hour, mine, eventually, time_machine
):
    trade.settle(eventually, 5)
    hour(trade.url)

    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    trade.settle(eventually, 4)
    scheduled.sweep(mine)
    sell(trade)
    trade.settle(eventually, 3)
    # A date tells whole seconds: what is edited in the very second in which a number was
    # sent is taken for older than that, and found by the next comparison only.
    time_machine.shift(2)
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=6)
    trade.settle(eventually, 3)
    # There and back: what it showed before is no proof that it shows it again.
    trade.shop.tell("till", sale("T-2", JACKET, 1, at=now()))
    trade.settle(eventually, 2)
    trade.shop.tell("till", sale("T-2", JACKET, 0, at=now()) | {"version": now()})
    trade.settle(eventually, 3)
    assert astray(trade.shop) == 60

    time_machine.move_to(to_datetime(now() + HOUR), tick=True)
    control(trade.url, "weather")
    assert astray(trade.shop) == 0, "what was told then is of another time"
    trade.shop.tell("till", sale("T-3", JACKET, 2, at=now()))
    trade.settle(eventually, 1)
    assert astray(trade.shop) == 0
    assert is_right(trade)


@pytest.mark.parametrize("trade", ["square"], indirect=True)
def test_a_stamp_that_a_channel_finds_too_old_is_made_by_its_clock(
    trade, hour, eventually
):
    hour(trade.url)  # nothing was ever told there: the stamp would be the oldest one

    trade.settle(eventually, 5)

    assert trade.row()["failed_at"] is None


def test_what_is_signed_is_signed_by_the_receivers_clock(shop, hour, settings):
    sandbox = StandardSandbox(
        {"secret": SECRET, "items": [{"id": JACKET, "sku": JACKET}]}
    )
    with serving(sandbox) as url:
        shop.channel("web", publish={}, settings={"push_url": f"{url}/stock"})
        hour(url)
        quick = replace(settings, retry_base_seconds=0.01, retry_cap_seconds=0.01)
        publisher = Publisher(shop.engine, shop.vault, quick)
        ends = time.monotonic() + 10
        while sandbox.shown(JACKET, "") != 10 and time.monotonic() < ends:
            publisher.push_due("web")

    assert sandbox.rejected == 1, "the first one was signed by our own clock"
    assert sandbox.shown(JACKET, "") == 10
    with shop.engine.connect() as connection:
        row = channel_store.row(connection, "web")
    assert row["paused_at"] is None
    # Whoever signs by the right clock is believed, too.
    raw = json.dumps(sale("T-1", JACKET, 1, at=now())).encode()
    signed = StandardWebhooks().sign(raw, SECRET, now() + HOUR)
    shop.receiver.receive("till", signed, raw, None, now())
    signed = StandardWebhooks().sign(raw, SECRET, now() + 2 * HOUR)
    with pytest.raises(StaleWebhook):
        shop.receiver.receive("till", signed, raw, None, now())


def test_a_channel_that_is_a_year_ahead_is_told_of_and_not_gone_by(shop):
    at = now()
    with writing(shop.engine) as connection:
        told = {"clock_ahead": 365 * DAY, "clock_told_at": at}
        connection.execute(channels.update().values(**told))

    clock.heed(shop.engine, at)

    with shop.engine.connect() as connection:
        assert clock.astray(connection, at) == 365 * DAY
        assert clock.in_doubt(connection, at) == ()
        assert behind(connection).latest(at) == at

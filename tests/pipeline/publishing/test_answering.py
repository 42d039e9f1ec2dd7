"""A number edited on a channel that tells it itself: the drift policy decides at once."""

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.domain import drift
from app.domain.errors import NotOpen
from app.domain.instants import SECOND, iso, now
from app.pipeline.configuring.revising import relist
from app.pipeline.publish import Publisher
from app.pipeline.publishing import disputes
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.tables import channels, incidents, ledger, listings, publications
from app.store.watching import drifts
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.test_channels_that_sell import ITEM, PLACE, is_right, trade

__all__ = ["trade"]

sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def policy(shop, word: str) -> None:
    with writing(shop.engine) as connection:
        connection.execute(channels.update().values(drift=word))
        channel_store.touch(connection, now())


def asked(shop) -> list[str]:
    query = sa.select(incidents.c.message).where(
        incidents.c.kind == "drift", incidents.c.closed_at.is_(None)
    )
    with shop.engine.connect() as connection:
        return list(connection.execute(query).scalars())


def believed(shop) -> dict[str, int]:
    """What we believe each listing to show."""
    query = sa.select(listings.c.external_id, publications.c.believed).join(
        publications, publications.c.listing_id == listings.c.id
    )
    with shop.engine.connect() as connection:
        return dict(connection.execute(query).all())


def drifted(shop, **wanted) -> list:
    with shop.engine.connect() as connection:
        return list(drifts.page(connection, limit=20, channel="web", **wanted))


def decide(shop, take: str) -> None:
    [one] = drifted(shop, state="open")
    disputes.decide(shop.engine, one["id"], take, actor="ada", now=now())


class Store:
    """A store that takes pushes and tells what it shows, but cannot be read."""

    def __init__(self, shop, channel, settings) -> None:
        self.shop, self.channel = shop, channel
        quick = replace(settings, retry_base_seconds=0.01)
        self.publisher = Publisher(shop.engine, shop.vault, quick)
        self.work()

    def work(self) -> list[int]:
        """Push what is due, graces over; all numbers pushed so far."""
        with writing(self.shop.engine) as connection:
            connection.execute(publications.update().values(next_attempt_at=0))
        while self.publisher.push_due("web"):
            pass
        return [row["available"] for row in self.channel.rows]

    def tells(
        self, number: int, at: int | None = None, item: str = "jacket-1"
    ) -> list[int]:
        line = {"id": "1", "sku": item, "quantity": number}
        told = {"type": "observation", "occurred_at": iso(at or now())}
        self.shop.tell("web", told | {"lines": [line]})
        return self.work()


@pytest.fixture
def store(web, channel, settings) -> Store:
    return Store(web, channel, settings)


@sqlite
def test_ours_is_published_three_times_a_day_then_a_person_is_asked(store):
    for times in (1, 2, 3):
        assert store.tells(9) == [5] * (times + 1)
        assert asked(store.shop) == []
    assert store.tells(9) == [5] * 5, "the smaller is published once more"
    [message] = asked(store.shop)
    assert "shows 9" in message
    assert "ours is 5" in message

    assert store.tells(9) == [5] * 5, "whoever raises it does not stop"
    [message] = asked(store.shop)
    assert "4 units more than there are may be sold" in message
    done = [one["done"] for one in drifted(store.shop)]
    assert done == [drift.WAIT] * 2 + [drift.PUBLISH] * 3
    # What is sold elsewhere is told all the same.
    store.shop.tell("till", sale("T", JACKET, 1, at=now()))
    assert store.work() == [5] * 5 + [4]
    decide(store.shop, "ours")
    assert asked(store.shop) == []
    assert store.shop.level(JACKET) == {"available": 4}


@sqlite
@pytest.mark.parametrize(("told", "pushed"), [(0, [5]), (50, [5, 5])])
def test_what_is_not_plausible_is_not_published_over(store, told, pushed):
    assert store.tells(told) == pushed, "the smaller"
    [message] = asked(store.shop)
    assert f"shows {told} " in message

    assert store.tells(4) == pushed
    [message] = asked(store.shop)
    assert "shows 4 " in message, "who was asked decides"


@sqlite
@pytest.mark.parametrize(("told", "pushed", "waiting"), [(4, [5], 1), (6, [5, 5], 0)])
def test_a_sale_that_waits_for_a_name_is_not_published_over(
    store, told, pushed, waiting
):
    store.shop.tell("web", sale("W-1", "no-such-item", 1, at=now()))

    assert store.tells(told) == pushed, "the smaller"

    assert len(asked(store.shop)) == waiting


@sqlite
def test_its_own_sale_explains_nothing_left(store):
    sold_at = now()
    assert store.tells(0) == [5]
    assert len(asked(store.shop)) == 1

    store.shop.tell("web", sale("W-1", "jacket-1", 5, at=sold_at))

    assert store.work() == [5], "it shows 0 already"
    assert asked(store.shop) == []


@sqlite
def test_the_smaller_number_is_shown_until_somebody_decides(store):
    policy(store.shop, drift.ASK)
    assert store.tells(2) == [5], "nothing is published over less"
    assert len(asked(store.shop)) == 1

    store.shop.tell("till", sale("T", JACKET, 1, at=now()))
    assert store.work() == [5, 1], "both numbers sell one fewer"
    assert store.tells(1) == [5, 1], "its echo"
    assert len(drifted(store.shop)) == 1

    decide(store.shop, "ours")
    assert store.work() == [5, 1, 4]
    assert asked(store.shop) == []
    with pytest.raises(NotOpen):
        disputes.decide(store.shop.engine, 1, disputes.OURS, actor="ada", now=now())


@sqlite
def test_theirs_is_taken_by_an_adjustment_of_the_difference(store):
    policy(store.shop, drift.ASK)
    assert store.tells(9) == [5, 5], "the smaller is ours"
    store.shop.tell("till", sale("T", JACKET, 1, at=now()))
    assert store.work() == [5, 5, 4]

    decide(store.shop, "theirs")

    assert store.work() == [5, 5, 4, 8]
    assert store.shop.level(JACKET) == {"available": 8}
    assert asked(store.shop) == []


@sqlite
@pytest.mark.parametrize("word", [drift.ASK, drift.ADOPT])
def test_what_its_own_sale_explains_asks_nobody(store, word):
    policy(store.shop, word)
    sold_at = now()
    store.shop.tell("web", sale("W-1", "jacket-1", 1, at=sold_at))
    assert store.tells(4) == [5]
    assert (drifted(store.shop), asked(store.shop)) == ([], [])


@sqlite
def test_a_listing_may_say_otherwise_than_its_channel(store):
    told = {"channel": "web", "sku": JACKET, "external_id": "jacket-1"}
    relist(store.shop.engine, told | {"policy": {"drift": drift.ASK}}, now=now())
    assert store.tells(4) == [5]
    assert len(asked(store.shop)) == 1

    policy(store.shop, drift.ASK)
    own = {"policy": {"drift": drift.OVERRIDE}}
    relist(store.shop.engine, told | own, now=now())
    decide(store.shop, "ours")
    assert store.work() == [5, 5]
    assert store.tells(6) == [5, 5, 5]
    assert asked(store.shop) == []


@sqlite
def test_nobody_is_asked_about_an_item_that_is_another_sku_now(store):
    policy(store.shop, drift.ASK)
    store.tells(2)
    assert len(asked(store.shop)) == 1

    store.shop.listing("web", "RED-SCARF", "jacket-1")

    assert asked(store.shop) == []


@sqlite
def test_what_one_listing_shows_says_nothing_of_another_of_its_sku(store, channel):
    store.shop.listing("web", JACKET, "jacket-2")

    store.tells(5)

    assert channel.shows() == {"jacket-1": 5, "jacket-2": 5}
    assert store.tells(9) == [5, 5, 5], "the edited one is told anew, the other is not"


@sqlite
def test_what_is_sold_by_one_listing_changed_no_other_of_its_sku(store):
    """The channel lowered the one number itself, and shows the other until it is told."""
    policy(store.shop, drift.ASK)
    store.shop.listing("web", JACKET, "jacket-2")
    store.work()

    store.shop.tell("web", sale("W-1", "jacket-1", 1, at=now()))
    assert believed(store.shop) == {"jacket-1": 4, "jacket-2": 5}
    store.tells(5, item="jacket-2")

    assert asked(store.shop) == []
    assert store.channel.shows() == {"jacket-1": 4, "jacket-2": 4}


@sqlite
def test_what_is_sold_by_our_sku_may_be_any_of_its_listings(store):
    store.shop.listing("web", JACKET, "jacket-2")
    store.work()

    store.shop.tell("web", sale("W-1", JACKET, 1, at=now()))

    assert believed(store.shop) == {"jacket-1": 4, "jacket-2": 4}


@sqlite
def test_a_number_told_of_our_sku_is_that_of_all_its_listings(store):
    store.shop.listing("web", JACKET, "jacket-2")
    assert store.work() == [5, 5]

    assert store.tells(9, item=JACKET) == [5, 5, 5, 5]


@sqlite
def test_a_sale_told_too_late_ends_the_question(store):
    """A channel whose orders cannot be read is asked about, and nothing is adopted."""
    policy(store.shop, drift.ADOPT)
    sold_at = now()
    assert store.tells(3) == [5]
    [one] = drifted(store.shop, state="open")
    assert (one["cause"], one["done"]) == (drift.UNKNOWN, drift.WAIT)

    store.shop.tell("web", sale("W-1", "jacket-1", 2, at=sold_at))

    assert drifted(store.shop, state="open") == []
    assert store.work() == [5], "it shows 3 already"
    assert asked(store.shop) == []
    assert store.shop.level(JACKET) == {"available": 3}


# -- channels whose numbers and orders are read ---------------------------------------


def edit(trade, number: int) -> None:
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=number)


def age(trade) -> None:
    """Nobody waits in a test until its orders had the time to explain a number."""
    with writing(trade.shop.engine) as connection:
        connection.execute(
            publications.update()
            .where(publications.c.doubt_at.is_not(None))
            .values(doubt_at=publications.c.doubt_at - 20 * SECOND, next_attempt_at=0)
        )
    trade.work()


def is_known(trade, done: str) -> bool:
    age(trade)
    return bool([one for one in drifted(trade.shop) if one["done"] == done])


@sqlite
def test_an_edit_is_adopted_at_once(trade, eventually):
    trade.settle(eventually, 5)
    time.sleep(1.1)  # Square's clock tells seconds apart
    policy(trade.shop, drift.ADOPT)
    edit(trade, 8)

    eventually(lambda: is_known(trade, drift.TAKE))
    trade.settle(eventually, 8)

    assert trade.shop.level(JACKET) == {"available": 8}
    query = sa.select(ledger.c.actor).order_by(ledger.c.id.desc()).limit(1)
    with trade.shop.engine.connect() as connection:
        assert connection.execute(query).scalar() == "web"
    assert asked(trade.shop) == []
    assert is_right(trade)


@sqlite
def test_an_edit_of_two_listings_of_one_stock_is_adopted_once(trade, eventually):
    twin = "808950811"
    trade.sandbox.items[twin] = replace(trade.sandbox.items[ITEM], id=twin)
    trade.shop.listing("web", JACKET, twin)
    trade.sandbox.stock[twin] = {PLACE: 5}
    eventually(lambda: trade.work() or believed(trade.shop) == {ITEM: 5, twin: 5})
    time.sleep(1.1)
    policy(trade.shop, drift.ADOPT)
    for item in (ITEM, twin):
        control(trade.url, "edit", item=item, place=PLACE, quantity=8)

    eventually(lambda: is_known(trade, drift.TAKE))
    eventually(lambda: age(trade) or believed(trade.shop) == {ITEM: 8, twin: 8})

    assert trade.shop.level(JACKET) == {"available": 8}
    assert is_right(trade)


@sqlite
@pytest.mark.parametrize("word", drift.POLICIES)
def test_nothing_left_waits_for_a_person(trade, eventually, word):
    trade.settle(eventually, 5)
    time.sleep(1.1)
    policy(trade.shop, word)
    edit(trade, 0)

    eventually(lambda: is_known(trade, drift.WAIT))
    assert trade.shows() == 0
    [message] = asked(trade.shop)
    assert "shows 0" in message
    assert trade.shop.level(JACKET) == {"available": 5}

    edit(trade, 2)
    eventually(lambda: age(trade) or "shows 2" in asked(trade.shop)[0])
    assert trade.shows() == 2, "the newer edit counts"
    decide(trade.shop, "ours")
    trade.settle(eventually, 5)
    assert asked(trade.shop) == []

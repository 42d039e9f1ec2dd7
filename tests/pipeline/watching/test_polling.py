"""Webhooks get lost: what they would have told is asked for, and told once."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from adapters.base import Change
from adapters.sandbox.shopify_admin import Bucket
from adapters.shopify import Shopify
from app.domain.errors import GiveUp, RetryLater
from app.domain.instants import HOUR, MINUTE, SECOND, now
from app.pipeline.publishing import rounds
from app.pipeline.publishing.reading import Readings
from app.pipeline.publishing.rounds import Round
from app.pipeline.repairing.recovering import poll_from
from app.pipeline.watching import polling
from app.pipeline.watching.polling import OVERLAP, Poller
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.tables import channels, inbox, ledger
from app.store.watching import watchlist
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.test_channels_that_sell import (
    ITEM,
    PLACE,
    Trade,
    is_right,
    sell,
    trade,
)

__all__ = ["trade"]


@pytest.fixture
def poller(trade, settings) -> Poller:
    trade.shop.deaf = True
    return worker(trade, settings)


def worker(trade: Trade, settings) -> Poller:
    return Poller(trade.shop.engine, trade.shop.vault, settings, trade.fetcher.lease)


def told(trade: Trade) -> sa.RowMapping:
    with trade.shop.engine.connect() as connection:
        return channel_store.row(connection, "web")


def change(trade: Trade, **values) -> None:
    with writing(trade.shop.engine) as connection:
        connection.execute(
            channels.update().where(channels.c.key == "web").values(**values)
        )


def count(trade: Trade, table: sa.Table) -> int:
    with trade.shop.engine.connect() as connection:
        query = sa.select(sa.func.count()).select_from(table)
        return connection.execute(query).scalar_one()


def problems(trade: Trade, kind: str = polling.UNPOLLED) -> list[str]:
    with trade.shop.engine.connect() as connection:
        return [
            row["message"]
            for row in watchlist.page(connection, limit=50, is_open=True)
            if row["kind"] == kind
        ]


def test_a_sale_nobody_told_of_is_found_and_counted_once(trade, poller, eventually):
    trade.settle(eventually, 5)
    sell(trade, 2, shipped=True, place=PLACE)

    assert poller.poll_due("web").stored == 1
    trade.work()

    assert trade.shop.level(JACKET) == {"available": 3}
    before = count(trade, inbox), count(trade, ledger)
    change(trade, poll_due_at=0)
    poller.poll_due("web")
    trade.work()
    assert (count(trade, inbox), count(trade, ledger)) == before
    trade.settle(eventually, 3)
    assert is_right(trade)


def test_cancellations_and_returns_are_found_too(trade, poller, eventually):
    trade.settle(eventually, 5)
    open_order = sell(trade, 1, place=PLACE)
    gone = sell(trade, 2, shipped=True, place=PLACE)
    poller.poll_due("web")
    trade.work()
    assert trade.shop.level(JACKET) == {"available": 2, "committed": 1}

    control(trade.url, "cancel", order=open_order["order"], restock=True)
    line = gone["lines"][0]
    control(
        *(trade.url, "refund"), order=gone["order"], line=line, quantity=1, place=PLACE
    )
    change(trade, poll_due_at=0)
    poller.poll_due("web")
    trade.work()

    assert trade.shop.level(JACKET) == {"available": 4}
    assert is_right(trade)


def test_a_poll_that_webhooks_preceded_adds_nothing(trade, poller, eventually):
    trade.settle(eventually, 5)
    trade.shop.deaf = False
    sell(trade, 2, shipped=True, place=PLACE)
    eventually(lambda: trade.work() or trade.shop.level(JACKET) == {"available": 3})
    before = count(trade, ledger)

    assert poller.poll_due("web").stored == 1
    trade.work()

    assert count(trade, ledger) == before


def test_the_next_poll_follows_in_its_time_and_overlaps(trade, poller, settings):
    began = now()
    poller.poll_due("web")
    row = told(trade)

    assert began <= row["orders_read_at"] <= now()
    wait = int(settings.poll_seconds * SECOND)
    assert began + wait <= row["poll_due_at"] <= now() + wait
    assert poller.poll_due("web") == polling.NOTHING
    with trade.shop.engine.connect() as connection:
        assert polling.due(connection, now()) == []
        found = polling.due(connection, now() + wait)
    assert [row["key"] for row in found] == ["web"], "the till cannot be polled"
    sell(trade, place=PLACE)
    change(trade, poll_due_at=0, orders_read_at=now() + OVERLAP - MINUTE)
    assert poller.poll_due("web").stored == 1


def test_a_round_that_is_cut_off_goes_on_where_it_was(
    trade, poller, settings, monkeypatch
):
    for _ in range(4):
        sell(trade, place=PLACE)
    monkeypatch.setattr(rounds, "PORTION", 1)
    monkeypatch.setattr(rounds, "TURN_SECONDS", 0)
    change(trade, orders_read_at=now() - 3 * HOUR)
    before = told(trade)["orders_read_at"]

    assert poller.poll_due("web").more
    cut_off = told(trade)
    assert cut_off["orders_read_at"] == before, "not before everything is stored"
    assert cut_off["poll_position"] is not None
    assert cut_off["poll_due_at"] <= now()

    turns = 0
    while worker(trade, settings).poll_due("web").more:
        turns += 1
        assert turns < 9
    trade.work()

    assert trade.shop.level(JACKET) == {"available": 1, "committed": 4}
    assert told(trade)["poll_position"] is None
    assert told(trade)["orders_read_at"] == cut_off["poll_began_at"]


def look(trade: Trade) -> bool:
    with trade.shop.engine.connect() as connection:
        row = channel_store.row(connection, "web")
        adapter = trade.publisher.adapter(connection, row)
    return trade.publisher.readings.catch_up(adapter, row)


def four_are_sold(trade: Trade, eventually) -> None:
    """Unheard, half a minute apart."""
    trade.settle(eventually, 5)
    trade.shop.deaf = True
    for _ in range(4):
        sell(trade, place=PLACE)
    for ago, order in enumerate(trade.sandbox.orders.values()):
        order.updated_at -= timedelta(seconds=30 * ago)


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_a_look_that_is_cut_off_goes_on_where_it_was(trade, eventually):
    four_are_sold(trade, eventually)

    def has_looked() -> bool:
        # Points for the list and two orders.
        trade.sandbox.admin.bucket = Bucket(280, rate=0)
        try:
            return look(trade)
        except RetryLater:
            return False

    assert not has_looked()
    eventually(has_looked)

    assert trade.shop.level(JACKET) == {"available": 1, "committed": 4}
    assert told(trade)["poll_position"] is None


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_a_look_takes_turns_and_the_next_worker_goes_on(
    trade, settings, eventually, monkeypatch
):
    four_are_sold(trade, eventually)
    monkeypatch.setattr(rounds, "PORTION", 1)
    monkeypatch.setattr(rounds, "TURN_SECONDS", 0)
    opened = opening(trade, monkeypatch)

    assert not look(trade)
    assert told(trade)["poll_position"] is not None
    assert len(opened) == 1, "no more in one turn"
    trade.publisher.readings = Readings(
        trade.shop.engine, trade.shop.vault, trade.publisher.lease
    )
    monkeypatch.setattr(rounds, "TURN_SECONDS", 9)
    assert look(trade)

    assert trade.shop.level(JACKET) == {"available": 1, "committed": 4}
    assert len(opened) == 4, "nothing is read again"
    assert told(trade)["poll_position"] is None


def opening(trade: Trade, monkeypatch) -> list[str]:
    """The orders that are read from now on."""
    kind, opened = polling.adapters.get(trade.provider), list[str]()
    read = kind.opened

    def noting(self, change):
        opened.append(change.id)
        return read(self, change)

    monkeypatch.setattr(kind, "opened", noting)
    return opened


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_an_order_is_read_again_until_all_of_its_last_second_is_told(
    trade, poller, monkeypatch
):
    sold = sell(trade, place=PLACE)
    [order] = trade.sandbox.orders.values()
    opened = opening(trade, monkeypatch)

    def poll() -> int:
        change(trade, poll_due_at=0)
        poller.poll_due("web")
        return len(opened)

    assert [poll(), poll()] == [1, 2], "more may have happened in its second"
    order.updated_at -= timedelta(seconds=60)
    assert [poll(), poll()] == [3, 3], "it was read long after it changed"
    control(trade.url, "cancel", order=sold["order"], restock=True)
    assert poll() == 4
    trade.work()
    assert trade.shop.level(JACKET) == {"available": 5}


def test_the_worker_that_began_a_round_goes_on_with_its_list(
    trade, poller, monkeypatch
):
    for _ in range(3):
        sell(trade, place=PLACE)
    monkeypatch.setattr(rounds, "PORTION", 1)
    monkeypatch.setattr(rounds, "TURN_SECONDS", 0)
    asked = []
    begin = Round.__init__
    monkeypatch.setattr(Round, "__init__", lambda *a: asked.append(1) or begin(*a))

    while poller.poll_due("web").more:
        pass

    assert asked == [1]


def test_a_channel_that_does_not_answer_is_asked_again_later(trade, poller):
    sell(trade, place=PLACE)
    control(trade.url, "weather", status=503)

    assert poller.poll_due("web") == polling.NOTHING
    row = told(trade)
    assert row["poll_due_at"] > now() - SECOND
    assert row["reads_failed"] == 1
    assert row["orders_read_at"] is None

    control(trade.url, "weather")
    change(trade, poll_due_at=0)
    assert poller.poll_due("web").stored == 1
    assert told(trade)["reads_failed"] == 0


def test_one_that_does_not_answer_for_long_is_told(trade, poller, settings):
    control(trade.url, "weather", status=503)
    for _ in range(settings.circuit_failures):
        assert problems(trade) == []
        change(trade, poll_due_at=0)
        poller.poll_due("web")

    assert "It is tried again by itself" in problems(trade)[0]
    control(trade.url, "weather")
    change(trade, poll_due_at=0, reads_held_until=None)
    poller.poll_due("web")
    assert problems(trade) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (GiveUp("it has 100 fulfillments"), "it has 100 fulfillments"),
        (KeyError("oops"), "our adapter failed (KeyError)"),
    ],
    ids=["given up", "failed"],
)
@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_an_order_that_cannot_be_read_keeps_no_later_one_from_being_read(
    trade, poller, eventually, monkeypatch, error, said
):
    trade.settle(eventually, 5)
    orders = [sell(trade, 1, shipped=True, place=PLACE)["order"] for _ in range(3)]
    really_opened = Shopify.opened

    def opened(self, change):
        if change.id == str(orders[1]):
            raise error
        return really_opened(self, change)

    monkeypatch.setattr(Shopify, "opened", opened)
    poller.poll_due("web")
    trade.work()

    assert trade.shop.level(JACKET) == {"available": 3}
    assert said in problems(trade)[0]

    monkeypatch.undo()
    change(trade, poll_due_at=0)
    poller.poll_due("web")
    trade.work()

    assert trade.shop.level(JACKET) == {"available": 2}
    assert problems(trade) == []


def test_a_database_that_fails_gives_up_no_request(trade, poller, monkeypatch):
    with writing(trade.shop.engine) as connection:
        poll_from(connection, now() - HOUR)

    def away(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("gone away"))

    monkeypatch.setattr(Poller, "_finish", away)
    with pytest.raises(sa.exc.OperationalError):
        poller.poll_due("web")

    assert told(trade)["poll_from"] is not None
    assert problems(trade) == []


def test_a_provider_that_is_gone_stops_nobody_elses_polls(trade, poller):
    with writing(trade.shop.engine) as connection:
        connection.execute(
            channels.update().where(channels.c.key == "till").values(provider="x")
        )
        found = polling.due(connection, now())

    assert [row["key"] for row in found] == ["web"]


def test_refused_credentials_are_told_and_stop_no_publishing(trade, poller):
    good = told(trade)["secrets"]
    bad = {"webhook": ["hush"], "access_token": ["another"]}
    change(trade, secrets=trade.shop.vault.seal_json(bad))

    poller.poll_due("web")

    [words] = problems(trade)
    assert "a webhook that gets lost stays lost" in words
    assert told(trade)["paused_at"] is None
    assert told(trade)["poll_due_at"] > now()

    change(trade, secrets=good, poll_due_at=0)
    poller.poll_due("web")
    assert problems(trade) == []


@pytest.mark.parametrize("trade", ["square"], indirect=True)
def test_what_could_not_be_fetched_for_its_credentials_is_when_resumed(
    trade, eventually
):
    control(trade.url, "weather", status=401)
    sell(trade, 2)
    eventually(lambda: trade.work() or told(trade)["paused_reason"])
    control(trade.url, "weather")

    with writing(trade.shop.engine) as connection:
        channel_store.resume(connection, "web", now())

    eventually(lambda: trade.work() or trade.shop.level(JACKET)["available"] == 3)


@pytest.mark.parametrize("publish", [None, "{}"], ids=["listens", "publishes"])
@pytest.mark.parametrize("trade", ["square"], indirect=True)
def test_refused_credentials_are_over_once_new_ones_work(trade, eventually, publish):
    trade.settle(eventually, 5)
    change(trade, publish=publish)
    control(trade.url, "weather", status=401)
    sell(trade, 2)
    eventually(lambda: trade.work() or told(trade)["paused_reason"])
    assert len(problems(trade, "channel")) == 1
    control(trade.url, "weather")

    with writing(trade.shop.engine) as connection:
        channel_store.resume(connection, "web", now())
    eventually(lambda: trade.work() or trade.shop.level(JACKET)["available"] == 3)
    sell(trade)
    eventually(lambda: trade.work() or trade.shop.level(JACKET)["available"] == 2)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    eventually(lambda: trade.work() or problems(trade, "channel") == [])


def test_an_adapter_that_fails_is_told_and_ends_no_worker(trade, poller, monkeypatch):
    def broken(self, since):
        yield Change("x", {})
        raise KeyError("oops")

    kind = polling.adapters.get(trade.provider)
    monkeypatch.setattr(kind, "changes", broken)

    assert not poller.poll_due("web").more

    assert "our adapter failed (KeyError)" in problems(trade)[0]
    assert told(trade)["poll_due_at"] > now()


@pytest.mark.parametrize(
    ("values", "is_polled"),
    [
        ({"paused_at": 1, "paused_reason": "by hand"}, True),
        ({"paused_at": 1, "paused_reason": "credentials refused"}, False),
        ({"disconnected_at": 1}, False),
        ({"reads_held_until": now() + HOUR}, False),
        ({"tripped_at": 1, "held_until": now() + HOUR}, True),
    ],
)
def test_what_is_polled_is_what_can_answer(trade, poller, values, is_polled):
    sell(trade, place=PLACE)
    change(trade, **values)

    assert (poller.poll_due("web").stored == 1) == is_polled


def test_after_a_pause_or_a_disconnection_it_is_polled_at_once(trade, poller):
    poller.poll_due("web")
    change(trade, disconnected_at=1)
    with writing(trade.shop.engine) as connection:
        channel_store.pause(connection, "web", "by hand", now())
        channel_store.resume(connection, "web", now())

    sell(trade, place=PLACE)
    assert poller.poll_due("web").stored == 1


def test_after_its_circuit_closed_it_is_polled_at_once(
    trade, poller, settings, eventually
):
    trade.settle(eventually, 5)
    poller.poll_due("web")
    change(trade, tripped_at=1, failures=5)
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=5)
    trade.shop.count(JACKET, "downtown", 4, at=now() - MINUTE)
    sold = sell(trade, place=PLACE)

    eventually(lambda: trade.publisher.push_due("web") or not told(trade)["tripped_at"])

    assert poller.poll_due("web").stored == 1, sold


def test_all_that_changed_since_a_time_is_read_on_request(trade, poller):
    sell(trade, place=PLACE)
    poller.poll_due("web")
    change(trade, orders_read_at=now() + HOUR)
    with writing(trade.shop.engine) as connection:
        keys = poll_from(connection, now() - HOUR)

    assert keys == ["web"], "the till cannot be asked"
    assert poller.poll_due("web").stored == 1
    assert told(trade)["poll_from"] is None
    assert told(trade)["orders_read_at"] > now(), "never back"


def test_a_request_is_not_lost_in_a_round_that_is_under_way(trade, poller, monkeypatch):
    sell(trade, place=PLACE)
    finish = Poller._finish

    def asked_meanwhile(self, *given):
        with writing(trade.shop.engine) as connection:
            poll_from(connection, now() - HOUR)
        finish(self, *given)

    monkeypatch.setattr(Poller, "_finish", asked_meanwhile)
    poller.poll_due("web")

    assert told(trade)["poll_from"] is not None
    assert told(trade)["poll_due_at"] == 0
    monkeypatch.setattr(Poller, "_finish", finish)
    assert poller.poll_due("web").stored == 1
    assert told(trade)["poll_from"] is None


def test_how_often_is_a_setting(trade, settings):
    often = worker(trade, replace(settings, poll_seconds=1))
    often.poll_due("web")

    assert told(trade)["poll_due_at"] <= now() + SECOND

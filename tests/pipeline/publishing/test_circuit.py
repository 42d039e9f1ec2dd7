"""A channel in trouble is held, probed with one push, and resumed with newest numbers."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

import adapters
from app.domain.errors import CredentialsRefused
from app.domain.instants import SECOND, now
from app.pipeline.fetching import Fetcher
from app.pipeline.publish import Publisher
from app.pipeline.publishing import circuit
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.publishing import deliveries, retries
from app.store.publishing.deliveries import Filter
from app.store.tables import channels, inbox, publications, push_attempts
from app.store.watching import watchlist
from tests.builders import JACKET, Shop, sale
from tests.pipeline.test_clock import mine
from workers import scheduled

__all__ = ["mine"]

SCARF = "RED-SCARF"


@pytest.fixture
def quick(settings):
    return replace(
        settings,
        push_deadline_seconds=1,
        retry_base_seconds=0.01,
        retry_cap_seconds=0.01,
        retry_floor_seconds=0,
        circuit_failures=3,
    )


@pytest.fixture
def publisher(web, quick) -> Publisher:
    web.listing("web", SCARF, "scarf-1")
    return Publisher(web.engine, web.vault, quick)


def told(shop: Shop, key: str = "web") -> sa.RowMapping:
    with shop.engine.connect() as connection:
        return channel_store.row(connection, key)


def rows(shop: Shop) -> list[sa.RowMapping]:
    with shop.engine.connect() as connection:
        query = sa.select(publications).order_by(publications.c.id)
        return list(connection.execute(query).mappings())


def states(shop: Shop) -> set[str]:
    with shop.engine.connect() as connection:
        found = deliveries.page(connection, Filter(), now=now(), limit=100)
        return {row["state"] for row in found}


def open_incidents(shop: Shop) -> list[str]:
    with shop.engine.connect() as connection:
        return [
            row["message"] for row in watchlist.page(connection, limit=50, is_open=True)
        ]


def let_time_pass(shop: Shop) -> None:
    """The hold is over, and what waits to be tried again is due, in the same order."""
    with writing(shop.engine) as connection:
        connection.execute(channels.update().values(held_until=now() - 1))
        earlier = publications.c.next_attempt_at - SECOND
        connection.execute(
            publications.update()
            .where(publications.c.next_attempt_at > SECOND)
            .values(next_attempt_at=earlier)
        )


def fail_until_held(shop: Shop, publisher: Publisher) -> None:
    for _ in range(100):
        if told(shop)["tripped_at"] is not None:
            return
        publisher.push_due("web")
    raise AssertionError("never held")


def test_failures_in_a_row_hold_the_channel_and_say_why(web, publisher, channel):
    channel.status = 503
    fail_until_held(web, publisher)

    held = told(web)
    assert held["failures"] == 3
    assert held["held_until"] > now() + 20 * SECOND
    assert "3 calls in a row failed" in held["held_reason"]
    assert "503" in held["held_reason"]
    assert states(web) == {"held"}
    assert len(open_incidents(web)) == 1
    assert "web is held" in open_incidents(web)[0]


def test_what_is_held_is_not_sent_not_discarded_and_costs_no_attempt(
    web, publisher, channel
):
    channel.status = 503
    fail_until_held(web, publisher)
    before, calls = rows(web), len(channel.ids)

    web.tell("till", sale("T", JACKET, 1, at=now()))
    assert not publisher.push_due("web")

    assert len(channel.ids) == calls
    assert [row["attempts"] for row in rows(web)] == [r["attempts"] for r in before]
    assert all(row["failed_at"] is row["discarded_at"] is None for row in rows(web))


def test_a_probe_is_one_push_that_costs_no_attempt_and_doubles_the_hold(
    web, publisher, channel
):
    channel.status = 503
    fail_until_held(web, publisher)
    before, calls = rows(web), len(channel.ids)

    for probes in (1, 2):
        let_time_pass(web)
        publisher.push_due("web")

        assert len(channel.ids) == calls + probes
        assert told(web)["probes"] == probes
        assert told(web)["held_until"] > now() + 25 * 2**probes * SECOND
    assert [row["attempts"] for row in rows(web)] == [r["attempts"] for r in before]
    with web.engine.connect() as connection:
        last = sa.select(push_attempts).order_by(push_attempts.c.id.desc())
        tried = connection.execute(last).mappings().first()
    assert "probe" in tried["delay_reason"]
    assert tried["error_class"] == "unavailable"


def test_a_probe_that_works_resumes_with_the_newest_numbers(web, publisher, channel):
    channel.status = 503
    fail_until_held(web, publisher)
    for number in range(3):
        web.tell("till", sale(f"T-{number}", JACKET, 1, at=now()))
    channel.status = 200

    let_time_pass(web)
    publisher.push_due("web")
    assert len(channel.rows) == 1, "a probe is one number"
    assert told(web)["tripped_at"] is None

    while publisher.push_due("web"):
        pass
    assert channel.shows() == {"jacket-1": 2, "scarf-1": 0}
    assert states(web) == {"settled"}
    assert open_incidents(web) == []
    assert told(web)["held_reason"] is None


def test_it_is_still_held_after_a_restart(web, publisher, channel, quick):
    channel.status = 503
    fail_until_held(web, publisher)
    calls = len(channel.ids)

    assert not Publisher(web.engine, web.vault, quick).push_due("web")
    assert len(channel.ids) == calls


def test_what_was_held_could_be_sent_since_the_hold_was_over(web, publisher, channel):
    channel.status = 503
    fail_until_held(web, publisher)
    assert told(web)["free_since"] is None, "a short wait is nothing special"
    while told(web)["probes"] < 2:
        let_time_pass(web)
        publisher.push_due("web")
    over = told(web)["held_until"]
    with writing(web.engine) as connection:
        connection.execute(publications.update().values(next_attempt_at=0))
    let_time_pass(web)
    channel.status = 200
    publisher.push_due("web")

    with web.engine.connect() as connection:
        assert deliveries.oldest_due(connection, over) == over


def test_a_person_closes_it_at_once(web, publisher, channel):
    channel.status = 503
    fail_until_held(web, publisher)
    channel.status = 200

    with writing(web.engine) as connection:
        channel_store.resume(connection, "web", now())
    while publisher.push_due("web"):
        pass

    assert channel.shows() == {"jacket-1": 5, "scarf-1": 0}


def test_an_answer_in_between_starts_the_count_anew(web, publisher, channel):
    for _ in range(3):
        channel.status = 503
        publisher.push_due("web")
        with writing(web.engine) as connection:
            channel_store.resume(connection, "web", now())
        channel.status = 200
        web.tell("till", sale(f"T-{now()}", JACKET, 1, at=now()))
        while publisher.push_due("web"):
            pass
    assert told(web)["failures"] == 0
    assert told(web)["tripped_at"] is None


def test_a_row_that_the_channel_chokes_on_does_not_hold_the_others_for_ever(
    web, quick, channel
):
    for number in range(6):
        web.sku(f"SKU-{number}")
        web.listing("web", f"SKU-{number}", f"item-{number}")
    channel.chokes_on = {"item-3"}
    publisher = Publisher(web.engine, web.vault, quick)

    for _ in range(400):
        let_time_pass(web)
        publisher.push_due("web")

    dead = [row for row in rows(web) if row["failed_at"] is not None]
    assert len(dead) <= 1
    good = {"jacket-1", *(f"item-{n}" for n in range(6))} - channel.chokes_on
    assert set(channel.shows()) == good


def test_a_refusal_of_the_whole_call_is_no_trouble_of_the_channel(
    web, publisher, channel
):
    channel.status = 422
    for _ in range(5):
        publisher.push_due("web")
    assert told(web)["tripped_at"] is None
    assert {row["error_class"] for row in rows(web)} == {"GiveUp"}


def test_a_channel_that_refuses_a_probe_is_held_no_longer(
    web, publisher, channel, eventually
):
    channel.status = 503
    fail_until_held(web, publisher)
    assert len(open_incidents(web)) == 1

    let_time_pass(web)
    channel.status = 422
    eventually(lambda: publisher.push_due("web"))

    assert told(web)["tripped_at"] is None
    assert open_incidents(web) == []


@pytest.mark.parametrize("times", [3, 4], ids=["failing", "held"])
def test_a_channel_that_nothing_is_left_to_be_sent_to_is_held_no_longer(
    web, publisher, channel, quick, mine, times
):
    channel.status = 503
    publisher = Publisher(web.engine, web.vault, replace(quick, circuit_failures=4))
    while told(web)["failures"] < times:
        publisher.push_due("web")
    circuit.rest(web.engine, now())
    assert told(web)["failures"] == times, "its number waits"

    with writing(web.engine) as connection:
        retries.discard(connection, [row["id"] for row in rows(web)], now())
    circuit.rest(web.engine, now())
    assert (told(web)["tripped_at"] is None) == (times == 3), "it is held for a while"
    let_time_pass(web)
    scheduled.sweep(mine)

    assert (told(web)["failures"], told(web)["tripped_at"]) == (0, None)
    assert open_incidents(web) == []


def test_a_dead_letter_is_left_to_be_sent(web, publisher, channel):
    channel.status = 503
    fail_until_held(web, publisher)
    with writing(web.engine) as connection:
        connection.execute(publications.update().values(failed_at=now()))
    let_time_pass(web)

    circuit.rest(web.engine, now())

    assert told(web)["tripped_at"] is not None


@pytest.fixture
def till(empty_shop, channel) -> Shop:
    """A Square till with eight webhooks that only point at an order."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel(
        "till",
        provider="square",
        mapped={"downtown": "L1"},
        secrets={"webhook": ["key"], "access_token": ["token"]},
        base_url=channel.url.removesuffix("/stock"),
    )
    with writing(shop.engine) as connection:
        for number in range(8):
            connection.execute(
                inbox.insert().values(
                    channel_id=1,
                    delivery_id=f"d{number}",
                    body_hash=f"h{number}",
                    received_at=now(),
                    state="waiting",
                    lane="fetch",
                    topic="order.updated",
                    document="{}",
                    headers="{}",
                    wants=json.dumps({"what": "order", "id": f"O{number}"}),
                )
            )
    return shop


def test_a_read_refused_for_credentials_that_were_replaced_pauses_nothing(
    till, quick, monkeypatch
):
    def refused(*_: object) -> None:
        with writing(till.engine) as connection:
            new = till.vault, "till", "access_token", "new"
            channel_store.add_secret(connection, *new, now())
            channel_store.resume(connection, "till", now())
        raise CredentialsRefused("401")

    monkeypatch.setattr(adapters.get("square"), "fetch", refused)

    Fetcher(till.engine, till.vault, quick).fetch_due("till")

    with till.engine.connect() as connection:
        assert channel_store.row(connection, "till")["paused_at"] is None
        waits = connection.scalars(sa.select(inbox.c.next_attempt_at)).all()
    assert set(waits) == {0}, "they are read with the new ones at once"
    assert open_incidents(till) == []


def test_a_message_that_its_adapter_fails_on_is_buried_and_no_other(
    till, quick, monkeypatch
):
    def fetch(self, message, read):
        if read.id == "O2":
            raise KeyError("oops")
        return {}

    monkeypatch.setattr(adapters.get("square"), "fetch", fetch)
    assert Fetcher(till.engine, till.vault, quick).fetch_due("till") == 8

    with till.engine.connect() as connection:
        query = sa.select(inbox.c.delivery_id, inbox.c.error)
        buried = connection.execute(query.where(inbox.c.state == "buried")).all()
    assert buried == [("d2", "our adapter failed (KeyError)")]


def test_reads_that_fail_hold_reading_and_not_publishing(till, quick, channel):
    channel.status = 503
    fetcher = Fetcher(till.engine, till.vault, quick)
    for _ in range(10):
        fetcher.fetch_due("till")

    assert told(till, "till")["reads_held_until"] > now() + 20 * SECOND
    assert told(till, "till")["tripped_at"] is None
    with till.engine.connect() as connection:
        tries = connection.execute(sa.select(inbox.c.attempts)).scalars().all()
        waiting = connection.execute(sa.select(inbox.c.state)).scalars().all()
    assert sum(tries) == 2, "the third in a row held the lane and cost nothing"
    assert set(waiting) == {"waiting"}


# -- a call budget --------------------------------------------------------------------


def test_a_budget_that_is_used_up_holds_the_channel_until_it_is_whole(
    web, publisher, channel
):
    channel.headers = {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "40",
    }
    publisher.push_due("web")
    assert len(channel.ids) == 1

    web.tell("till", sale("T", JACKET, 1, at=now()))
    assert not publisher.push_due("web")

    assert len(channel.ids) == 1
    assert states(web) == {"held", "settled"}
    assert "call budget is used up: 0 of 10 left" in told(web)["held_reason"]
    assert 30 * SECOND < told(web)["held_until"] - now() <= 40 * SECOND
    assert told(web)["failures"] == 0, "it is no failure"


def test_a_budget_is_known_after_a_restart(web, publisher, channel, quick):
    channel.headers = {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "40",
    }
    publisher.push_due("web")
    publisher.release("web")
    web.tell("till", sale("T", JACKET, 1, at=now()))

    Publisher(web.engine, web.vault, quick).push_due("web")

    assert len(channel.ids) == 1


def test_a_short_wait_for_a_budget_is_waited_for(web, publisher, channel):
    channel.headers = {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "0.4",
    }
    publisher.push_due("web")
    web.tell("till", sale("T", JACKET, 1, at=now()))

    assert publisher.push_due("web")
    assert channel.shows()["jacket-1"] == 4
    assert told(web)["held_until"] is None

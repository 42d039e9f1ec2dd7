"""Pushing numbers to a channel that listens, over real HTTP."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

import adapters
from app.domain.instants import SECOND, iso, now
from app.pipeline.configuring.listings import publish_listings, save_listing
from app.pipeline.house import read_house
from app.pipeline.publish import Publisher
from app.pipeline.repairing.recovering import recover
from app.pipeline.repairing.redelivery import discard, retry
from app.store.configuration import channels
from app.store.engine import writing
from app.store.publishing import deliveries, tallies
from app.store.publishing.deliveries import Filter
from app.store.tables import incidents, publications, push_attempts
from tests.builders import JACKET, SECRET, Shop, sale


@pytest.fixture
def publisher(web, settings) -> Publisher:
    quick = replace(
        settings,
        push_deadline_seconds=1,
        retry_base_seconds=0.01,
        retry_cap_seconds=0.01,
        retry_limit=3,
    )
    return Publisher(web.engine, web.vault, quick)


def row(shop: Shop) -> sa.RowMapping:
    with shop.engine.connect() as connection:
        return connection.execute(sa.select(publications)).mappings().one()


def push_all(publisher: Publisher) -> None:
    while publisher.push_due("web"):
        pass


def set_row(shop: Shop, **values: Any) -> None:
    with writing(shop.engine) as connection:
        connection.execute(publications.update().values(**values))


def test_a_change_is_pushed_with_the_number_as_it_is_now(web, publisher, channel):
    for number in range(3):
        web.tell("till", sale(f"T-{number}", JACKET, 1, at=now()))

    push_all(publisher)

    assert len(channel.pushes) == 1
    assert channel.rows[0]["available"] == 2
    assert channel.rows[0]["external_id"] == "jacket-1"
    settled = row(web)
    assert settled["accepted"] == 2
    assert settled["accepted_version"] == settled["wanted_version"]
    assert not settled["unsure"]


def test_five_four_five_delivers_the_second_five(web, publisher, channel):
    push_all(publisher)
    at = now()
    web.tell("till", sale("T", JACKET, 1, at=at))
    push_all(publisher)
    web.tell("till", dict(sale("T", JACKET, 0, at=at), version=iso(at + SECOND)))
    push_all(publisher)

    assert [row["available"] for row in channel.rows] == [5, 4, 5]


def test_versions_go_on_above_those_that_nobody_remembers(web, publisher, channel):
    backup = dict(row(web))
    for number in range(2):
        web.tell("till", sale(f"T-{number}", JACKET, 1, at=now()))
        push_all(publisher)

    set_row(web, **backup)
    recover(web.engine, now() - SECOND, "test", now())
    push_all(publisher)
    with writing(web.engine) as connection:
        connection.execute(publications.delete())
        publish_listings(connection, read_house(connection), now())
    push_all(publisher)

    sent = [row["version"] for row in channel.rows]
    assert len(sent) == 4
    assert sent == sorted(set(sent)), "who has a higher version ignores a lower one"


def test_a_refusal_of_one_row_waits_for_a_person(web, publisher, channel):
    channel.body = {
        "results": [
            {
                "external_id": "jacket-1",
                "location": None,
                "status": "rejected",
                "reason": "no such item",
            }
        ]
    }
    push_all(publisher)
    assert row(web)["failed_at"] is not None
    assert "no such item" in row(web)["last_error"]

    web.tell("till", sale("T", JACKET, 1, at=now()))
    push_all(publisher)
    assert row(web)["failed_at"] is not None

    channel.body = None
    wanted = Filter(deliveries.FAILED, channel="web", error="refused")
    assert retry(web.engine, wanted, {}, actor="anna").matched == 1
    push_all(publisher)
    assert row(web)["accepted"] == 4


def test_a_channel_that_is_down_becomes_a_dead_letter_and_rises_again(
    web, publisher, channel, eventually
):
    channel.status = 500
    eventually(lambda: publisher.push_due("web") or row(web)["failed_at"], within=10)
    while row(web)["failed_at"] is None:
        publisher.push_due("web")
    assert row(web)["attempts"] == 3
    assert "500" in row(web)["last_error"]
    assert len(set(channel.ids)) == 1, "one webhook-id for one exact body"

    channel.status = 200
    web.tell("till", sale("T", JACKET, 1, at=now()))
    push_all(publisher)
    assert row(web)["accepted"] == 4
    assert row(web)["attempts"] == 0


REFUSED = {"external_id": "jacket-1", "location": None, "status": "rejected"}


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"results": [REFUSED]}), (401, None), (422, None), (429, None), (503, None)],
)
def test_whatever_does_not_work_is_a_failure_of_its_hour(
    web, publisher, channel, status, body
):
    channel.status, channel.body = status, body
    publisher.push_due("web")
    assert hour(web) == (0, 1)


def test_an_hour_in_which_all_was_taken_has_no_failure(web, publisher, channel):
    push_all(publisher)
    assert hour(web) == (1, 0)


def hour(web: Shop) -> tuple[int, int]:
    """What the only channel took in this hour, and what failed there."""
    with web.engine.connect() as connection:
        (found,) = tallies.hours(connection, now()).values()
    return found[-1]


def test_the_channel_says_when_to_come_back(web, publisher, channel):
    channel.status = 429
    channel.headers = {"Retry-After": "30"}
    publisher.push_due("web")

    assert row(web)["next_attempt_at"] >= now() + 29 * SECOND
    set_row(web, next_attempt_at=0)
    publisher.push_due("web")
    assert len(channel.ids) == 1, "the whole channel waits, not only the row"


def test_silence_is_retried_and_leaves_the_row_unsure(web, publisher, channel):
    channel.delay = 1.5
    publisher.push_due("web")

    assert row(web)["unsure"]
    assert "did not answer" in row(web)["last_error"]
    with web.engine.connect() as connection:
        told = channels.row(connection, "web")
    assert told["slow_until"] > now()


def test_an_adapter_that_fails_is_a_failed_call_and_stops_no_lane(
    web, publisher, channel, monkeypatch
):
    def broken(self, composed, wishes, key):
        raise KeyError("oops")

    kind = adapters.get("standard")
    with monkeypatch.context() as broke:
        broke.setattr(kind, "send", broken)
        assert publisher.push_due("web")

    assert row(web)["last_error"] == "our adapter failed (KeyError)"
    assert row(web)["attempts"] == 1
    assert row(web)["unsure"], "it may have been sent before that"
    set_row(web, next_attempt_at=0)
    push_all(publisher)
    assert channel.shows() == {"jacket-1": 5}


def test_refused_credentials_pause_the_channel_and_tell_somebody(
    web, publisher, channel
):
    channel.status = 401
    publisher.push_due("web")
    with web.engine.connect() as connection:
        told = channels.row(connection, "web")
        found = connection.execute(sa.select(incidents)).one()
    assert told["paused_reason"] == "credentials refused"
    assert "resume" in found.message
    assert row(web)["failed_at"] is None

    channel.status = 200
    with writing(web.engine) as connection:
        channels.resume(connection, "web", now())
    push_all(publisher)
    assert row(web)["accepted"] == 5


def test_a_refusal_of_credentials_that_were_replaced_pauses_nothing(
    web, publisher, channel, eventually
):
    channel.status, channel.delay = 401, 0.5
    push = threading.Thread(target=publisher.push_due, args=("web",))
    push.start()
    eventually(lambda: channel.ids)
    with writing(web.engine) as connection:
        channels.add_secret(connection, web.vault, "web", "push", SECRET, now())
        channels.resume(connection, "web", now())
    push.join(20)

    channel.status, channel.delay = 200, 0.0
    push_all(publisher)

    assert channel.shows() == {"jacket-1": 5}
    with web.engine.connect() as connection:
        assert channels.row(connection, "web")["paused_at"] is None
        assert connection.execute(sa.select(incidents)).all() == []


def test_a_paused_channel_is_held_and_resumes_with_the_newest_number(
    web, publisher, channel
):
    with writing(web.engine) as connection:
        channels.pause(connection, "web", "stocktaking", now())
    web.tell("till", sale("T", JACKET, 2, at=now()))
    push_all(publisher)
    assert channel.pushes == []

    with writing(web.engine) as connection:
        channels.resume(connection, "web", now())
    push_all(publisher)
    assert [row["available"] for row in channel.rows] == [3]


def test_what_the_channel_already_shows_is_not_sent(web, publisher, channel):
    web.tell(
        "web",
        {
            "type": "observation",
            "id": "o1",
            "occurred_at": iso(now()),
            "lines": [{"id": "1", "sku": "jacket-1", "quantity": 5}],
        },
    )
    push_all(publisher)

    assert channel.pushes == []
    assert row(web)["accepted"] == 5


def test_a_listing_remapped_while_its_channel_is_read_holds_up_no_other(
    web, publisher, channel, monkeypatch
):
    def remap(*given: Any) -> Any:
        web.listing("web", "RED-SCARF", "jacket-1")
        return given[-1]

    web.listing("web", JACKET, "jacket-2")
    monkeypatch.setattr(publisher, "_is_plain", lambda *_: False)
    monkeypatch.setattr(publisher._answerer, "answer", remap)

    assert publisher.push_due("web")

    assert channel.shows() == {"jacket-2": 5}


def test_a_listing_that_is_being_remapped_holds_up_no_other(web, publisher, channel):
    push_all(publisher)
    shown = {"observed": 5, "observed_at": now()}
    set_row(web, **shown, wanted_version=publications.c.wanted_version + 1)
    web.listing("web", JACKET, "jacket-2")

    with ThreadPoolExecutor() as pool:
        with writing(web.engine) as connection:
            save_listing(connection, "web", "RED-SCARF", "jacket-1", None)
            pushing = pool.submit(push_all, publisher)
            time.sleep(0.5)
        pushing.result()

    assert channel.shows() == {"jacket-1": 5, "jacket-2": 5}


def test_only_the_holder_of_the_lease_sends(web, publisher, channel, settings):
    other = Publisher(web.engine, web.vault, settings)
    assert other.lease("web")

    publisher.push_due("web")

    assert channel.pushes == []


def test_a_worker_that_died_in_the_middle_leaves_a_row_that_is_sent_again(
    web, publisher, channel
):
    set_row(web, unsure=True)
    with writing(web.engine) as connection:
        connection.execute(
            push_attempts.insert().values(
                channel_id=1,
                key="k",
                variables_hash="h",
                started_at=1,
                result="sending",
            )
        )
    push_all(publisher)

    assert row(web)["accepted"] == 5
    assert not row(web)["unsure"]


def test_discarding_forgets_until_stock_changes(web, publisher, channel):
    assert discard(web.engine, [row(web)["id"]]) == 1
    push_all(publisher)
    assert channel.pushes == []

    web.tell("till", sale("T", JACKET, 1, at=now()))
    push_all(publisher)
    assert channel.shows() == {"jacket-1": 4}


def test_the_secret_appears_in_no_error(web, publisher, channel):
    channel.status = 400
    channel.body = {"error": f"bad secret {SECRET}"}
    publisher.push_due("web")

    assert "400" in row(web)["last_error"]
    assert SECRET not in row(web)["last_error"]

"""People hear once that something is wrong and once that it is over."""

import sqlite3
import time
from dataclasses import replace
from unittest.mock import Mock

import pytest

from app.domain.errors import WebhookRefused
from app.domain.instants import HOUR, SECOND, now
from app.messenger import Messenger
from app.pipeline.configuring.listings import map_listing
from app.pipeline.watching import alerting
from app.pipeline.watching.alerting import SETTLED, watch
from app.pipeline.watching.polling import UNPOLLED
from app.pipeline.watching.subscribing import UNHEARD
from app.store.configuration import channels
from app.store.engine import writing
from app.store.tables import channels as channel_rows
from app.store.watching import incidents, rounds
from tests.builders import JACKET, order, sale
from tests.hearing import hearing
from workers.watching import Watch

PATIENCE = 300 * SECOND


@pytest.fixture
def listener():
    with hearing() as listener:
        yield listener


@pytest.fixture
def began():
    return now()


@pytest.fixture
def look(shop, listener, began):
    """Look for trouble at a time from then."""
    tell = Messenger([listener.url]).tell

    def look(after: int = 0) -> list[tuple[str, str]]:
        before = len(listener.heard)
        watch(shop.engine, tell, began + after, PATIENCE)
        return listener.heard[before:]

    return look


def test_an_oversell_is_told_once_and_its_end_once(shop, look):
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))

    assert look() == []
    [(title, text)] = look(SETTLED)
    assert title == "Onecount needs you"
    assert f"{JACKET}: 2 more promised or sold than there is" in text
    assert look(2 * SETTLED) == []

    shop.count(JACKET, "downtown", 5, now())
    assert look(3 * SETTLED) == []
    assert look(4 * SETTLED) == [("Onecount: recovered", text)]
    assert look(5 * SETTLED) == []


def test_a_blip_is_no_news(shop, look):
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))
    look()
    shop.count(JACKET, "downtown", 5, now())

    assert look(SETTLED) == []
    assert look(3 * SETTLED) == []


def test_what_comes_back_before_its_end_was_told_never_ended(shop, look):
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))
    look()
    assert len(look(SETTLED)) == 1
    shop.count(JACKET, "downtown", 5, now())
    look(2 * SETTLED)
    shop.tell("till", sale("T-2", JACKET, 6, at=now()))

    assert look(4 * SETTLED) == []


def test_an_unknown_name_is_told_until_it_is_known(shop, look):
    shop.tell("web", order("1", "scarf-ext", 2, at=now()))
    look()

    [(_, text)] = look(SETTLED)
    assert text == "unknown sku scarf-ext (told by web): what was told of it waits"

    shop.sku("RED-SCARF")
    shop.count("RED-SCARF", "downtown", 5)
    map_listing(shop.engine, "web", "RED-SCARF", "scarf-ext", now=now())
    look(2 * SETTLED)
    assert look(4 * SETTLED)[0][0] == "Onecount: recovered"


def test_refused_credentials_and_unreadable_webhooks_are_told(shop, look):
    with writing(shop.engine) as connection:
        channels.pause(connection, "web", "credentials refused", now())
    shop.tell("till", b"{")
    look()

    [(title, text)] = look(SETTLED)
    assert title == "Onecount needs you (2 things)"
    assert text.splitlines() == [
        "web is paused: credentials refused",
        "1 webhooks of till could not be read",
    ]


def test_refused_credentials_are_told_though_the_channel_failed_before(shop, look):
    with writing(shop.engine) as connection:
        connection.execute(channel_rows.update().values(failures=3, last_error="503"))
    look()
    assert "web takes no numbers: 503" in look(SETTLED)[0][1]
    with writing(shop.engine) as connection:
        channels.pause(connection, "web", "credentials refused", now())
    look(2 * SETTLED)

    assert look(3 * SETTLED) == [
        ("Onecount needs you", "web is paused: credentials refused")
    ]
    with writing(shop.engine) as connection:
        channels.resume(connection, "web", now())
        channels.resume(connection, "till", now())
    look(4 * SETTLED)
    [(title, text)] = look(5 * SETTLED)
    assert title == "Onecount: recovered (3 things)"
    assert "web takes no numbers" in text


def test_a_channel_whose_webhooks_or_changes_are_not_heard_of_is_told(shop, look):
    with writing(shop.engine) as connection:
        for kind in (UNPOLLED, UNHEARD):
            incidents.open_incident(connection, kind, "web", f"no {kind}", now=now())
    look()

    [(_, text)] = look(SETTLED)

    assert text.splitlines() == ["webhooks: no webhooks", "unpolled: no unpolled"]


def test_a_channel_whose_webhooks_are_refused_is_told(shop, look):
    for _ in range(3):
        with pytest.raises(WebhookRefused):
            shop.receiver.receive("till", {}, b"{}", None, now())
    look()

    [(_, text)] = look(SETTLED)
    assert (
        text == "webhooks of till are refused: what is sold there is not in the stock"
    )


def test_a_channel_that_is_held_again_and_again_is_told_once(shop, look):
    """It counts calls by the hour: what is left of it is asked for every two minutes."""

    def hold(since: int) -> None:
        until = now() + since + 120 * SECOND
        with writing(shop.engine) as connection:
            connection.execute(channel_rows.update().values(held_until=until))

    told = []
    for since in range(0, 800 * SECOND, 5 * SECOND):
        if since < 600 * SECOND and since % (120 * SECOND) == 0:
            hold(since)
        told += look(since)

    heard = [title for title, text in told if "web takes no numbers" in text]
    assert heard == ["Onecount needs you (2 things)", "Onecount: recovered (2 things)"]


def test_numbers_that_are_late_are_told(shop, look):
    # Nobody publishes here.
    look(PATIENCE + SECOND)

    [(_, text)] = look(PATIENCE + 2 * SETTLED)
    assert text == "numbers could have been sent for more than 300 seconds"


def test_numbers_that_waited_for_a_pause_are_late_only_after_it(shop, look, began):
    with writing(shop.engine) as connection:
        channels.pause(connection, "web", "stocktaking", now())
        channels.pause(connection, "till", "stocktaking", now())
    look(2 * HOUR)
    with writing(shop.engine) as connection:
        for key in ("web", "till"):
            channels.resume(connection, key, began + 2 * HOUR)

    looks = [look(2 * HOUR + after) for after in (SECOND, SETTLED + SECOND)]
    late = [text for told in looks for _, text in told if "could have been" in text]
    assert late == []

    look(2 * HOUR + PATIENCE + SECOND)
    [(title, text)] = look(2 * HOUR + PATIENCE + SETTLED + SECOND)
    assert (title, text) == (
        "Onecount needs you",
        "numbers could have been sent for more than 300 seconds",
    )


def test_what_nobody_could_be_told_is_told_later(shop, look, listener):
    shop.tell("till", b"{")
    look()
    listener.status = 500
    assert look(SETTLED) == []

    listener.status = 200
    assert len(look(2 * SETTLED)) == 1


def test_who_can_be_reached_hears_once_though_somebody_cannot(listener):
    with hearing() as other:
        messenger = Messenger([listener.url, other.url])
        other.status = 500

        assert messenger.tell("needs you", "an oversell")
        assert messenger.tell("recovered", "an oversell")
        messenger.again()
        assert (len(listener.heard), len(other.heard)) == (2, 0)

        other.status = 200
        messenger.again()
        messenger.again()
        assert other.heard == listener.heard


def test_what_nobody_heard_is_not_told_later_by_the_messenger(listener):
    messenger = Messenger([listener.url])
    listener.status = 500
    assert not messenger.tell("needs you", "an oversell")

    listener.status = 200
    messenger.again()
    assert listener.heard == [], "whoever asked for it asks again"


def test_many_things_are_one_message(shop, look):
    for number in range(30):
        shop.tell("web", order(f"{number}", f"ext-{number}", 1, at=now()))
    look()

    [(title, text)] = look(SETTLED)
    assert title == "Onecount needs you (30 things)"
    assert text.endswith("… and 10 more")


def test_what_is_still_wrong_is_not_over_when_much_else_goes_wrong(shop, look):
    shop.sku("SOLD-OUT")
    shop.tell("web", order("1", "z-first", 1, at=now()))
    shop.tell("till", sale("T-1", "SOLD-OUT", 1, at=now()))
    look()
    assert len(look(SETTLED)[0][1].splitlines()) == 2
    for number in range(60):
        shop.tell("web", order(f"{number}", f"ext-{number:02}", 1, at=now()))
        with writing(shop.engine) as connection:
            name = f"web:SKU-{number}"
            incidents.open_incident(connection, "drift", name, "differs", now=now())
    look(2 * SETTLED)

    told = look(3 * SETTLED)

    assert [title for title, _ in told] == ["Onecount needs you (100 things)"]


def test_an_address_that_is_none_is_named_by_its_number():
    with pytest.raises(ValueError, match="address 2 is none") as caught:
        Messenger(["json://127.0.0.1", "carrier-pigeon://loft?secret=coo"])
    assert "coo" not in str(caught.value)


def test_whoever_is_left_tells_that_the_scheduler_is_silent(
    shop, settings, listener, eventually, monkeypatch
):
    monkeypatch.setattr(alerting, "SETTLED", 0)
    monkeypatch.setattr(rounds, "SILENT", SECOND // 5)
    monkeypatch.setattr("workers.watching.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("workers.watching.LEASE_SECONDS", 0.5)
    told = replace(settings, alerts=(listener.url,))
    first, second = (Watch(shop.engine, told, who) for who in "ab")

    def round_over() -> None:
        with writing(shop.engine) as connection:
            rounds.over(connection)

    round_over()
    first.start()
    try:
        eventually(lambda: listener.heard)
        second.start()
        time.sleep(0.2)  # both look, and one tells
        first.stop()
        monkeypatch.setattr(rounds, "SILENT", HOUR)
        round_over()
        eventually(lambda: len(listener.heard) > 1)
    finally:
        first.stop()
        second.stop()
    assert listener.heard == [
        ("Onecount needs you", rounds.WORDS),
        ("Onecount: recovered", rounds.WORDS),
    ]


def test_a_failure_that_is_not_the_database_s_is_no_recovery(
    shop, settings, monkeypatch
):
    monkeypatch.setattr(alerting, "SETTLED", 0)
    heard = []
    watcher = Watch(shop.engine, settings, "scheduler")
    failures = [sqlite3.OperationalError("gone"), ValueError("ours"), None]
    for failure in failures:
        looked = Mock(side_effect=failure)
        monkeypatch.setattr("workers.watching.watch", looked)
        watcher._look(lambda title, text: heard.append(title) or True)

        assert looked.called
        if failure is not None:
            assert heard == ["Onecount needs you"]
    assert heard == ["Onecount needs you", "Onecount: recovered"]

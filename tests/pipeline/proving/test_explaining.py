"""Explaining what was sent: the last push, its acknowledgement, what is shown."""

import pytest

from app.domain.instants import iso, now
from app.pipeline.proving.explaining import explain
from app.pipeline.publish import Publisher
from tests.builders import JACKET, sale
from tests.listening import listening


@pytest.fixture
def channel():
    with listening() as channel:
        yield channel


@pytest.fixture
def web(shop, channel):
    shop.channel("web", publish={}, settings={"push_url": channel.url})
    return shop


@pytest.fixture
def push(web, settings):
    publisher = Publisher(web.engine, web.vault, settings)

    def all_due():
        while publisher.push_due("web"):
            pass

    return all_due


def told(shop, at=None):
    with shop.engine.connect() as connection:
        found = explain(connection, JACKET, "web", at=at, now=now())
    [number] = found["numbers"]
    return number


def test_nothing_was_sent_yet(web):
    number = told(web)

    assert (number["pushed"], number["acknowledged"], number["known"]) == (None,) * 3
    assert "it has not taken a number from here yet" in number["explanation"]


def test_the_last_push_and_what_the_channel_took(web, push):
    push()
    between = now()
    web.tell("till", sale("1", JACKET, 1, at=now()))

    number = told(web)
    assert (number["shown"], number["acknowledged"]["number"]) == (9, 10)
    assert number["pushed"]["result"] == "accepted"
    assert (number["known"]["number"], number["known"]["by"]) == (10, "acknowledgement")
    assert "the last number it took was 10" in number["explanation"]

    push()
    assert told(web)["acknowledged"]["number"] == 9
    assert "it took that number" in told(web)["explanation"]
    past = told(web, at=between)
    assert (past["shown"], past["acknowledged"]["number"]) == (10, 10)


def test_what_was_told_late_was_not_known_when_a_number_was_sent(web, push):
    sold_at = now()
    push()
    between = now()
    web.tell("till", sale("1", JACKET, 1, at=sold_at))

    past = told(web, at=between)

    assert (past["shown"], past["shown_as_known"]) == (9, 10)
    assert past["acknowledged"]["number"] == 10
    assert "by what had been told by then it was 10" in past["explanation"]
    today = told(web)
    assert (today["shown"], today["shown_as_known"]) == (9, 9)
    assert "told by then" not in today["explanation"]


def test_a_push_that_failed_says_why(web, push, channel):
    channel.status = 503
    push()

    number = told(web)

    assert number["pushed"]["result"] == "unknown"
    assert number["pushed"]["number"] == 10
    assert number["pushed"]["error"]
    assert number["acknowledged"] is None


def test_a_reading_is_newer_than_what_was_taken(web, push):
    push()
    seen = {"type": "observation", "id": "o"}
    line = {"id": "1", "sku": JACKET, "quantity": 4}
    web.tell("web", seen | {"occurred_at": iso(now()), "lines": [line]})

    known = told(web)["known"]

    assert (known["number"], known["by"]) == (4, "reading")

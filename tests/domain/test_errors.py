"""Errors say what a person needs, and carry what a program decides by."""

import pytest

from app.domain.channels import Channel
from app.domain.errors import (
    AmbiguousName,
    BadConfiguration,
    ChannelError,
    NoSuchPage,
    RetryLater,
    ShortOfUnits,
    UnknownName,
)


@pytest.mark.parametrize("kind", [UnknownName, AmbiguousName, BadConfiguration])
def test_the_field_at_fault_is_named(kind):
    error = kind("there is no such thing", "lines[0].sku")
    assert (str(error), error.field) == ("there is no such thing", "lines[0].sku")


def test_a_configuration_tells_all_that_is_wrong_with_it():
    found = [("channels[0].key", "is taken"), ("rules", "is no table")]
    assert BadConfiguration("two problems", problems=found).problems == found
    assert BadConfiguration("is no TOML").problems == [("", "is no TOML")]
    assert BadConfiguration("is taken", "key").problems == [("key", "is taken")]


def test_a_page_that_is_not_there_says_how_to_ask():
    assert str(NoSuchPage()) == "take `next` of the page before, unchanged"


def test_what_is_short_is_named_and_listed():
    rows = [
        {"sku": "HAT", "requested": 2, "available": 1},
        {"sku": "SCARF", "requested": 1, "available": 0},
    ]
    error = ShortOfUnits(tuple(rows))
    assert str(error) == "not enough units of HAT, SCARF"
    assert error.short == rows


def test_a_failed_call_keeps_its_words_and_status():
    error = ChannelError("it is down", status=500)
    assert (str(error), error.status) == ("it is down", 500)


def test_trying_later_keeps_why():
    plain = RetryLater("busy")
    assert (plain.after, plain.status) == (None, None)
    assert plain.unknown is False
    assert plain.timed_out is False
    assert plain.new_key is False
    assert RetryLater("that key is spent", new_key=True).new_key is True
    silent = RetryLater("silence", after=3, status=504, unknown=True, timed_out=True)
    assert (str(silent), silent.after, silent.status) == ("silence", 3, 504)
    assert silent.unknown is True
    assert silent.timed_out is True


def test_the_newest_secret_is_the_first_and_there_may_be_none():
    channel = Channel(1, "web", "standard", secrets={"webhook": ["new", "old"]})
    assert channel.secret("webhook") == "new"
    assert channel.secret("push") is None
    assert Channel(1, "web", "standard", secrets={"push": []}).secret("push") is None

"""Every adapter that asks its channel: fetching, reading back, looking for what is new.

Whatever the channel answers, the worker gets an answer of the right shape or one of
the errors whose type is the policy.
"""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from adapters.base import Adapter
from adapters.levels import READ_LEVELS, Level, document as stored
from app.domain.channels import Reading
from app.domain.connecting import Subscribed
from app.domain.errors import (
    ChannelError,
    CredentialsRefused,
    GiveUp,
    MalformedPayload,
    RetryLater,
)
from app.domain.events import OBSERVED, Message, Normalised, StockEvent
from app.domain.instants import HOUR
from tests.contract.recorded import (
    NOW,
    Provider,
    recent,
    recorded_message,
    through_json,
    wishes,
)

_STATUSES = [
    *((429, RetryLater), (500, RetryLater), (503, RetryLater)),
    *((401, CredentialsRefused), (403, CredentialsRefused), (302, GiveUp)),
]
_NONSENSE = (
    *("", "<html>", "null", "[]", "7", '"x"', "{}", '{"errors": "no"}', "[" * 5000),
    *('{"data": null}', '{"data": {}}', '{"data": []}', '{"errors": [{}]}'),
    *('{"order": 7}', '{"order": []}', '{"counts": [7]}', '{"shipments": {"a": 1}}'),
)


def _under(ask: Callable[[], Any], **weather: Any) -> tuple[Any, Any]:
    """What asking brings when every call gets the same answer."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST"):
            mock.add(method, re.compile(".*"), **weather)
        try:
            return ask(), None
        except (ChannelError, MalformedPayload) as error:
            return None, error


@pytest.fixture
def fetching(provider: Provider, pointer: str) -> tuple[Adapter, Callable[[], Any]]:
    adapter = provider.adapter()
    said = recorded_message(provider, adapter, pointer)
    read = adapter.normalise(said).read
    assert read is not None
    return adapter, lambda: through_json(adapter.fetch(said, read))


@pytest.mark.parametrize(("status", "kind"), _STATUSES)
def test_a_fetch_that_is_refused_says_how(
    fetching: tuple[Adapter, Callable[[], Any]], status: int, kind: type[ChannelError]
):
    adapter, fetch = fetching

    _, error = _under(fetch, status=status, body="no")

    assert type(error) is kind
    assert adapter.channel.key in str(error)


def test_a_fetch_without_an_answer_is_tried_later(
    fetching: tuple[Adapter, Callable[[], Any]],
):
    _, error = _under(fetching[1], body=requests.ReadTimeout("slow"))

    assert type(error) is RetryLater
    assert error.timed_out


def test_a_fetch_of_nonsense_is_an_error_or_tells_nothing_new(
    provider: Provider, pointer: str, fetching: tuple[Adapter, Callable[[], Any]]
):
    adapter, fetch = fetching
    said = recorded_message(provider, adapter, pointer)
    known = adapter.normalise(said)
    for body in _NONSENSE:
        fetched, error = _under(fetch, status=200, body=body)
        if error is not None:
            continue
        again = dataclasses.replace(said, fetched=fetched)
        found, error = _under(lambda again=again: adapter.normalise(again))

        if error is None:
            assert set(found.events) <= set(known.events), body
            assert set(found.orders) <= set(known.orders), body


@pytest.mark.parametrize(("status", "kind"), _STATUSES)
def test_a_reading_that_is_refused_says_how(
    reader: Provider, status: int, kind: type[ChannelError]
):
    adapter = reader.adapter()
    asked = wishes(reader.json("push/accepted.json"))

    _, error = _under(lambda: adapter.read(asked), status=status, body="no")

    assert type(error) is kind


def test_a_reading_of_nonsense_is_an_error_or_unknown(reader: Provider):
    adapter = reader.adapter()
    asked = wishes(reader.json("push/accepted.json"))
    for body in _NONSENSE:
        found, error = _under(lambda: adapter.read(asked), status=200, body=body)

        if error is None:
            assert _is_sound(found, [wish.publication_id for wish in asked]), body
            assert all(reading.available is None for reading in found), body


def _is_sound(found: list[Reading], publications: list[int]) -> bool:
    return [reading.publication_id for reading in found] == publications and all(
        type(reading.read_at) is int for reading in found
    )


@pytest.mark.parametrize(("status", "kind"), _STATUSES)
def test_looking_for_what_is_new_is_refused_in_the_same_words(
    provider: Provider, status: int, kind: type[ChannelError]
):
    adapter = provider.adapter()

    found, error = _under(
        lambda: list(recent(adapter, NOW - HOUR)), status=status, body="no"
    )

    # A channel that cannot be asked yields nothing, and asks nobody.
    assert (found == []) if not adapter.polls else (type(error) is kind)


def test_new_things_among_nonsense_are_an_error_or_documents(provider: Provider):
    adapter = provider.adapter()
    for body in _NONSENSE:
        found, error = _under(
            lambda: list(recent(adapter, NOW - HOUR)), status=200, body=body
        )

        for topic, document in found or ():
            assert isinstance(topic, str), error
            assert json.loads(json.dumps(document)) == document


def _tells(adapter: Adapter) -> bool:
    """Whether it can be asked which of its numbers changed."""
    return type(adapter).shown_since is not Adapter.shown_since


@pytest.mark.parametrize(("status", "kind"), _STATUSES)
def test_looking_for_changed_numbers_is_refused_in_the_same_words(
    provider: Provider, status: int, kind: type[ChannelError]
):
    adapter = provider.adapter()

    found, error = _under(
        lambda: list(adapter.shown_since(NOW - HOUR)), status=status, body="no"
    )

    assert (type(error) is kind) if _tells(adapter) else (found == [])


def test_changed_numbers_among_nonsense_are_an_error_or_none(provider: Provider):
    adapter = provider.adapter()
    for body in _NONSENSE:
        found, error = _under(
            lambda: list(adapter.shown_since(NOW - HOUR)), status=200, body=body
        )

        assert error is not None or not any(found), body


def test_changed_numbers_are_said_as_their_webhook_says_them(provider: Provider):
    adapter = provider.adapter()
    if not _tells(adapter):
        return
    read = through_json(stored([Level("9", "1", -2, NOW)]))

    said = adapter.normalise(Message(READ_LEVELS, read, NOW + HOUR))

    seen = StockEvent(OBSERVED, -2, NOW, NOW, external_id="9", place="1")
    assert said == Normalised(events=(seen,))


@pytest.mark.parametrize(("status", "kind"), _STATUSES)
def test_checking_is_refused_in_the_same_words(
    provider: Provider, status: int, kind: type[ChannelError]
):
    adapter = provider.adapter()

    found, error = _under(adapter.check_access, status=status, body="no")

    assert found is None
    assert type(error) is kind
    assert adapter.channel.key in str(error)


def test_checking_among_nonsense_is_an_error_or_sentences(provider: Provider):
    adapter = provider.adapter()
    for body in _NONSENSE:
        found, _ = _under(adapter.check_access, status=200, body=body)

        assert all(isinstance(one, str) and one for one in found or ()), body


def _set_up(adapter: Adapter) -> dict[str, Callable[[], Any]]:
    """Everything that is asked of a channel when it is connected."""
    address = "https://stock.example.com/webhooks/one"
    found: dict[str, Callable[[], Any]] = {}
    if adapter.subscribes:
        found["look"] = lambda: adapter.subscribe(address, mend=False)
        found["mend"] = lambda: adapter.subscribe(address, mend=True)
    if adapter.connects:
        found["places"] = adapter.places
        found["items"] = lambda: list(adapter.items())
        found["orders"] = lambda: list(adapter.open_orders())
    return found


@pytest.mark.parametrize(("status", "kind"), _STATUSES)
def test_connecting_is_refused_in_the_same_words(
    provider: Provider, status: int, kind: type[ChannelError]
):
    for name, ask in _set_up(provider.adapter()).items():
        found, error = _under(ask, status=status, body="no")

        # Who may ask for the rest may still have no say over the webhooks.
        is_said = isinstance(found, Subscribed) and found.problems
        assert is_said or type(error) is kind, name


def test_connecting_among_nonsense_is_an_error_or_plain_values(provider: Provider):
    for name, ask in _set_up(provider.adapter()).items():
        for body in _NONSENSE:
            found, _ = _under(ask, status=200, body=body)

            assert isinstance(found, Subscribed) or not found, (name, body)

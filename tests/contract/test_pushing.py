"""Every adapter that publishes: what is sent, and what each answer means."""

import json
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from adapters.base import Adapter
from app.domain import errors
from app.domain.channels import ACCEPTED, REJECTED, STALE, UNSENT, Outcome, Wish
from app.domain.errors import ChannelError, CredentialsRefused, GiveUp, RetryLater
from tests.contract.recorded import (
    Provider,
    answer,
    no_network,
    played,
    through_json,
    wishes,
)

_KEY = "0b1f4f0e-8f60-4a53-93a5-6f1d2f4f7e11"
_VERDICTS = {ACCEPTED, REJECTED, STALE, UNSENT}


class Push:
    """One recorded push, and an adapter to repeat it with."""

    def __init__(self, provider: Provider, name: str) -> None:
        self.recorded = provider.json(f"push/{name}.json")
        self.adapter = provider.adapter()
        self.wishes = wishes(self.recorded)
        self.key = self.recorded.get("key", _KEY)

    def compose(self) -> Any:
        return through_json(self.adapter.compose(self.wishes))

    def send(self, key: str | None = None) -> list[Outcome]:
        return self.adapter.send(self.compose(), self.wishes, key or self.key)

    def exchange(self) -> list[dict[str, Any]]:
        """The recorded call last; before it whatever it takes to get there."""
        request, response = self.recorded["request"], self.recorded["response"]
        call = {"method": request["method"], "url": request["url"], **response}
        return [*self.recorded.get("exchange", ()), call]


def test_pushing_sends_exactly_the_recorded_request(provider: Provider, push: str):
    made = Push(provider, push)
    request = made.recorded["request"]

    with played(made.exchange()) as mock:
        _answered(made.send)
        sent = mock.calls[-1].request

    assert (sent.method, sent.url) == (request["method"], request["url"])
    assert json.loads(sent.body) == request["json"]
    for name, value in request.get("headers", {}).items():
        assert sent.headers.get(name) == value, name


def test_each_answer_means_what_was_recorded(provider: Provider, push: str):
    made = Push(provider, push)
    recorded = made.recorded

    with played(made.exchange()):
        outcomes, error = _answered(made.send)

    if "raises" in recorded:
        assert type(error) is getattr(errors, recorded["raises"]), (outcomes, error)
        if "after" in recorded:
            assert error.after == pytest.approx(recorded["after"], abs=1)
        return
    assert error is None, error
    assert [o.publication_id for o in outcomes] == [
        w.publication_id for w in made.wishes
    ]
    for outcome, row in zip(outcomes, recorded["outcomes"], strict=True):
        assert outcome.publication_id == row["publication_id"]
        assert outcome.verdict == row["verdict"], outcome
        assert (row.get("reason") or "") in (outcome.reason or "")


def test_every_wish_has_one_verdict_and_a_bad_one_its_reason(
    provider: Provider, push: str
):
    made = Push(provider, push)

    with played(made.exchange()):
        outcomes, _ = _answered(made.send)

    for outcome in outcomes or ():
        assert outcome.verdict in _VERDICTS
        assert outcome.verdict != REJECTED or outcome.reason


def test_composing_touches_no_network_and_no_clock(
    provider: Provider, push: str, monkeypatch: pytest.MonkeyPatch
):
    with no_network(monkeypatch):
        once = Push(provider, push).compose()
        monkeypatch.setattr("time.time", lambda: 1.0)
        again = Push(provider, push).compose()

    assert once == again


def test_pushing_twice_sends_the_same_body_under_the_same_key(
    publisher: Provider,
):
    sent = []
    for _ in range(2):
        made = Push(publisher, "accepted")
        with played(made.exchange()) as mock:
            made.send()
            sent.append(mock.calls[-1].request)

    first, second = sent
    assert first.body == second.body
    assert all(made.key in _words(request) for request in sent)


def test_the_stored_variables_may_come_back_in_another_order(
    publisher: Provider,
):
    """A database that keeps JSON as JSON does not keep the order of names."""
    bodies = []
    for turned in (False, True):
        made = Push(publisher, "accepted")
        composed = _turned(made.compose()) if turned else made.compose()
        with played(made.exchange()) as mock:
            made.adapter.send(composed, made.wishes, made.key)
            bodies.append(json.loads(mock.calls[-1].request.body))

    assert bodies[0] == bodies[1]


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(one) for one in value] if isinstance(value, list) else value


# -- whatever the provider: the weather --------------------------------------------

_STATUSES = [
    (408, {}, RetryLater),
    (429, {}, RetryLater),
    (500, {}, RetryLater),
    (502, {}, RetryLater),
    (503, {}, RetryLater),
    (504, {}, RetryLater),
    (401, {}, CredentialsRefused),
    (403, {}, CredentialsRefused),
    (301, {"location": "https://elsewhere.example.com/"}, GiveUp),
    (400, {}, GiveUp),
    (404, {}, GiveUp),
    (410, {}, GiveUp),
]


@pytest.mark.parametrize(("status", "headers", "kind"), _STATUSES)
def test_a_status_is_an_error_of_its_kind(
    caller: "Caller", status: int, headers: dict[str, str], kind: type[ChannelError]
):
    outcomes, error = caller.under(status=status, headers=headers, body="no")

    if kind is GiveUp and error is None:
        assert {outcome.verdict for outcome in outcomes} <= {REJECTED, UNSENT}
        return
    assert type(error) is kind, (outcomes, error)
    assert error.status == status
    assert str(status) in str(error)
    assert caller.adapter.title in str(error)
    assert caller.adapter.channel.key in str(error)


@pytest.mark.parametrize("status", [429, 503])
def test_the_channels_own_delay_is_kept(caller: "Caller", status: int):
    _, error = caller.under(status=status, headers={"retry-after": "17"}, body="")

    assert isinstance(error, RetryLater)
    assert error.after == pytest.approx(17, abs=1)


@pytest.mark.parametrize(
    ("silence", "unknown"),
    [
        (requests.ReadTimeout("slow"), True),
        (requests.ConnectTimeout("slow"), False),
    ],
    ids=["no answer", "no connection"],
)
def test_silence_is_retried_later(caller: "Caller", silence: Exception, unknown: bool):
    _, error = caller.under(body=silence)

    assert type(error) is RetryLater
    assert error.timed_out
    assert error.unknown == unknown


def test_a_connection_lost_half_way_leaves_us_unsure(caller: "Caller"):
    _, error = caller.under(
        body=requests.exceptions.ChunkedEncodingError("half an answer")
    )

    assert type(error) is RetryLater
    assert error.unknown


def test_an_answer_that_is_no_json_is_never_a_crash(caller: "Caller"):
    for body in ("", "<html>", "null", "[]", "7", '{"data": 7}', "[" * 5000, "{}"):
        outcomes, error = caller.under(status=200, body=body)

        assert error is not None or len(outcomes) == len(caller.wishes)


@pytest.mark.parametrize("status", [200, 401, 429, 400, 500])
def test_no_secret_is_in_an_error_or_a_log_line(
    caller: "Caller", status: int, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG")
    secrets = [s for found in caller.adapter.channel.secrets.values() for s in found]
    echo = json.dumps({"errors": [{"message": f"you sent {s}"} for s in secrets]})

    outcomes, error = caller.under(status=status, body=echo)

    said = [str(outcomes), caplog.text, str(error), repr(error)]
    if error is not None:
        said += traceback.format_exception(error)
    for secret in secrets:
        assert not any(secret in words for words in said)


def test_no_address_of_a_person_is_in_an_error(caller: "Caller"):
    _, error = caller.under(
        status=500, body="failed for ada@example.com, +49 30 5550 1234"
    )

    assert "ada@" not in str(error)
    assert "5550" not in str(error)


class Caller:
    """An adapter and its accepted push, in any weather."""

    def __init__(self, provider: Provider) -> None:
        self.push = Push(provider, "accepted")
        self.before = self.push.recorded.get("exchange", ())
        self.wishes: list[Wish] = self.push.wishes

    @property
    def adapter(self) -> Adapter:
        return self.push.adapter

    def under(self, **weather: Any) -> tuple[Any, Any]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for step in self.before:
                mock.add(answer(step["method"], step["url"], step))
            for method in ("GET", "POST", "PUT", "PATCH"):
                mock.add(method, re.compile(".*"), **weather)
            return _answered(self.push.send)


@pytest.fixture
def caller(publisher: Provider) -> Caller:
    return Caller(publisher)


def _answered(send: Callable[[], list[Outcome]]) -> tuple[Any, Any]:
    try:
        return send(), None
    except ChannelError as error:
        return None, error


def _words(request: Any) -> str:
    return f"{request.headers}{request.body!r}"

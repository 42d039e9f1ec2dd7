"""Every adapter: what a recorded webhook becomes."""

import hashlib

import pytest

from adapters.signatures import SignedRequest
from app.domain.errors import MalformedPayload
from app.domain.events import OBSERVED, Message, key_of
from tests.contract.recorded import (
    NOW,
    Provider,
    as_json,
    expected,
    fetched_message,
    no_network,
    recorded_message,
    whole_message,
)
from tests.contract.soundness import assert_sound, personal


def test_a_recorded_webhook_becomes_exactly_the_expected_events(
    provider: Provider, case: str, monkeypatch: pytest.MonkeyPatch
):
    adapter = provider.adapter()

    with no_network(monkeypatch):
        found = adapter.normalise(recorded_message(provider, adapter, case))

    assert as_json(found) == expected(provider.json(f"webhooks/{case}/events.json"))
    assert_sound(found)


def test_what_was_fetched_becomes_exactly_the_expected_events(
    provider: Provider, pointer: str, monkeypatch: pytest.MonkeyPatch
):
    adapter = provider.adapter()
    fetched = fetched_message(provider, adapter, pointer)

    with no_network(monkeypatch):
        found = adapter.normalise(fetched)

    recorded = provider.json(f"webhooks/{pointer}/fetched_events.json")
    assert as_json(found) == expected(recorded)
    assert_sound(found)


def test_every_webhook_that_wants_a_read_has_its_answer_recorded(
    provider: Provider, case: str
):
    adapter = provider.adapter()

    read = adapter.normalise(recorded_message(provider, adapter, case)).read

    assert (read is not None) == provider.has(f"webhooks/{case}/exchange.json")


def test_the_same_webhook_twice_says_the_same_under_the_same_keys(
    provider: Provider, case: str
):
    once, again = provider.adapter(), provider.adapter()

    first = once.normalise(recorded_message(provider, once, case))
    second = again.normalise(recorded_message(provider, again, case))

    assert first == second
    assert [key_of(e) for e in first.events] == [key_of(e) for e in second.events]


def test_no_two_facts_of_a_webhook_share_a_key(provider: Provider, case: str):
    adapter = provider.adapter()
    said = whole_message(provider, adapter, case)

    keys = [key_of(e) for e in adapter.normalise(said).events if e.kind != OBSERVED]

    assert len(keys) == len(set(keys))


def test_a_delivery_is_known_by_its_id_and_body(provider: Provider):
    adapter = provider.adapter()
    known = set()
    for case in provider.cases():
        request = SignedRequest(
            {"webhook-id": f"msg_{case}", **provider.headers(case)},
            provider.body(case),
            NOW,
        )
        name = (adapter.delivery_id(request), hashlib.sha256(request.body).digest())

        assert name == (adapter.delivery_id(request), name[1])
        assert name not in known, f"{case} has the id and body of another case"
        known.add(name)


def test_an_unknown_topic_is_no_events(provider: Provider, case: str):
    adapter = provider.adapter()
    known = recorded_message(provider, adapter, case)

    found = adapter.normalise(
        Message("nobody.knows/this", known.document, NOW, known.headers)
    )

    assert not found.events
    assert not found.orders
    assert found.read is None
    assert found.ignored, "say in a sentence why it is ignored"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"lines": [',
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe{}",
        b'{"id": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id": "\xed\xa0\x80"}',
    ],
    ids=range(12),
)
def test_a_signed_body_that_is_no_object_is_malformed(provider: Provider, body: bytes):
    with pytest.raises(MalformedPayload, match=r"^body: "):
        provider.adapter().document(body)


def test_half_a_character_in_a_text_can_still_be_stored(provider: Provider, case: str):
    adapter = provider.adapter()
    body = provider.body(case).replace(b'": "', rb'": "\ud83d\u0000')

    document = adapter.document(body)

    assert b"\\u0000" not in repr(document).encode()
    assert "\0" not in str(document)


def test_no_personal_data_is_kept(provider: Provider, case: str):
    adapter = provider.adapter()
    said = whole_message(provider, adapter, case)

    assert personal(said.document) == []
    assert personal(said.fetched) == []
    assert personal(as_json(adapter.normalise(said))) == []


def test_the_topic_of_nonsense_is_a_text(provider: Provider):
    adapter = provider.adapter()

    for document in ({}, {"type": 5}, {"type": {"a": "b"}}, {"type": ["x"]}):
        assert isinstance(adapter.topic({}, document), str)

"""Every adapter: whose webhook is believed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.base import Adapter
from adapters.signatures import SignedRequest
from app.domain import instants
from app.domain.errors import InvalidSignature, StaleWebhook, WebhookRefused
from app.domain.instants import DAY, MINUTE
from tests.contract.recorded import NOW, Provider, message, played, signed

KEY = "whsec_YSBzZWNyZXQgdGhhdCB3ZSBtYWRlIHVw"


@pytest.fixture
def vector(provider: Provider):
    """The known-good request of `signature.json`, and an adapter with its secret."""
    known = provider.signature()
    secrets = dict(provider.channel().secrets)
    if known.get("secret"):
        secrets["webhook"] = [known["secret"]]
    settings = {**provider.channel().settings, **known.get("settings", {})}
    if "url" in known:
        settings["notification_url"] = known["url"]
    at = known.get("received_at")
    request = SignedRequest(
        headers={name.lower(): value for name, value in known["headers"].items()},
        body=known["body"].encode(),
        received_at=instants.parse(at) if at else NOW,
        token=known.get("token"),
    )
    channel = provider.channel(secrets=secrets, settings=settings)
    with played(known.get("exchange", ()), all_used=False):
        yield provider.adapter(channel), request


@pytest.fixture
def known_keys(provider: Provider):
    """Answers for schemes that look up the provider's public keys."""
    with played(provider.signature().get("exchange", ()), all_used=False):
        yield


def test_the_known_signature_is_accepted(vector: tuple[Adapter, SignedRequest]):
    adapter, request = vector

    adapter.verify(request)


def test_one_changed_byte_is_refused(vector: tuple[Adapter, SignedRequest]):
    adapter, request = vector

    for at in (0, len(request.body) // 2, len(request.body) - 1):
        changed = bytearray(request.body)
        changed[at] ^= 1
        with pytest.raises(InvalidSignature):
            adapter.verify(dataclasses.replace(request, body=bytes(changed)))


def test_a_byte_more_or_less_is_refused(vector: tuple[Adapter, SignedRequest]):
    adapter, request = vector

    for body in (request.body + b"\n", request.body[:-1], b""):
        with pytest.raises(InvalidSignature):
            adapter.verify(dataclasses.replace(request, body=body))


def test_a_missing_signature_is_refused(vector: tuple[Adapter, SignedRequest]):
    adapter, request = vector

    with pytest.raises(WebhookRefused):
        adapter.verify(dataclasses.replace(request, headers={}, token=None))


def test_each_header_of_the_signature_is_needed(vector: tuple[Adapter, SignedRequest]):
    adapter, request = vector

    for name in request.headers:
        for value in (
            "",
            " ",
            "0",
            "v1,",
            "é",
            "A" * 44,
            "=" * 9,
            request.headers[name][:-2],
        ):
            headers = {**request.headers, name: value}
            with pytest.raises(WebhookRefused):
                adapter.verify(dataclasses.replace(request, headers=headers))


def test_a_recorded_webhook_signed_by_its_sender_is_accepted(
    provider: Provider, case: str, known_keys: None
):
    adapter = provider.adapter()

    adapter.verify(_signed(provider, adapter, case))


def test_another_channels_secret_is_refused(
    provider: Provider, case: str, known_keys: None
):
    adapter = provider.adapter()

    with pytest.raises(InvalidSignature):
        adapter.verify(_signed(provider, adapter, case, key=provider.other_key()))


def test_a_channel_without_a_secret_believes_nobody(
    provider: Provider, known_keys: None
):
    case = provider.cases()[0]
    if "signing_key" in provider.signature():
        pytest.skip("signed with the provider's own key")
    request = _signed(provider, provider.adapter(), case)
    forged = _signed(provider, provider.adapter(), case, key="")

    for secrets in ((), ("",)):
        channel = provider.channel(secrets={"webhook": secrets})
        for one in (request, forged):
            with pytest.raises(InvalidSignature):
                provider.adapter(channel).verify(one)


def test_both_secrets_of_a_rotation_are_accepted(provider: Provider, known_keys: None):
    case = provider.cases()[0]
    if "signing_key" in provider.signature():
        pytest.skip("the provider rotates its own keys")
    old, new = provider.signing_key(), provider.other_key()
    rotating = provider.channel(
        secrets={**provider.channel().secrets, "webhook": [new, old]}
    )
    adapter = provider.adapter(rotating)

    adapter.verify(_signed(provider, adapter, case, key=old))
    adapter.verify(_signed(provider, adapter, case, key=new))


def test_our_own_test_webhook_is_believed_and_means_nothing(provider: Provider):
    secrets = {**provider.channel().secrets, "webhook": [KEY]}
    adapter = provider.adapter(provider.channel(secrets=secrets))

    made = adapter.trial(NOW)

    assert made is not None
    assert adapter.verify(made) == KEY
    said = adapter.normalise(message(adapter, made.body, made.headers))
    assert (said.events, said.read, said.bad) == ((), None, ())
    assert said.ignored
    nobody = provider.channel(secrets={**secrets, "webhook": []})
    assert provider.adapter(nobody).trial(NOW) is None


def test_a_stale_webhook_is_refused_where_the_scheme_tells_time(
    provider: Provider, known_keys: None
):
    case = provider.cases()[0]
    adapter = provider.adapter()
    if _headers(provider, adapter, case, NOW) == _headers(
        provider, adapter, case, NOW - DAY
    ):
        pytest.skip("no time stamp in this scheme")

    for late in (6 * MINUTE, -6 * MINUTE, 365 * DAY):
        with pytest.raises(StaleWebhook):
            adapter.verify(_signed(provider, adapter, case, received_at=NOW + late))
    for late in (4 * MINUTE, -4 * MINUTE):
        adapter.verify(_signed(provider, adapter, case, received_at=NOW + late))


def test_a_refusal_tells_no_secret(
    provider: Provider, known_keys: None, caplog: pytest.LogCaptureFixture
):
    case = provider.cases()[0]
    adapter = provider.adapter()

    with pytest.raises(WebhookRefused) as caught:
        adapter.verify(_signed(provider, adapter, case, key=provider.other_key()))

    for secret in (provider.signing_key(), provider.other_key()):
        assert secret not in str(caught.value) + repr(caught.value) + caplog.text


def test_no_signature_is_stored(provider: Provider):
    known = {name.lower() for name in provider.signature()["headers"]}
    stored = set(provider.adapter_class.headers)

    assert stored == {name.lower() for name in stored}
    assert not {name for name in stored & known if "sign" in name or "hmac" in name}


def _signed(
    provider: Provider, adapter: Adapter, case: str, **how: Any
) -> SignedRequest:
    key = how.pop("key", None)
    return signed(
        adapter,
        provider.body(case),
        provider.headers(case),
        provider.signing_key() if key is None else key,
        **how,
    )


def _headers(
    provider: Provider, adapter: Adapter, case: str, at: int
) -> Mapping[str, str]:
    body, headers = provider.body(case), provider.headers(case)
    return signed(adapter, body, headers, provider.signing_key(), at).headers

"""The standard provider: what is published, and what each answer means."""

from typing import Any

import pytest
import responses
from standardwebhooks import Webhook

from adapters.http import Http
from adapters.standard import Standard
from app.domain.channels import ACCEPTED, REJECTED, Channel, Outcome, Wish
from app.domain.errors import (
    BadConfiguration,
    CredentialsRefused,
    GiveUp,
    RetryLater,
)

WEBHOOK = "whsec_TWFkZVVwRm9yVGVzdHNPbmx5MDEyMzQ1Njc4OQ=="
PUSH = "whsec_QW5vdGhlck9uZU1hZGVVcEZvclRlc3RzMDEyMzQ="
URL = "https://till.example.com/stock"


def standard(**changes: Any) -> Standard:
    fields = {
        "settings": {"push_url": URL},
        "secrets": {"webhook": [WEBHOOK], "push": [PUSH]},
    } | changes
    channel = Channel(1, "till", "standard", **fields)
    return Standard(channel, Http("Standard Webhooks", "till", deadline=2))


WISHES = [
    Wish(7, "SCARF", "SCARF", None, "downtown", 5, version=12),
    Wish(8, "SCARF", "SCARF", None, "airport", 2, version=4),
    Wish(9, "HAT", "4711", None, None, 0, version=1),
]


def send(
    adapter: Standard | None = None, wishes: list[Wish] = WISHES, **answer: Any
) -> list[Outcome]:
    adapter = adapter or standard()
    with responses.RequestsMock() as mock:
        mock.post(URL, **answer)
        return adapter.send(adapter.compose(wishes), wishes, "key-1")


def verdicts(**answer: Any) -> list[str]:
    return [outcome.verdict for outcome in send(**answer)]


@responses.activate
def test_what_is_published_is_signed_with_the_push_secret():
    responses.post(URL, status=204)
    adapter = standard()

    adapter.send(adapter.compose(WISHES), WISHES, "key-1")

    sent = responses.calls[0].request
    said = Webhook(PUSH).verify(sent.body, dict(sent.headers))
    assert sent.headers["webhook-id"] == "key-1"
    assert said["type"] == "stock.published"
    assert said["data"][2] == {
        "sku": "HAT",
        "external_id": "4711",
        "location": None,
        "available": 0,
        "version": 1,
    }


@responses.activate
def test_without_a_push_secret_the_first_webhook_one_signs():
    responses.post(URL, status=200)
    adapter = standard(secrets={"webhook": [WEBHOOK, PUSH]})

    adapter.send(adapter.compose(WISHES), WISHES, "key-1")

    sent = responses.calls[0].request
    assert Webhook(WEBHOOK).verify(sent.body, dict(sent.headers))


@pytest.mark.parametrize(
    "answer",
    ["", "ok", "null", "[]", "7", "{}", '{"results": null}', '{"results": [1, null]}'],
)
def test_a_2xx_without_results_accepts_every_row(answer: str):
    assert verdicts(body=answer) == [ACCEPTED] * 3
    assert verdicts(body=answer, status=202) == [ACCEPTED] * 3


def rejected(**row: Any) -> dict[str, Any]:
    return {"json": {"results": [{"status": "rejected", **row}]}}


def test_only_the_rows_named_are_rejected():
    downtown = rejected(external_id="SCARF", location="downtown", reason="gone")

    assert verdicts(**downtown) == [REJECTED, ACCEPTED, ACCEPTED]
    assert send(**downtown)[0].reason == "gone"
    assert verdicts(**rejected(external_id="4711", location=None))[2] == REJECTED
    assert verdicts(**rejected(external_id=4711))[2] == REJECTED
    [outcome] = send(
        wishes=[Wish(7, "HAT", "4711", None, "5", 0, version=1)],
        **rejected(external_id=4711, location=5),
    )
    assert outcome.verdict == REJECTED


@pytest.mark.parametrize("named", [{}, {"location": None}])
def test_a_row_without_a_location_rejects_the_item_wherever_it_is(named):
    answer = rejected(external_id="SCARF", **named)
    assert verdicts(**answer) == [REJECTED, REJECTED, ACCEPTED]
    assert verdicts(**rejected(external_id="MUG")) == [ACCEPTED] * 3


def test_a_reason_is_short_and_names_nobody():
    words = "ask ada@example.com about " + "x" * 999
    reason = send(**rejected(external_id="4711", reason=words))[2].reason

    assert reason is not None
    assert reason.startswith("ask (address) about xxx")
    assert len(reason) <= 300
    assert send(**rejected(external_id="4711", reason=None))[2].reason


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 507])
def test_later_is_later(status: int):
    with pytest.raises(RetryLater) as caught:
        send(status=status, headers={"retry-after": "30"})

    assert caught.value.after == 30


@pytest.mark.parametrize("status", [301, 307, 400, 402, 404, 405, 410, 413, 422, 451])
def test_any_other_answer_fails_the_rows(status: int):
    with pytest.raises(GiveUp) as caught:
        send(status=status)

    assert type(caught.value) is GiveUp


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_signature_pauses_the_channel(status: int):
    with pytest.raises(CredentialsRefused):
        send(status=status)


def test_without_an_address_nothing_is_published():
    adapter = standard(settings={})

    with pytest.raises(GiveUp, match=r"settings\.push_url"):
        adapter.send(adapter.compose(WISHES), WISHES, "key-1")


# -- configuration -----------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["", "till.example.com", "ftp://a/b", 5, "http://u:p@a/"]
)
def test_an_address_that_cannot_be_called_is_refused(url: Any):
    with pytest.raises(BadConfiguration, match="push_url") as caught:
        Standard.check(standard(settings={"push_url": url}).channel)

    assert caught.value.field == "settings.push_url"


def test_a_push_needs_a_secret_to_sign_with():
    with pytest.raises(BadConfiguration, match="secret") as caught:
        Standard.check(standard(secrets={}).channel)

    assert caught.value.field == "secrets.push"


def test_a_channel_that_only_tells_needs_no_address():
    Standard.check(standard(settings={}, secrets={"webhook": [WEBHOOK]}).channel)

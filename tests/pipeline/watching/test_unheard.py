"""A channel whose webhooks are refused is not heard, whatever its numbers look like."""

from contextlib import suppress

import pytest

from adapters.signatures import StandardWebhooks
from app.domain.errors import WebhookRefused
from app.domain.instants import HOUR, MINUTE, SECOND, Instant, now
from app.pipeline.receive import Receiver
from app.store.engine import reading
from app.store.watching import unheard
from tests.builders import SECRET, Limits, Shop

OTHER = "whsec_bmV3IHNlY3JldCBvZiB0aGUgd2ViIHN0b3Jl"


@pytest.fixture
def send(shop):
    """Send webhooks at some time after now, to a process that knows nothing yet."""
    began = now()

    def send(after: Instant, *secrets: str, channel: str = "till") -> None:
        receiver = Receiver(shop.engine, shop.vault, shop.bell, Limits())
        at = began + after
        for number, secret in enumerate(secrets):
            body = f"{after} {number}".encode()
            headers = StandardWebhooks().sign(body, secret, at, "msg")
            with suppress(WebhookRefused):
                receiver.receive(channel, headers, body, None, at)
        receiver.close()

    return send


def listed(shop: Shop) -> list[tuple[str, str, int]]:
    with reading(shop.engine) as connection:
        found = unheard.listed(connection)
    return [(row["key"], row["cause"], row["times"]) for row in found]


def test_a_channel_that_was_never_heard_is_listed_with_the_cause(shop, send):
    send(0, OTHER, OTHER)
    assert listed(shop) == []
    send(SECOND, OTHER, channel="web")
    assert listed(shop) == []
    send(SECOND, OTHER)
    assert listed(shop) == [("till", "signature", 3)]


def test_it_is_over_with_the_first_good_one_and_back_with_later_bad_ones(shop, send):
    send(0, OTHER, OTHER, OTHER)
    send(HOUR, SECRET)
    assert listed(shop) == []

    send(2 * HOUR, OTHER, OTHER, OTHER)
    assert listed(shop) == [("till", "signature", 3)]


def test_bad_ones_among_good_ones_mean_nothing(shop, send):
    """It is known to the minute when something good came."""
    send(0, SECRET)
    send(MINUTE // 2, OTHER, SECRET, OTHER, SECRET, OTHER)

    assert listed(shop) == []


def test_a_key_of_the_provider_s_own_is_as_good(shop, send):
    """Of ShipStation, for one, we have no secret that proves a webhook."""
    send(0, OTHER, OTHER, OTHER)
    receiver = Receiver(shop.engine, shop.vault, shop.bell, Limits())
    adapter = receiver._adapter("till")
    adapter.verify = lambda _request: None

    receiver.receive("till", {"webhook-id": "1"}, b"{}", None, now() + HOUR)
    receiver.close()

    assert listed(shop) == []

"""A Shopify sandbox that is being served, and the adapter of a channel that uses it."""

import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from adapters.http import Http
from adapters.sandbox.shopify import ShopifySandbox
from adapters.shopify import Shopify
from adapters.signatures import SignedRequest
from app.domain.channels import Channel, Outcome, Wish
from app.domain.events import (
    Message,
    Normalised,
)
from tests.adapters.sandboxes import Receiver, control, receiving, serving

ITEM, SCARF, BUNDLE, GHOST = "808950810", "808950811", "808950812", "808950899"
DOWNTOWN, WAREHOUSE = "655441491", "24826418"
NUMBERS = itertools.count(1)


class Shop:
    """A sandbox, the adapter of a channel that talks to it, and what it was sent."""

    def __init__(self, receiver: Receiver, **more: Any) -> None:
        self.receiver = receiver
        self.sandbox = ShopifySandbox(
            {
                "webhook_url": receiver.url,
                "secret": "hush",
                "token": "shpat_1",
                "items": [
                    {"id": ITEM, "parent": "39072856", "sku": "JACKET"},
                    {"id": SCARF, "parent": "49148385", "sku": "SCARF"},
                    {"id": BUNDLE, "parent": "49148386", "sku": "SET"},
                ],
                "bundles": [BUNDLE],
                "locations": [{"id": DOWNTOWN}, {"id": WAREHOUSE}],
                "stock": {ITEM: {DOWNTOWN: 5, WAREHOUSE: 3}, SCARF: {DOWNTOWN: 400}},
                "retry_seconds": [0.02] * 8,
                **more,
            }
        )
        self.url = ""

    def adapter(self, **secrets: list[str]) -> Shopify:
        channel = Channel(
            1,
            "web",
            "shopify",
            base_url=self.url,
            settings={"shop": "blue-jacket.myshopify.com"},
            secrets={"webhook": ["hush"], **(secrets or {"access_token": ["shpat_1"]})},
            locations={"downtown": DOWNTOWN, "warehouse": WAREHOUSE},
        )
        return Shopify(channel, Http("Shopify", "web", deadline=5))

    def do(self, action: str, **body: Any) -> dict[str, Any]:
        return control(self.url, action, **body)

    def sell(self, quantity: int = 1, **more: Any) -> dict[str, Any]:
        return self.do("sell", lines=[{"item": ITEM, "quantity": quantity}], **more)

    def publish(self, *wishes: Wish, key: str | None = None) -> list[Outcome]:
        adapter = self.adapter()
        composed = adapter.compose(wishes)
        return adapter.send(composed, wishes, key or str(uuid.uuid4()))

    def shown(self, item: str = ITEM, place: str = DOWNTOWN) -> int | None:
        return self.adapter().read([wish(0, 0, item, place)])[0].available

    def got(self, topic: str, many: int = 1) -> list[SignedRequest]:
        def of_topic(got: list[SignedRequest]) -> list[SignedRequest]:
            return [one for one in got if one.headers["x-shopify-topic"] == topic]

        return of_topic(self.receiver.wait(lambda got: len(of_topic(got)) >= many))

    def said(self, topic: str, many: int = 1) -> Normalised:
        """What the last webhook of a topic means, before anything is read."""
        return self.adapter().normalise(self.message(self.got(topic, many)[-1]))

    def message(self, request: SignedRequest) -> Message:
        adapter = self.adapter()
        adapter.verify(request)
        kept = {name: request.headers.get(name, "") for name in adapter.headers}
        document = adapter.document(request.body)
        topic = adapter.topic(kept, document)
        return Message(topic, document, request.received_at, kept)


def wish(
    available: int, expected: int | None, item: str = ITEM, place: str = DOWNTOWN
) -> Wish:
    return Wish(next(NUMBERS), "SKU", item, None, place, available, 1, expected)


def verdicts(outcomes: list[Outcome]) -> list[str]:
    return [one.verdict for one in outcomes]


@contextlib.contextmanager
def shops() -> Iterator[Callable[..., Shop]]:
    """Open shops, each with its own configuration; one receiver for their webhooks."""
    with receiving() as receiver, contextlib.ExitStack() as stack:

        def open_shop(**more: Any) -> Shop:
            shop = Shop(receiver, **more)
            shop.url = stack.enter_context(serving(shop.sandbox))
            return shop

        yield open_shop

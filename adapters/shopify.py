"""Shopify: online store and POS. Orders come in whole; numbers go out as compare-and-set.

https://shopify.dev/docs/apps/build/webhooks
https://shopify.dev/docs/api/admin-graphql/2026-10

What surprised us (2026-11):
- An order names no location; its fulfillment orders do, and only GraphQL tells them.
- `inventory_levels/update` says neither who changed the number nor by how much, and our
  own writes come back as one: it is an observation, never a movement.
- Since 2026-04 a write needs `@idempotent` and `changeFromQuantity`. The schema shows
  neither as required; leaving them out fails at run time, with status 200.
- A throttled call is status 200 as well.
- A return may be restocked long after its refund; then only GraphQL says so.
- The order of "Send test notification" is cancelled, and says `test: true`.
- ShopifyAPI has no timeout and can send one shop's token to another; only its checks of
  shop domain and API version are used.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import shopify
from shopify.utils.shop_url import sanitize_shop_domain

from adapters.base import Adapter, Change
from adapters.http import Http, scrub
from adapters.levels import Level
from adapters.parts import (
    shopify_access as access,
    shopify_connecting as connecting,
    shopify_orders as orders,
    shopify_quantities as quantities,
    shopify_reading as reading,
    shopify_webhooks as webhooks,
)
from adapters.parts.shopify_client import API_VERSION, Admin
from adapters.parts.shopify_origin import origin
from adapters.parts.shopify_topics import KEPT, READ_ORDER, TOPICS
from adapters.signatures import HmacBody, SignedRequest
from app.domain.channels import Channel, Outcome, Reading as Shown, Wish
from app.domain.connecting import Subscribed, TheirItem, TheirPlace
from app.domain.errors import BadConfiguration, InvalidSignature
from app.domain.events import Message, Normalised, Read, key_of, sharpened
from app.domain.instants import Instant

_FAMILIES = ("x-shopify-", "shopify-")
"""Classic webhooks, and the events that follow them: same signature, other names."""

_ROUTES = ("routing", "routed order")
"""What is read only to know where units leave from."""


class Shopify(Adapter):
    title = "Shopify"
    docs = "https://shopify.dev/docs/apps/build/webhooks"
    settings = {
        "shop": "the shop's own domain, like blue-jacket.myshopify.com",
        "api_version": f"the Admin API's version, {API_VERSION} unless given",
    }
    required_settings = ("shop",)
    secrets = {
        "webhook": "the app's client secret, or the shop's own signing secret",
        "access_token": "an Admin API access token that does not end; or else the next two",
        "client_id": "the app's client id",
        "client_secret": "the app's client secret",
    }
    signature = HmacBody(tuple(f"{family}hmac-sha256" for family in _FAMILIES))
    headers = (
        *(
            f"{family}{name}"
            for name in (
                *("topic", "shop-domain", "api-version"),
                *("webhook-id", "event-id", "triggered-at"),
            )
            for family in _FAMILIES
        ),
        *("shopify-action", "x-shopify-test"),
    )
    keeps = KEPT
    compares = True
    reads = True
    rereads = True
    tells_payment = True
    ignores = ("tags", "sources", "order_prefix")
    polls = True
    subscribes = True
    connects = True
    batch_limit = 250

    def __init__(self, channel: Channel, http: Http) -> None:
        super().__init__(channel, http)
        self.admin = Admin(channel, http)

    @classmethod
    def check(cls, channel: Channel) -> None:
        super().check(channel)
        shop = str(channel.settings["shop"])
        if sanitize_shop_domain(shop) != shop.lower():
            raise BadConfiguration(
                f"{shop!r} is no shop domain like blue-jacket.myshopify.com",
                "settings.shop",
            )
        version = str(channel.settings.get("api_version") or API_VERSION)
        try:
            shopify.ApiVersion.coerce_to_version(version)
        except shopify.VersionNotFoundError as error:
            raise BadConfiguration(
                f"{version!r} is no API version like {API_VERSION}",
                "settings.api_version",
            ) from error
        for name, other in (
            ("client_id", "client_secret"),
            ("client_secret", "client_id"),
        ):
            if channel.secret(name) and not channel.secret(other):
                raise BadConfiguration(
                    f"Shopify needs {other} with {name}", f"secrets.{other}"
                )

    def check_access(self) -> list[str]:
        return access.problems(self.admin, self.channel)

    # -- connecting ----------------------------------------------------------

    def subscribe(self, address: str, *, mend: bool) -> Subscribed:
        return webhooks.subscribe(self.admin, address, mend=mend)

    def places(self) -> list[TheirPlace]:
        return connecting.places(self.admin)

    def items(self) -> Iterator[TheirItem]:
        return connecting.items(self.admin)

    def open_orders(self) -> Iterator[Change]:
        for order_id, _ in reading.listed_orders(self.admin, connecting.OPEN):
            found = reading.read_order(self.admin, order_id)
            if found is not None:
                yield Change(READ_ORDER, found)

    # -- receiving -----------------------------------------------------------

    def document(self, body: bytes) -> Any:
        """Also: tags are free text, so whatever looks like an address goes."""
        kept = super().document(body)
        if isinstance(kept, dict) and isinstance(kept.get("tags"), str):
            kept["tags"] = scrub(kept["tags"])
        return kept

    def verify(self, request: SignedRequest) -> str | None:
        signed_with = super().verify(request)
        # One app secret signs for every shop that installed the app.
        shop = _header(request.headers, "shop-domain").lower()
        if shop and shop != str(self.channel.settings.get("shop") or "").lower():
            raise InvalidSignature(f"signed, but sent by the shop {shop[:80]}")
        return signed_with

    def trial(self, at: Instant) -> SignedRequest | None:
        made = super().trial(at)
        if made is None:
            return None
        told = {
            "x-shopify-topic": "onecount/test",
            "x-shopify-test": "true",
            "x-shopify-shop-domain": str(self.channel.settings.get("shop") or ""),
            "x-shopify-webhook-id": f"onecount-{at}",
        }
        return replace(made, headers={**made.headers, **told})

    def delivery_id(self, request: SignedRequest) -> str:
        return _header(request.headers, "webhook-id")

    def topic(self, headers: Mapping[str, str], document: Any) -> str:
        topic = _header(headers, "topic")
        action = headers.get("shopify-action")
        return f"{topic}/{action}" if action else topic

    def normalise(self, message: Message) -> Normalised:
        if message.headers.get("x-shopify-test", "").lower() == "true":
            return Normalised(ignored=("A test notification: nothing happened.",))
        if message.topic not in TOPICS:
            return Normalised(ignored=(f"{message.topic or 'This'} moves no stock.",))
        said = TOPICS[message.topic](message)
        made_by = origin(message.fetched) or origin(message.document)
        if message.fetched is not None:
            return replace(_with_fetched(said, message), origin=made_by)
        said = replace(said, origin=made_by)
        return said if said.read is None else self._asking(said)

    def _asking(self, said: Normalised) -> Normalised:
        """Drop a read that is not worth a call, or cannot be made."""
        what = said.read.what if said.read else ""
        if what in _ROUTES and len(set(self.channel.locations.values())) < 2:
            reason = "The channel has one location: nothing to route."
            is_pointer = what == "routed order"
            return replace(said, read=None, ignored=_also(said, is_pointer, reason))
        if not self.admin.can_ask:
            reason = "The shop cannot be asked without a token; its order tells later."
            return replace(
                said, read=None, ignored=_also(said, what != "routing", reason)
            )
        return said

    def fetch(self, message: Message, read: Read) -> Any:
        found = reading.READERS.get(read.what, reading.read_order)(self.admin, read.id)
        return found if found is not None else {"missing": read.id}

    def changes(self, since: Instant) -> Iterator[Change]:
        for order_id, listed_at in reading.changed_orders(self.admin, since):
            yield Change(READ_ORDER, listed_at=listed_at, id=order_id)

    def shown_since(self, since: Instant) -> Iterator[Sequence[Level]]:
        for place in sorted(set(self.channel.locations.values())):
            yield from quantities.changed(self.admin, place, since)

    def opened(self, change: Change) -> Any:
        return reading.read_order(self.admin, change.id)

    def reread(self, order: str) -> Read | None:
        return Read("order", order) if self.admin.can_ask else None

    # -- publishing ----------------------------------------------------------

    def compose(self, wishes: Sequence[Wish]) -> Any:
        return quantities.variables(wishes)

    def send(self, composed: Any, wishes: Sequence[Wish], key: str) -> list[Outcome]:
        return quantities.write(self.admin, composed, wishes, key)

    def read(self, wishes: Sequence[Wish]) -> list[Shown]:
        return quantities.read(self.admin, wishes)


def _header(headers: Mapping[str, str], name: str) -> str:
    for family in _FAMILIES:
        if value := headers.get(f"{family}{name}"):
            return value
    return ""


def _also(said: Normalised, applies: bool, reason: str) -> tuple[str, ...]:
    return (*said.ignored, reason) if applies else said.ignored


def _with_fetched(said: Normalised, message: Message) -> Normalised:
    """The newest word on each fact, from the webhook and from what was read."""
    if "missing" in message.fetched:
        reason = f"The shop shows no order {said.read.id if said.read else ''}."
        return replace(said, read=None, ignored=(*said.ignored, reason))
    found = orders.order(message.fetched)
    if message.fetched_at is not None:
        found = sharpened(found, message.fetched_at)
    events = {key_of(event): event for event in said.events}
    for event in found.events:
        known = events.get(key_of(event))
        if known is None or event.version >= known.version:
            events[key_of(event)] = event
    told = (*said.orders, *found.orders)
    newest = max(told, key=lambda order: order.version, default=None)
    return Normalised(
        events=tuple(events.values()),
        orders=(newest,) if newest else (),
        ignored=tuple(dict.fromkeys((*said.ignored, *found.ignored))),
    )


adapter = Shopify

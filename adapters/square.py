"""Square: tills and online orders. Webhooks point at orders; numbers go out as counts.

https://developer.squareup.com/docs/webhooks/overview
https://developer.squareup.com/docs/inventory-api/how-it-works

What surprised us (2026-11):
- The till publishes no order.created; its sales are heard of by payment.updated.
- Stock is the last physical count plus later changes, by `occurred_at`. A count stamped
  "now" swallows a sale of an offline till, so `Wish.stamp` says when it was.
- `ignore_unchanged_counts` compares with the last *count*, not with the number shown:
  5, a sale, 5 again would be dropped. It is therefore off.
- Units leave the number when their order is paid in full, not when it is placed.
- A refund made through the API names no items: money went back, no goods.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from adapters.base import Adapter, Change
from adapters.checks import time_or_none
from adapters.http import Answer
from adapters.keeping import keep
from adapters.levels import READ_LEVELS, Level, observed
from adapters.parts import (
    square_counts as counts,
    square_orders as orders,
    square_setup as setup,
)
from adapters.parts.square_payment import amount
from adapters.parts.square_shapes import KEPT, about
from adapters.shapes import kept
from adapters.signatures import HmacBody
from app.domain.channels import REJECTED, Channel, Outcome, Reading, Wish
from app.domain.connecting import Subscribed, TheirItem, TheirPlace
from app.domain.errors import BadConfiguration, GiveUp, MalformedPayload, RetryLater
from app.domain.events import DAMAGED, INSPECT, SELLABLE, Message, Normalised, Read
from app.domain.instants import Instant, iso, now

_HOST = "https://connect.squareup.com"
_VERSION = "2026-09-16"
_HOMELESS = "Square keeps stock per location: map one of ours to one of its own"
_MOST_PAGES = 1000
_MOST_PLACES = 10
"""Locations that one search takes."""
_DISPOSITIONS = (SELLABLE, INSPECT, DAMAGED)

_POINTERS = {
    "order.created": "order_created",
    "order.updated": "order_updated",
    "order.fulfillment.updated": "order_fulfillment_updated",
    "payment.created": "payment",
    "payment.updated": "payment",
    "refund.created": "refund",
    "refund.updated": "refund",
}
"""Topics that only point at an order → the name of the pointer inside `data.object`."""
_COUNTED = "inventory.count.updated"
_COUNTS = "/v2/inventory/counts/batch-retrieve"
_TOPICS = (*_POINTERS, _COUNTED)
_READ = "order.read"
"""Our own topic, for orders that were looked up and not told of by a webhook."""

_POINTER = {
    "order_id": True,
    "status": True,
    "amount_money": {"amount": True},
    "total_money": {"amount": True},
}


class Square(Adapter):
    """One Square account."""

    title = "Square"
    docs = "https://developer.squareup.com/docs/webhooks/overview"
    settings = {
        "notification_url": "the subscription's address, exactly as Square has it",
        "returns": "what becomes of returned goods: sellable, inspect or damaged",
    }
    secrets = {
        "webhook": "the subscription's signature key; left out, we subscribe ourselves",
        "access_token": "the application's access token for the account",
    }
    signature = HmacBody(("x-square-hmacsha256-signature",))
    keeps = {
        "type": True,
        "event_id": True,
        "created_at": True,
        "data": {
            "object": {
                **dict.fromkeys(_POINTERS.values(), _POINTER),
                "inventory_counts": kept(counts.Count),
            }
        },
    }
    stamps = True
    reads = True
    tells_payment = True
    keeps_unpaid = True
    polls = True
    subscribes = True
    connects = True

    @classmethod
    def check(cls, channel: Channel) -> None:
        super().check(channel)
        returns = channel.settings.get("returns", SELLABLE)
        if returns not in _DISPOSITIONS:
            words = f"returns is {returns!r}; one of {', '.join(_DISPOSITIONS)}"
            raise BadConfiguration(words, "settings.returns")
        # The signature key is told to us when we register the webhooks ourselves.
        if not channel.secret("access_token"):
            words = f"Square needs an access_token: {cls.secrets['access_token']}"
            raise BadConfiguration(words, "secrets.access_token")

    def check_access(self) -> list[str]:
        if lacking := setup.lacking(self._read):
            return lacking
        found = counts.rows(self._read("GET", "/v2/locations"), "locations")
        next(self.changes(now()), None)
        active = {str(one.get("id")) for one in found if one.get("status") == "ACTIVE"}
        return [
            f"The account has no active location {place}: map {code} to another one "
            "in `locations` and load the file again"
            for code, place in self.channel.locations.items()
            if place not in active
        ]

    # -- connecting ----------------------------------------------------------

    def subscribe(self, address: str, *, mend: bool) -> Subscribed:
        known = tuple(self.channel.secrets.get("webhook") or ())
        return setup.subscribe(self._read, address, _TOPICS, known, mend=mend)

    def places(self) -> list[TheirPlace]:
        return setup.places(self._read)

    def items(self) -> Iterator[TheirItem]:
        return setup.items(self._read)

    def open_orders(self) -> Iterator[Change]:
        return self._orders({"state_filter": {"states": ["OPEN"]}})

    def still_counts(self, order: Any) -> str | None:
        return orders.unpaid(order.get("order"))

    # -- receiving -----------------------------------------------------------

    def scheme(self) -> HmacBody:
        # What is signed is the address Square was told, never the one a proxy shows.
        address = str(self.channel.settings.get("notification_url") or "")
        return replace(self.signature, prefix=address.encode())

    def normalise(self, message: Message) -> Normalised:
        if message.topic == _READ:
            return self._order(message.document.get("order"))
        if message.topic == READ_LEVELS:
            return observed(message.document)
        if message.topic == _COUNTED:
            return counts.observed(about(message.document).get("inventory_counts"))
        if message.topic not in _POINTERS:
            return Normalised(ignored=(f"{message.topic} moves no stock.",))
        return self._pointer(message)

    def _pointer(self, message: Message) -> Normalised:
        kind = _POINTERS[message.topic]
        pointer = about(message.document).get(kind)
        if not isinstance(pointer, dict):
            raise MalformedPayload(f"data.object.{kind}: expected an object")
        order = pointer.get("order_id")
        if not isinstance(order, str | None) or (
            kind.startswith("order") and not order
        ):
            raise MalformedPayload(f"data.object.{kind}.order_id: {order!r} is no id")
        if not order:
            return Normalised(ignored=(f"The {kind} belongs to no order.",))
        if kind == "payment" and pointer.get("status") != "COMPLETED":
            status = pointer.get("status")
            return Normalised(ignored=(f"The payment is {status}: nothing is sold.",))
        if message.fetched is None:
            return Normalised(read=Read("order", order))
        paid = amount(pointer) if kind == "payment" else None
        fetched = message.fetched if isinstance(message.fetched, dict) else {}
        told = self._order(fetched.get("order"), paid)
        if kind == "refund" and not fetched["order"].get("returns"):
            reason = "The refund names no items: money went back, no goods."
            return replace(told, ignored=(*told.ignored, reason))
        return told

    def _order(self, order: Any, paid: int | None = None) -> Normalised:
        disposition = str(self.channel.settings.get("returns") or SELLABLE)
        return orders.normalise(order, disposition, paid)

    def fetch(self, message: Message, read: Read) -> Any:
        found = self._read("GET", f"/v2/orders/{quote(read.id, safe='')}")
        return {"order": keep(found.get("order"), KEPT)}

    def changes(self, since: Instant) -> Iterator[Change]:
        times = {"updated_at": {"start_at": iso(since)}}
        return self._orders({"date_time_filter": times})

    def shown_since(self, since: Instant) -> Iterator[Sequence[Level]]:
        places = sorted(set(self.channel.locations.values()))
        if places:
            asked = counts.question_since(places, since)
            yield from map(counts.levels, self._pages(_COUNTS, asked))

    def _orders(self, filter_: dict[str, Any]) -> Iterator[Change]:
        places = self._places()
        is_one_list = len(places) <= _MOST_PLACES
        sort = {"sort_field": "UPDATED_AT", "sort_order": "ASC"}
        for first in range(0, len(places), _MOST_PLACES):
            query = {
                "location_ids": places[first : first + _MOST_PLACES],
                "limit": 100,
                "query": {"filter": filter_, "sort": sort},
            }
            for page in self._pages("/v2/orders/search", query):
                for order in counts.rows(page, "orders"):
                    found = {"type": _READ, "order": keep(order, KEPT)}
                    listed_at = time_or_none(order.get("updated_at"))
                    yield Change(_READ, found, listed_at if is_one_list else None)

    def _places(self) -> list[str]:
        if self.channel.locations:
            return sorted(set(self.channel.locations.values()))
        found = self._read("GET", "/v2/locations")
        return [str(place.get("id")) for place in counts.rows(found, "locations")]

    # -- publishing ----------------------------------------------------------

    def compose(self, wishes: Sequence[Wish]) -> Any:
        return {
            "changes": [counts.change(wish) for wish in wishes if wish.place],
            "ignore_unchanged_counts": False,
        }

    def send(self, composed: Any, wishes: Sequence[Wish], key: str) -> list[Outcome]:
        sent = [wish for wish in wishes if wish.place]
        judged = {
            wish.publication_id: Outcome(wish.publication_id, REJECTED, _HOMELESS)
            for wish in wishes
        }
        if sent:
            answer = self._call(
                "POST",
                "/v2/inventory/changes/batch-create",
                passes=(400, 404, 422),
                json={"idempotency_key": key, **composed},
            )
            for outcome in self._judge().outcomes(answer, sent):
                judged[outcome.publication_id] = outcome
        return [judged[wish.publication_id] for wish in wishes]

    def read(self, wishes: Sequence[Wish]) -> list[Reading]:
        read_at = now()
        asked = counts.question(wishes)
        pages = self._pages(_COUNTS, asked) if asked["location_ids"] else ()
        return counts.readings(pages, wishes, read_at)

    # -- calling -------------------------------------------------------------

    def _judge(self) -> counts.Judge:
        return counts.Judge(f"{self.title} ({self.channel.key})", self.http.quote)

    def _read(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Read something; an answer with errors inside is no half answer but none."""
        answer = self._call(method, path, **arguments)
        body, judge = answer.json(), self._judge()
        if not isinstance(body, dict):
            raise RetryLater(f"{judge.who} answered with JSON that is no object")
        if errors := body.get("errors"):
            first = errors[0] if isinstance(errors, list) else {}
            raise judge.refusal(first if isinstance(first, dict) else {}, answer.status)
        return body

    def _call(self, method: str, path: str, **arguments: Any) -> Answer:
        host = (self.channel.base_url or _HOST).rstrip("/")
        headers = {
            "Authorization": f"Bearer {self.channel.secret('access_token')}",
            "Square-Version": _VERSION,
        }
        return self.http.call(method, host + path, headers=headers, **arguments)

    def _pages(self, path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        asked = query
        for _ in range(_MOST_PAGES):
            page = self._read("POST", path, json=asked)
            yield page
            cursor = page.get("cursor")
            if not cursor or not isinstance(cursor, str):
                return
            asked = {**query, "cursor": cursor}
        raise GiveUp(f"{self._judge().who} has more than {_MOST_PAGES} pages of {path}")


adapter = Square

"""Standard Webhooks: any till, warehouse or in-house system, in the words of the trade.

One body for every fact: `{"type", "id", "occurred_at", "version"?, "location"?,
"order"?, "channel"?, "lines": [{"id", "sku", "quantity"}]}`. Quantities are targets
for their key: the same again changes nothing, a higher version corrects. Checked by
hand, because this is the busiest way in and a schema costs a hundred times as much.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adapters.addresses import address_problem
from adapters.base import Adapter, SignedRequest
from adapters.checks import LARGEST, instant, name, quantity, shown, version
from adapters.http import Answer, scrub
from adapters.signatures import StandardWebhooks, header, is_broken
from app.domain import events, instants
from app.domain.channels import ACCEPTED, REJECTED, Channel, Outcome, Wish
from app.domain.errors import BadConfiguration, GiveUp, MalformedPayload
from app.domain.events import Message, Normalised, StockEvent


class _Type(NamedTuple):
    """What one `type` sets, and which fields it needs besides the lines."""

    kind: str
    needs: tuple[str, ...] = ("id",)
    lowest: int = 0
    dispositions: tuple[str, ...] = ()


_RETURNABLE = (events.SELLABLE, events.INSPECT, events.DAMAGED)
_TYPES: Mapping[str, _Type] = {
    "order": _Type(events.PLACED, ("order",)),
    "cancellation": _Type(events.RELEASED, ("order",)),
    # A till's receipt is its order: `order` or, failing that, `id`.
    "sale": _Type(events.SHIPPED, ()),
    "shipment": _Type(events.SHIPPED, ("order", "id")),
    "return": _Type(events.RETURNED, ("id",), dispositions=_RETURNABLE),
    "receipt": _Type(events.RECEIVED),
    "expected": _Type(events.EXPECTED),
    "transfer": _Type(events.TRANSFERRED, ("id", "to")),
    "adjustment": _Type(
        events.ADJUSTED,
        lowest=-LARGEST,
        dispositions=(events.DAMAGED, events.SCRAP),
    ),
    "count": _Type(events.COUNTED),
    # A till may well show fewer than none.
    "observation": _Type(events.OBSERVED, (), lowest=-LARGEST),
}


class Standard(Adapter):
    """Whoever speaks the contract above."""

    title = "Standard Webhooks"
    docs = "https://www.standardwebhooks.com/"
    settings = {"push_url": "the http(s) address that takes the published numbers"}
    secrets = {
        "webhook": "whsec_… that signs what the system sends; several for a rotation",
        "push": "whsec_… that signs what we send (default: the first `webhook`)",
    }
    signature = StandardWebhooks()
    keeps = {
        "type": True,
        "id": True,
        "occurred_at": True,
        "version": True,
        "location": True,
        "to": True,
        "order": True,
        "channel": True,
        "of": True,
        "scope": True,
        "lines": {
            "id": True,
            "sku": True,
            "quantity": True,
            "disposition": True,
            "reason": True,
        },
    }
    sends_numbers_for_skus = True

    @classmethod
    def check(cls, channel: Channel) -> None:
        """Also: an address that can be one, and a secret to sign with."""
        super().check(channel)
        for word in ("webhook", "push"):
            if any(map(is_broken, channel.secrets.get(word, ()))):
                words = "behind `whsec_` is no base64; copy the whole secret"
                raise BadConfiguration(words, f"secrets.{word}")
        url = channel.settings.get("push_url")
        if url is None:
            return
        problem = address_problem(url)
        if problem:
            raise BadConfiguration(f"push_url {problem}", "settings.push_url")
        if not (channel.secret("push") or channel.secret("webhook")):
            raise BadConfiguration(
                "push_url needs a secret to sign with: `push` or `webhook`",
                "secrets.push",
            )

    def delivery_id(self, request: SignedRequest) -> str:
        """The sender's `webhook-id`: the same over its retries."""
        return header(request, "webhook-id")

    def document(self, body: bytes) -> Any:
        """Also: a reason is free text, so whatever looks like an address goes."""
        kept = super().document(body)
        lines = kept.get("lines")
        for line in lines if isinstance(lines, list) else ():
            if line and isinstance(line.get("reason"), str):
                line["reason"] = scrub(line["reason"])
        return kept

    def normalise(self, message: Message) -> Normalised:
        """One stock event per line; a bad line holds none of the others back."""
        body = message.document
        if not message.topic:
            known = ", ".join(_TYPES)
            raise MalformedPayload(f"type: name what happened, one of {known}")
        what = _TYPES.get(message.topic)
        if what is None:
            return Normalised(
                ignored=(f"type {shown(message.topic)} is none that we know",)
            )
        shared = self._shared(body, message.topic, what)
        lines = body.get("lines")
        if not isinstance(lines, list) or not lines:
            raise MalformedPayload("lines: give a list with at least one line")
        _refuse_twins(lines)
        told, bad = [], []
        for at, line in enumerate(lines):
            try:
                told.append(_event(line, f"lines[{at}]", what, shared))
            except MalformedPayload as error:
                bad.append(error)
        if not told:
            raise bad[0]
        return Normalised(tuple(told), bad=tuple(map(str, bad)))

    def _shared(self, body: Any, topic: str, what: _Type) -> dict[str, Any]:
        """What all lines of a message have in common, as fields of their events."""
        for field in what.needs:
            if body.get(field) is None:
                raise MalformedPayload(f"{field}: missing; a {topic} needs it")
        order, fact = name(body, "order"), name(body, "id")
        if topic == "transfer" and body.get("to") == body.get("location"):
            raise MalformedPayload("to: is the location they leave from")
        if topic == "sale":
            order = fact = order or fact
            if order is None:
                raise MalformedPayload("order: missing; a sale needs it, or `id`")
        elif topic in ("order", "cancellation"):
            fact = None
        channel = name(body, "channel")
        occurred_at = instant(body, "occurred_at")
        return {
            "occurred_at": occurred_at,
            "version": version(body, occurred_at),
            "place": name(body, "location"),
            "to_place": name(body, "to") if topic == "transfer" else None,
            "order": order if what.kind in _OF_ORDERS else None,
            "order_channel": None if channel == self.channel.key else channel,
            "fact": fact,
            "of": name(body, "of") if topic == "receipt" else None,
            "scope": _scope_of(topic, body),
        }

    # -- publishing ----------------------------------------------------------

    def compose(self, wishes: Sequence[Wish]) -> Any:
        """The body: one row per wish."""
        rows = [
            {
                "sku": wish.sku,
                "external_id": wish.external_id,
                "location": wish.place,
                "available": wish.available,
                "version": wish.version,
            }
            for wish in wishes
        ]
        return {"type": "stock.published", "data": rows}

    def send(self, composed: Any, wishes: Sequence[Wish], key: str) -> list[Outcome]:
        """One signed POST; the key is its `webhook-id`, so a repeat is known as one."""
        url = self.channel.settings.get("push_url")
        secret = self.channel.secret("push") or self.channel.secret("webhook")
        if not url or not secret:
            raise GiveUp(
                f"channel {self.channel.key} has no settings.push_url to publish to"
            )
        # Sorted: the database may hand the stored rows back in another order.
        body = json.dumps(composed, sort_keys=True, ensure_ascii=False).encode()
        signed = self.signature.sign(body, secret, instants.now(), key)
        answer = self.http.post(
            url,
            data=body,
            headers={"content-type": "application/json", **signed},
            retried=(409,),
        )
        refused = _refused(answer)
        return [self._outcome(wish, refused) for wish in wishes]

    def _outcome(self, wish: Wish, refused: list[dict[str, Any]]) -> Outcome:
        for row in refused:
            if str(row.get("external_id")) != wish.external_id:
                continue
            # A row that names no location speaks about the item wherever it is.
            if row.get("location", wish.place) == wish.place:
                reason = self.http.quote(str(row.get("reason") or "no reason given"))
                return Outcome(wish.publication_id, REJECTED, reason)
        return Outcome(wish.publication_id, ACCEPTED)


_OF_ORDERS = {events.PLACED, events.RELEASED, events.SHIPPED, events.RETURNED}


def _event(line: Any, at: str, what: _Type, shared: dict[str, Any]) -> StockEvent:
    if not isinstance(line, dict):
        raise MalformedPayload(f"{at}: give an object with id, sku and quantity")
    for field in ("sku",) if what.kind == events.OBSERVED else ("id", "sku"):
        if line.get(field) is None:
            raise MalformedPayload(f"{at}.{field}: missing; each line needs one")
    if what.kind == events.ADJUSTED and line.get("reason") is None:
        raise MalformedPayload(f"{at}.reason: missing; say why the stock is adjusted")
    return StockEvent(
        kind=what.kind,
        quantity=quantity(line, at, what.lowest),
        sku=name(line, "sku", at),
        line=name(line, "id", at),
        disposition=_disposition(line, at, what),
        reason=name(line, "reason", at) if what.kind == events.ADJUSTED else None,
        **shared,
    )


def _refuse_twins(lines: list[Any]) -> None:
    """Two lines under one id would be two targets for one key."""
    seen: dict[str, int] = {}
    for at, line in enumerate(lines):
        given = line.get("id") if isinstance(line, dict) else None
        if isinstance(given, str | int):
            first = seen.setdefault(str(given), at)
            if first != at:
                raise MalformedPayload(
                    f"lines[{at}].id: lines[{first}] has it already; "
                    "each line needs its own"
                )


def _scope_of(topic: str, body: dict[str, Any]) -> str | None:
    if topic == "sale":
        return events.AT_ONCE
    return _scope(body) if topic == "count" else None


def _scope(body: dict[str, Any]) -> str | None:
    given = body.get("scope")
    if given is None or given == events.SELLABLE:
        return given
    raise MalformedPayload(
        f"scope: {shown(given)} is not `sellable`; leave it out to count everything"
    )


def _disposition(line: dict[str, Any], at: str, what: _Type) -> str | None:
    if not what.dispositions:
        return None
    given = line.get("disposition")
    if given is None:
        return events.SELLABLE if what.kind == events.RETURNED else None
    if given in what.dispositions:
        return str(given)
    raise MalformedPayload(
        f"{at}.disposition: {shown(given)} is not one of {', '.join(what.dispositions)}"
    )


def _refused(answer: Answer) -> list[dict[str, Any]]:
    """The rows a 2xx answer rejects; any other answer body accepts them all."""
    try:
        results = json.loads(answer.body)["results"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    rows = results if isinstance(results, list) else []
    return [
        row for row in rows if isinstance(row, dict) and row.get("status") == REJECTED
    ]


adapter = Standard

"""Standard Webhooks: any till, warehouse or in-house system, in the words of the trade.

One body for every fact: `{"type", "id", "occurred_at", "version"?, "location"?,
"order"?, "channel"?, "lines": [{"id", "sku", "quantity"}]}`. Quantities are targets
for their key: the same again changes nothing, a higher version corrects. Checked by
hand, because this is the busiest way in and a schema costs a hundred times as much.
"""

import json
from collections.abc import Sequence
from typing import Any

from adapters.base import Adapter
from adapters.checks import instant, name, shown, version
from adapters.http import Answer, scrub
from adapters.parts.standard_lines import (
    NOTICE,
    OF_ORDERS,
    TYPES,
    Type,
    event_of,
    is_advised,
    refuse_twins,
    scope_of,
)
from adapters.signatures import (
    TOLERANCE,
    SignedRequest,
    StandardWebhooks,
    header,
    is_broken,
)
from app.domain import instants
from app.domain.channels import ACCEPTED, REJECTED, Channel, Outcome, Wish
from app.domain.errors import (
    BadConfiguration,
    CredentialsRefused,
    GiveUp,
    MalformedPayload,
    RetryLater,
)
from app.domain.events import Message, Normalised, Origin, number_in


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
        "paid": True,
        "of": True,
        "scope": True,
        "stage": True,
        "lines": {
            "id": True,
            "sku": True,
            "quantity": True,
            "location": True,
            "disposition": True,
            "reason": True,
        },
    }
    sends_numbers_for_skus = True
    tells_payment = True
    publishing_needs = ("push_url",)
    ignores = ("order_prefix",)

    @classmethod
    def check(cls, channel: Channel) -> None:
        """Also: a secret to sign with."""
        super().check(channel)
        for word in ("webhook", "push"):
            if any(map(is_broken, channel.secrets.get(word, ()))):
                words = "behind `whsec_` is no base64; copy the whole secret"
                raise BadConfiguration(words, f"secrets.{word}")
        if channel.settings.get("push_url") is None:
            return
        if not (channel.secret("push") or channel.secret("webhook")):
            raise BadConfiguration(
                "push_url needs a secret to sign with: `push` or `webhook`",
                "secrets.push",
            )

    def check_access(self) -> list[str]:
        """A signed POST without rows: nothing changes when it is taken."""
        if self.channel.settings.get("push_url"):
            self.send(self.compose([]), [], f"check-{instants.now()}")
        return []

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
            known = ", ".join(TYPES)
            raise MalformedPayload(f"type: name what happened, one of {known}")
        what = TYPES.get(message.topic)
        if what is None:
            return Normalised(
                ignored=(f"type {shown(message.topic)} is none that we know",)
            )
        if message.topic == "return" and is_advised(body):
            what = NOTICE
        shared = self._shared(body, message.topic, what)
        lines = body.get("lines")
        if not isinstance(lines, list) or not lines:
            raise MalformedPayload("lines: give a list with at least one line")
        refuse_twins(lines)
        told, bad = [], []
        for at, line in enumerate(lines):
            try:
                told.append(event_of(line, f"lines[{at}]", what, shared))
            except MalformedPayload as error:
                bad.append(error)
        if not told:
            raise bad[0]
        order = shared["order"]
        own = order is not None and not shared["order_channel"]
        return Normalised(
            tuple(told),
            bad=tuple(map(str, bad)),
            origin=Origin(order) if own else None,
        )

    def _shared(self, body: Any, topic: str, what: Type) -> dict[str, Any]:
        """What all lines of a message have in common, as fields of their events."""
        for field in what.needs:
            if body.get(field) is None:
                a = "an" if topic[0] in "aeiou" else "a"
                raise MalformedPayload(f"{field}: missing; {a} {topic} needs it")
        order, fact = name(body, "order"), name(body, "id")
        place = name(body, "location")
        to_place = name(body, "to") if topic == "transfer" else None
        if to_place and to_place == (place or self._only_place()):
            raise MalformedPayload("to: is the location they leave from")
        if topic == "sale":
            order = fact = order or fact
            if order is None:
                raise MalformedPayload("order: missing; a sale needs it, or `id`")
        elif topic in ("order", "cancellation"):
            fact = None
        channel = name(body, "channel")
        channel = None if channel == self.channel.key else channel
        order = order if what.kind in OF_ORDERS else None
        occurred_at = instant(body, "occurred_at")
        return {
            "occurred_at": occurred_at,
            "version": version(body, occurred_at),
            "place": place,
            "to_place": to_place,
            "order": order,
            "order_number": number_in(order) if channel else None,
            "order_channel": channel,
            "fact": fact,
            "of": name(body, "of") if topic == "receipt" else None,
            "scope": scope_of(topic, body),
        }

    def _only_place(self) -> str | None:
        """Where it happened that names no location, if the channel has but one."""
        places = list(self.channel.locations.values())
        return places[0] if len(places) == 1 else None

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
        # By the receiver's clock: ours may be wrong, and it takes five minutes at most.
        signed_at = self.http.theirs(instants.now())
        signed = self.signature.sign(body, secret, signed_at, key)
        headers = {"content-type": "application/json", **signed}
        try:
            answer = self.http.post(url, data=body, headers=headers, retried=(409,))
        except CredentialsRefused as error:
            if abs(self.http.theirs(instants.now()) - signed_at) <= TOLERANCE:
                raise
            words = f"{error}; its clock is not ours: signed anew by its own"
            raise RetryLater(words, status=error.status) from error
        refused = _refused(answer)
        return [self._outcome(wish, refused) for wish in wishes]

    def _outcome(self, wish: Wish, refused: list[dict[str, Any]]) -> Outcome:
        for row in refused:
            if str(row.get("external_id")) != wish.external_id:
                continue
            place = row.get("location")
            # A row that names no location speaks about the item wherever it is.
            if place is None or str(place) == wish.place:
                reason = self.http.quote(str(row.get("reason") or "no reason given"))
                return Outcome(wish.publication_id, REJECTED, reason)
        return Outcome(wish.publication_id, ACCEPTED)


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

"""Receive: verify on raw bytes, store durably, wake. Step 2 of a webhook's journey.

Before: `app.web.webhooks`. Next: `workers.inbound`. Nothing is parsed here.
"""

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

import adapters
from adapters.base import Adapter
from adapters.http import Http
from adapters.signatures import SignedRequest
from app.domain.channels import Channel
from app.domain.errors import (
    BadConfiguration,
    ChannelError,
    HubError,
    KeyMissing,
    WebhookRefused,
)
from app.domain.instants import MINUTE, Instant, now as time_now
from app.store.configuration import channels as store, secret_facts
from app.store.engine import writing
from app.store.receiving.inbox import body_hash, count_refusal, keep_sample
from app.store.receiving.writer import AWAY_SECONDS, UNWRITABLE, Row, inbox_writer
from app.store.trouble import AWAY, trouble
from app.store.vault import Vault
from app.store.watching import clock

CONFIGURATION_SECONDS = 2.0
"""How old a channel's configuration may be in the request."""
_SAFE_HEADERS = {
    "content-length",
    "content-type",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "x-shopify-topic",
    "x-shopify-shop-domain",
    "x-shopify-webhook-id",
}


LONGEST_ID: Final = 200


class NoSuchChannel(WebhookRefused):
    """Nobody has told us of this channel."""

    cause = "no_such_channel"


class CannotStore(HubError):
    """It cannot be checked or kept now: the sender should come again."""


class Bell(Protocol):
    """Has lanes of work woken; nobody waits for that."""

    def wake(self, lane: str) -> object:
        """Say that there is work."""

    def close(self) -> None:
        """Tell what is rung, and end."""


class Limits(Protocol):
    """The settings that matter here."""

    @property
    def public_url(self) -> str:
        """Where the world reaches us."""

    @property
    def refused_samples(self) -> int:
        """How many refused requests are kept."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender is told."""

    status: str
    id: int


class Receiver:
    """Takes webhooks in. One per process; used by many threads."""

    def __init__(
        self, engine: Engine, vault: Vault, bell: Bell, settings: Limits
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._bell = bell
        self._settings = settings
        self._writer = inbox_writer(engine)
        self._known: dict[str, tuple[float, Adapter]] = {}
        self._used: dict[tuple[int, str | None], Instant] = {}
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._ahead: tuple[Instant, ...] = ()

    def receive(
        self,
        key: str,
        headers: Mapping[str, str],
        body: bytes,
        token: str | None,
        now: Instant,
    ) -> Receipt:
        """Store one webhook. `headers` have lower-case names.

        Raises NoSuchChannel, MissingHeader, InvalidSignature, StaleWebhook (all
        counted, nothing stored) or CannotStore.
        """
        request = SignedRequest(headers, body, now, token)
        adapter, delivery_id, secret = self._verified(key, request)
        kept = {name: headers[name] for name in adapter.headers if name in headers}
        try:
            inbox_id, new = self._writer.put(
                Row(
                    adapter.channel.id,
                    _short(delivery_id),
                    body_hash(body),
                    json.dumps(kept),
                    self._vault.seal(body),
                    now,
                )
            )
        except UNWRITABLE as error:
            raise CannotStore(
                f"{trouble(error) or AWAY} ({type(error).__name__}); send it again"
            ) from error
        if new:
            self._bell.wake("inbound")
        self._note_use(adapter.channel.id, secret, now)
        return Receipt("accepted" if new else "duplicate", inbox_id)

    def _note_use(self, channel_id: int, secret: str | None, now: Instant) -> None:
        """Keep when a secret last proved a webhook, to the minute; or, where there is
        none of ours, the provider's own key."""
        if now - self._used.get((channel_id, secret), 0) < MINUTE:
            return
        self._used[channel_id, secret] = now
        theirs = secret_facts.THEIRS
        mark = theirs if secret is None else secret_facts.fingerprint(secret)
        # The webhook is stored already: it must not fail for this.
        quick = writing(self._engine, durable=False)
        with suppress(SQLAlchemyError, OSError), quick as connection:
            told = {"used_at": now}
            secret_facts.learn(connection, channel_id, "webhook", mark, told)

    def _verified(
        self, key: str, request: SignedRequest
    ) -> tuple[Adapter, str, str | None]:
        headers, size = request.headers, len(request.body)
        try:
            adapter = self._adapter(key)
            request = replace(request, ahead=self._ahead)
            secret = adapter.verify(request)
            return adapter, adapter.delivery_id(request), secret
        except WebhookRefused as refusal:
            words = str(refusal)
            self.refuse(key, refusal.cause, words, headers, size, request.received_at)
            raise
        except ChannelError as error:
            # The provider's own keys could not be read to check the signature.
            raise CannotStore(
                f"the signature cannot be checked now: {error}"
            ) from error

    def close(self) -> None:
        """Let go of the database and of Redis."""
        self._writer.close()
        self._bell.close()

    def _adapter(self, key: str) -> Adapter:
        if (known := self._recent(key)) is not None:
            return known
        with self._lock:
            # Another request may have read it, or found nobody there, meanwhile: a
            # row of requests that each wait for a silent database is a row too long.
            if (known := self._recent(key)) is not None:
                return known
            if time.monotonic() < self._away_until:
                raise CannotStore(f"{AWAY}; send it again")
            return self._read_adapter(key)

    def _recent(self, key: str) -> Adapter | None:
        known = self._known.get(key)
        if known is None or time.monotonic() - known[0] > CONFIGURATION_SECONDS:
            return None
        return known[1]

    def _read_adapter(self, key: str) -> Adapter:
        known = self._known.get(key)
        try:
            with self._engine.connect() as connection:
                channel = store.find(connection, self._vault, key)
                self._ahead = clock.in_doubt(connection, time_now())
        except SQLAlchemyError as error:
            if known is not None:
                # What was right two seconds ago can still check a signature.
                self._known[key] = (time.monotonic(), known[1])
                return known[1]
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise CannotStore(f"{trouble(error) or AWAY}; send it again") from error
        except KeyMissing as error:
            raise CannotStore(f"the channel's secrets were {error}") from error
        if channel is None:
            self._known.pop(key, None)
            raise NoSuchChannel(f"there is no channel {key!r} here")
        adapter = known[1] if known is not None else None
        try:
            channel = with_address(channel, self._settings.public_url)
            if adapter is None or adapter.channel != channel:
                kind = adapters.get(channel.provider)
                adapter = kind(channel, Http(kind.title, channel.key, deadline=5))
        except BadConfiguration as error:
            # It was added, by whoever loaded the channel, after this process began.
            raise CannotStore(f"{error}; start all processes again") from error
        self._known[key] = (time.monotonic(), adapter)
        return adapter

    def refuse(
        self,
        channel: str,
        cause: str,
        message: str,
        headers: Mapping[str, str],
        body_bytes: int,
        now: Instant,
    ) -> None:
        """Count a refused request and keep a sample: never its body or a secret.

        An unknown channel is counted under "?", so that nobody fills the table.
        """
        named = channel if cause != NoSuchChannel.cause else "?"
        sample: dict[str, Any] = {
            "channel": named,
            "cause": cause,
            "received_at": now,
            "message": message[:300],
            "headers": json.dumps(_safe(headers)),
            "body_bytes": body_bytes,
        }
        try:
            with writing(self._engine) as connection:
                count_refusal(connection, named, cause, now)
                keep_sample(connection, sample, self._settings.refused_samples)
        except (SQLAlchemyError, OSError):
            # Counting must not stand between a sender and its answer.
            return


def with_address(channel: Channel, public_url: str) -> Channel:
    """Fill in the address this channel's webhooks are sent to, where it is not set."""
    if "notification_url" in channel.settings:
        return channel
    kind = adapters.get(channel.provider)
    if "notification_url" not in kind.settings:
        return channel
    address = f"{public_url.rstrip('/')}/webhooks/{channel.key}"
    return replace(channel, settings={**channel.settings, "notification_url": address})


def _short(delivery_id: str) -> str:
    """Of a longer id than any provider gives, its digest: it must fit into an index."""
    if len(delivery_id) <= LONGEST_ID:
        return delivery_id
    return f"sha256:{hashlib.sha256(delivery_id.encode()).hexdigest()}"


def _safe(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value[:120] if name in _SAFE_HEADERS else "(not kept)"
        for name, value in list(headers.items())[:40]
    }

"""How a webhook proves where it comes from: schemes as data, checked on raw bytes.

Every comparison is constant in time and tries all of the channel's current secrets, so
that a secret can be rotated without losing a webhook. `sign` exists so that tests can
sign recorded bodies again. An empty secret is none: anybody could sign with it.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.domain.errors import InvalidSignature, MissingHeader, StaleWebhook
from app.domain.instants import MINUTE, SECOND, Instant

TOLERANCE: Instant = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A webhook as it came in. `headers` have lower-case names."""

    headers: Mapping[str, str]
    body: bytes
    received_at: Instant
    token: str | None = None
    """The last part of /webhooks/<channel>/<token>, for providers that cannot sign."""
    ahead: tuple[Instant, ...] = ()
    """How far other clocks are ahead of ours, where it is in doubt which one is right."""

    def is_fresh(self, sent_at: Instant) -> bool:
        """Whether it was sent just now, by any of these clocks."""
        age = self.received_at - sent_at
        return any(abs(age + one) <= TOLERANCE for one in (0, *self.ahead))


class Signature(Protocol):
    """A way of signing."""

    def verify(self, request: SignedRequest, secrets: Sequence[str]) -> str | None:
        """Return the secret that signed it; None where it was no secret of ours.

        Raises MissingHeader, InvalidSignature or StaleWebhook unless it is signed.
        """

    def sign(self, body: bytes, secret: str, at: Instant) -> Mapping[str, str]:
        """The headers a sender with that secret would add."""


def header(request: SignedRequest, *names: str) -> str:
    """The first of these headers that is there; raise MissingHeader otherwise."""
    for name in names:
        value = request.headers.get(name)
        if value:
            return value
    raise MissingHeader(f"the header {names[0]} is missing")


def matches(expected: bytes, given: str) -> bool:
    """Compare in constant time; text that is not ASCII is simply not equal."""
    return hmac.compare_digest(expected, given.encode("utf-8", "replace"))


@dataclass(frozen=True)
class HmacBody:
    """Base64 of HMAC-SHA256 over `prefix + body`, in one of several headers."""

    names: tuple[str, ...]
    prefix: bytes = b""

    def verify(self, request: SignedRequest, secrets: Sequence[str]) -> str:
        given = header(request, *self.names).strip()
        # No early exit: the time taken does not tell which secret matched.
        found = [
            secret
            for secret in filter(None, secrets)
            if matches(self._digest(request.body, secret), given)
        ]
        if not found:
            raise InvalidSignature(
                f"{self.names[0]} does not match any of this channel's secrets"
            )
        return found[0]

    def sign(self, body: bytes, secret: str, at: Instant) -> Mapping[str, str]:
        return {self.names[0]: self._digest(body, secret).decode()}

    def _digest(self, body: bytes, secret: str) -> bytes:
        made = hmac.new(secret.encode(), self.prefix + body, hashlib.sha256)
        return base64.b64encode(made.digest())


@dataclass(frozen=True)
class StandardWebhooks:
    """https://www.standardwebhooks.com, version 1.0.0, symmetric (`v1`) only.

    The maintained library leaks parsing errors on bad input and parses the body, which
    the request must not do; it stays in the tests as an oracle.
    """

    def verify(self, request: SignedRequest, secrets: Sequence[str]) -> str:
        message_id = header(request, "webhook-id")
        timestamp = header(request, "webhook-timestamp")
        given = header(request, "webhook-signature")
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
            raise InvalidSignature("webhook-timestamp is not whole Unix seconds")
        if not request.is_fresh(int(timestamp) * SECOND):
            raise StaleWebhook(
                "webhook-timestamp is more than five minutes from our clock"
            )
        # One HMAC per secret, however many signatures the header lists: a stranger
        # chooses how many those are.
        made = {
            secret: self._signature(message_id, timestamp, request.body, secret)
            for secret in secrets
            if standard_key(secret)
        }
        texts = given.split()
        found = [
            secret
            for secret, one in made.items()
            for text in texts
            if matches(one, text)
        ]
        if not found:
            raise InvalidSignature(
                "webhook-signature does not match any of this channel's secrets"
            )
        return found[0]

    def sign(
        self, body: bytes, secret: str, at: Instant, message_id: str = "msg_1"
    ) -> Mapping[str, str]:
        timestamp = str(at // SECOND)
        signature = self._signature(message_id, timestamp, body, secret)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature.decode(),
        }

    def _signature(self, message_id: str, at: str, body: bytes, secret: str) -> bytes:
        content = f"{message_id}.{at}.".encode() + body
        made = hmac.new(standard_key(secret), content, hashlib.sha256)
        return b"v1," + base64.b64encode(made.digest())


PREFIX = "whsec_"


def standard_key(secret: str) -> bytes:
    """The key inside `whsec_<base64>`; a secret that is no base64 is the key itself.

    Empty for an empty secret, which signs nothing that anybody may believe.
    """
    text = secret.removeprefix(PREFIX)
    if text != secret:
        # The padding is often lost when a secret is copied by a double click.
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def is_broken(secret: str) -> bool:
    """Whether it looks like a `whsec_…` secret but cannot be one."""
    return secret.startswith(PREFIX) and standard_key(secret) == secret.encode()


@dataclass(frozen=True)
class TokenInAddress:
    """For providers that cannot sign: a secret word at the end of the address."""

    def verify(self, request: SignedRequest, secrets: Sequence[str]) -> str:
        given = request.token or ""
        found = [one for one in filter(None, secrets) if matches(one.encode(), given)]
        if not found:
            raise InvalidSignature("the token in the address is not this channel's")
        return found[0]

    def sign(self, body: bytes, secret: str, at: Instant) -> Mapping[str, str]:
        return {}

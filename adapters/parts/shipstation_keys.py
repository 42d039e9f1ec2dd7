"""How ShipStation proves itself: RSA over the body, or a token where it does not sign.

https://docs.shipstation.com/apis/docs/guides/webhooks-validation

One key pair signs for every customer of ShipStation, so a signature says "ShipStation
sent this", not "this is about our account". It is enough, because a webhook is only a
pointer: what counts is read with our own credentials.
"""

import base64
import binascii
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic as _clock

from cryptography.exceptions import InvalidSignature as Mismatch
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.http import Http
from adapters.signatures import SignedRequest, TokenInAddress, header
from app.domain import instants
from app.domain.errors import ChannelError, InvalidSignature, RetryLater, StaleWebhook
from app.domain.instants import Instant

_SIGNATURE = "x-shipengine-rsa-sha256-signature"
_KEY_ID = "x-shipengine-rsa-sha256-key-id"
_TIMESTAMP = "x-shipengine-timestamp"

_PAUSE = 60.0
"""Seconds between two looks at the key list: strangers can make up key ids."""
_PAUSE_AFTER_FAILURE = 5.0
_LIFETIME = 24 * 3600.0
"""Seconds after which the list is looked at again: a key may have been withdrawn."""


@dataclass
class KeyRing:
    """ShipStation's public keys by id, as one address lists them."""

    url: str
    _keys: Mapping[str, rsa.RSAPublicKey] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _next_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, key_id: str, http: Http) -> rsa.RSAPublicKey:
        """The key of that id; raise InvalidSignature when ShipStation lists none.

        Raises RetryLater when the list cannot be read and the id is not known.
        """
        known = self._keys.get(key_id)
        is_old = _clock() - self._read_at > _LIFETIME
        if (known is None or is_old) and self._is_my_turn():
            try:
                self._look(http)
            except ChannelError as error:
                if known is None:
                    raise RetryLater("ShipStation's key list cannot be read") from error
            known = self._keys.get(key_id)
        if known is None and self._read_at == float("-inf"):
            raise RetryLater("ShipStation's key list has not been read yet")
        if known is None:
            raise InvalidSignature(f"{_KEY_ID} names no key of ShipStation's")
        return known

    def _is_my_turn(self) -> bool:
        """Let one request look, at most once a minute; nobody waits for it."""
        with self._lock:
            now = _clock()
            if now < self._next_at:
                return False
            self._next_at = now + _PAUSE
            return True

    def _look(self, http: Http) -> None:
        try:
            listed = http.get(self.url).json()
        except ChannelError:
            self._next_at = _clock() + _PAUSE_AFTER_FAILURE
            raise
        rows = listed.get("keys") if isinstance(listed, dict) else None
        found = [_key(row) for row in rows or () if isinstance(row, dict)]
        self._keys = dict(pair for pair in found if pair)
        self._read_at = _clock()


_RINGS: dict[str, KeyRing] = {}


def ring(url: str) -> KeyRing:
    """The process's one ring for an address."""
    return _RINGS.setdefault(url, KeyRing(url))


def _key(row: Mapping[str, object]) -> tuple[str, rsa.RSAPublicKey] | None:
    """One entry of the list; None for keys of another kind or no sense."""
    key_id, modulus, exponent = (row.get(name) for name in ("kid", "n", "e"))
    if row.get("kty") != "RSA" or not isinstance(key_id, str):
        return None
    try:
        numbers = rsa.RSAPublicNumbers(_number(exponent), _number(modulus))
        return key_id, numbers.public_key()
    except (ValueError, TypeError):
        return None


def _number(text: object) -> int:
    raw = str(text)
    return int.from_bytes(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)), "big")


@dataclass(frozen=True)
class ShipStationSignature:
    """A token in the address where there is one, else the RSA signature."""

    keys: KeyRing
    http: Http | None = None

    def verify(self, request: SignedRequest, secrets: Sequence[str]) -> str | None:
        if request.token:
            return TokenInAddress().verify(request, secrets)
        given, key_id = header(request, _SIGNATURE), header(request, _KEY_ID)
        timestamp = header(request, _TIMESTAMP)
        _refuse_stale(timestamp, request)
        if self.http is None:
            raise RuntimeError("keys are looked up through a channel's own http")
        key = self.keys.key(key_id, self.http)
        try:
            signature = base64.b64decode(given, validate=True)
            signed = timestamp.encode() + b"." + request.body
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except (binascii.Error, ValueError, Mismatch):
            raise InvalidSignature(f"{_SIGNATURE} does not match the body") from None
        return None

    def sign(self, body: bytes, secret: str, at: Instant) -> Mapping[str, str]:
        """Sign with a private key in PEM; any other secret is a token: no header."""
        if not secret.startswith("-----BEGIN"):
            return {}
        key = serialization.load_pem_private_key(secret.encode(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("ShipStation signs with RSA")
        timestamp = instants.iso(at)
        signed = timestamp.encode() + b"." + body
        made = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return {
            _SIGNATURE: base64.b64encode(made).decode(),
            _KEY_ID: key_id_of(key.public_key()),
            _TIMESTAMP: timestamp,
        }


def key_id_of(key: rsa.RSAPublicKey) -> str:
    """A name for a key that depends on nothing but the key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()[:32]


def _refuse_stale(timestamp: str, request: SignedRequest) -> None:
    try:
        sent_at = instants.parse(timestamp)
    except (ValueError, OverflowError):
        raise InvalidSignature(f"{_TIMESTAMP} is not a time with its zone") from None
    if not request.is_fresh(sent_at):
        raise StaleWebhook(f"{_TIMESTAMP} is more than five minutes from our clock")

"""Sealing what must not lie about in plain text: provider secrets, received bodies.

Fernet keys are made from the settings' secret keys; the first seals, every one opens,
so a key can be rotated: https://cryptography.io/en/latest/fernet/.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.domain.errors import KeyMissing

Sealed = TypeVar("Sealed", str, bytes)


class Vault:
    """Opens what it sealed, now or with an earlier key."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in keys])

    def seal(self, plain: bytes) -> bytes:
        """Encrypt."""
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt; raise KeyMissing when no key fits."""
        try:
            return self._fernet.decrypt(bytes(sealed))
        except InvalidToken as error:
            raise KeyMissing(
                "stored with another ONECOUNT_SECRET_KEY: set the former one in "
                "ONECOUNT_SECRET_KEY_PREVIOUS",
                "ONECOUNT_SECRET_KEY",
            ) from error

    def reseal(self, sealed: Sealed) -> Sealed:
        """The same, sealed with the first key; raise KeyMissing as `open`."""
        if isinstance(sealed, str):
            return self.seal(self.open(sealed.encode())).decode()
        return self.seal(self.open(sealed))

    def seal_json(self, value: Any) -> str:
        """Encrypt a JSON value into text."""
        return self.seal(json.dumps(value).encode()).decode()

    def open_json(self, sealed: str) -> Any:
        """Decrypt what `seal_json` made; empty text is an empty object."""
        return json.loads(self.open(sealed.encode())) if sealed else {}


def _fernet_key(secret: str) -> bytes:
    digest = hashlib.sha256(b"onecount vault " + secret.encode()).digest()
    return base64.urlsafe_b64encode(digest)

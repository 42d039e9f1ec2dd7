"""One call to the Admin API: address, token, and which errors mean what.

Most refusals come with status 200 and an `errors` list, so the class of an error is
read from its code. Tokens of the client-credentials grant live 24 hours; they are kept
in the process and renewed before they end, by one thread at a time.

https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from adapters.http import Answer, Http
from app.domain.budget import Budget
from app.domain.channels import Channel
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import MINUTE, SECOND, Instant, now

API_VERSION = "2026-10"

_RENEWED_BEFORE: Instant = 10 * MINUTE

_SHOP_IS_AWAY = {
    402: "the shop is frozen until its bill is paid",
    423: "the shop is locked",
}
_SLOW_DOWN = 430
_SLOW_DOWN_SECONDS = 60.0

_TRANSIENT = {"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"}
_REFUSED = {"ACCESS_DENIED", "SHOP_INACTIVE", "UNAUTHORIZED"}


class _Token(NamedTuple):
    value: str
    ends_at: Instant


class _Tokens:
    """The tokens of this process, by shop and client id."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Token] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._guard = threading.Lock()

    def lock(self, key: tuple[str, str]) -> threading.Lock:
        """One lock per shop: a shop that hangs holds up no other."""
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def get(self, key: tuple[str, str]) -> str | None:
        """A token that still lives a while."""
        held = self._held.get(key)
        if held is None or held.ends_at - _RENEWED_BEFORE < now():
            return None
        return held.value

    def put(self, key: tuple[str, str], token: _Token) -> None:
        """Keep a new token."""
        self._held[key] = token

    def forget(self, key: tuple[str, str], value: str) -> None:
        """Drop a token the shop refused, unless another thread renewed it already."""
        with self.lock(key):
            held = self._held.get(key)
            if held is not None and held.value == value:
                del self._held[key]


_tokens = _Tokens()


class Admin:
    """The Admin API of one shop."""

    def __init__(self, channel: Channel, http: Http) -> None:
        self.channel = channel
        self.http = http
        shop = str(channel.settings.get("shop") or "")
        self.base = (channel.base_url or f"https://{shop}").rstrip("/")
        version = str(channel.settings.get("api_version") or API_VERSION)
        self.url = f"{self.base}/admin/api/{version}/graphql.json"

    @property
    def can_ask(self) -> bool:
        """Whether the channel was given anything to log in with."""
        secret = self.channel.secret
        pair = secret("client_id") and secret("client_secret")
        return bool(secret("access_token") or pair)

    def ask(self, document: str, variables: dict[str, Any], scope: str) -> Any:
        """Send one document; return its `data`. `scope` is what it needs, for errors.

        Raises RetryLater, GiveUp or CredentialsRefused.
        """
        answer = self._post(document, variables)
        told = answer.json()
        if not isinstance(told, dict):
            raise RetryLater(f"{self.name}: no JSON object came back", unknown=True)
        self.http.budget = budget_of(told, now()) or self.http.budget
        errors = told.get("errors")
        if errors:
            raise self._refusal(errors, told, scope)
        if not isinstance(told.get("data"), dict):
            raise RetryLater(f"{self.name}: the answer has no data", unknown=True)
        return told["data"]

    @contextmanager
    def expecting(self, what: str) -> Iterator[None]:
        """Raise RetryLater where an answer is not built as the schema promises."""
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            words = f"{self.name} answered with {what} of another shape"
            raise RetryLater(f"{words} ({type(error).__name__})") from error

    def _post(self, document: str, variables: dict[str, Any]) -> Answer:
        token = self._token()
        answer = self._post_as(token, document, variables)
        if answer.status == 401 and self._key() is not None:
            # Revoked or rotated before its time: once more with a new one.
            _tokens.forget(self._key() or ("", ""), token)
            answer = self._post_as(self._token(), document, variables)
        if 200 <= answer.status < 300:
            return answer
        if answer.status == _SLOW_DOWN:
            raise RetryLater(
                f"{self.name} answered {_SLOW_DOWN}: it asks for fewer calls",
                after=_SLOW_DOWN_SECONDS,
                status=_SLOW_DOWN,
            )
        why = _SHOP_IS_AWAY.get(answer.status, "it does not accept the access token")
        raise CredentialsRefused(
            f"{self.name} answered {answer.status}: {why}", status=answer.status
        )

    def _post_as(self, token: str, document: str, variables: Any) -> Answer:
        return self.http.post(
            self.url,
            json={"query": document, "variables": variables},
            headers={"X-Shopify-Access-Token": token, "Accept": "application/json"},
            passes=(401, *_SHOP_IS_AWAY, _SLOW_DOWN),
        )

    # -- who we are ------------------------------------------------------------

    def _key(self) -> tuple[str, str] | None:
        """Shop and client id, unless the channel has a token of its own."""
        client_id = self.channel.secret("client_id")
        if self.channel.secret("access_token") or not client_id:
            return None
        return (self.base, client_id)

    def _token(self) -> str:
        fixed = self.channel.secret("access_token")
        if fixed:
            return fixed
        key = self._key()
        if key is None or not self.channel.secret("client_secret"):
            raise CredentialsRefused(
                f"{self.name} has neither the secret access_token "
                "nor client_id and client_secret"
            )
        with _tokens.lock(key):
            held = _tokens.get(key)
            if held is None:
                token = self._new_token()
                _tokens.put(key, token)
                held = token.value
            return held

    def _new_token(self) -> _Token:
        asked_at = now()
        answer = self.http.post(
            f"{self.base}/admin/oauth/access_token",
            data={
                "grant_type": "client_credentials",
                "client_id": self.channel.secret("client_id"),
                "client_secret": self.channel.secret("client_secret"),
            },
            headers={"Accept": "application/json"},
            passes=(400, 404),
        )
        if answer.status >= 400:
            raise CredentialsRefused(
                f"{self.name} gave no token for client_id and client_secret "
                f"({answer.status}): is the app installed in this shop?",
                status=answer.status,
            )
        told = answer.json()
        value = told.get("access_token") if isinstance(told, dict) else None
        if not isinstance(value, str) or not value:
            raise RetryLater(f"{self.name} answered without a token")
        self.http.hide([value])
        with self.expecting("a token"):
            lives = int(told.get("expires_in") or 0) * SECOND
        return _Token(value, asked_at + lives)

    # -- what went wrong -------------------------------------------------------

    def _refusal(self, errors: Any, told: dict[str, Any], scope: str) -> Exception:
        first = errors[0] if isinstance(errors, list) else errors
        first = first if isinstance(first, dict) else {"message": first}
        extensions = first.get("extensions")
        extensions = extensions if isinstance(extensions, dict) else {}
        code = str(extensions.get("code") or "")
        words = f"{self.name}: {self.quote(str(first.get('message')))}"
        if code == "THROTTLED":
            return RetryLater(words, after=wait_for_points(told), status=200)
        if code in _TRANSIENT:
            return RetryLater(words, status=200, unknown=True)
        if code == "ACCESS_DENIED":
            needed = self.quote(str(extensions.get("requiredAccess") or f"`{scope}`"))
            return CredentialsRefused(f"{words} (missing scope: {needed})", status=200)
        if code in _REFUSED:
            return CredentialsRefused(words, status=200)
        return GiveUp(f"{words} ({code or 'no code'})", status=200)

    def quote(self, text: str) -> str:
        """The shop's own words as an error may repeat them."""
        return self.http.quote(text)[:300]

    @property
    def name(self) -> str:
        """Provider and channel, as errors name them."""
        return f"Shopify ({self.channel.key})"


def budget_of(told: dict[str, Any], at: Instant) -> Budget | None:
    """The points that are left, as every answer tells them."""
    try:
        cost = told["extensions"]["cost"]
        bucket = cost["throttleStatus"]
        return Budget(
            float(bucket["currentlyAvailable"]),
            float(bucket["maximumAvailable"]),
            at,
            rate=float(bucket["restoreRate"]),
            cost=float(cost.get("requestedQueryCost") or 1),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def wait_for_points(told: dict[str, Any]) -> float | None:
    """Seconds until the bucket holds what the refused document asked for, if told."""
    bucket = budget_of(told, now())
    if bucket is None or not bucket.rate:
        return None
    return max(0.1, (bucket.cost - bucket.left) / bucket.rate)

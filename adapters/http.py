"""The only way out: one pooled session, one total deadline, statuses as error types.

Redirects are never followed. `tenacity` smooths a dropped connection inside one
attempt; trying again later is the publication's business, not ours.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
import tenacity
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from adapters.addresses import address_problem, host_of, refuse_private
from adapters.allowance import allowance, date, retry_after
from adapters.wire import Wire
from app.domain import retry
from app.domain.budget import Budget
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import MINUTE, SECOND, Instant, now

__all__ = [
    "Answer",
    "Http",
    "address_problem",
    "excerpt",
    "host_of",
    "refuse_private",
    "retry_after",
    "scrub",
]

CONNECT_SECONDS = 5.0
NEAR: Instant = 2 * MINUTE
"""Clocks that differ by less are alike: dates tick seconds, and answers take some."""
ANSWER_BYTES = 8 * 1024 * 1024
_EXCERPT = 300
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_PHONE = re.compile(
    # International, national with its zero, or in North American groups; ids and
    # dates have neither and stay readable.
    r"\+\d[\d ()/.-]{6,}\d"
    r"|(?<![\w-])\(?0\d[\d ()/.-]{6,}\d"
    r"|(?<![\w-])\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?!\w)"
)
_LOOPBACK = re.compile(r"https?://(127\.|localhost\b|\[::1\])", re.IGNORECASE)
_NO_PROXY = {"http": None, "https": None, "all": None}


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def json(self) -> Any:
        """The body as JSON; raise RetryLater when it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise RetryLater(
                f"answered {self.status} with something that is not JSON: "
                f"{excerpt(self.body, self.hidden)}",
                status=self.status,
                unknown=True,
            ) from error


class Http:
    """Calls for one channel. Not shared between threads.

    `deadline` is the total time of one call in seconds, tries included. `title` and
    `channel` name the call in errors. `private` allows addresses inside the own
    network: true only for addresses given by `onecount load`.
    """

    def __init__(
        self, title: str, channel: str, *, deadline: float = 20.0, private: bool = True
    ) -> None:
        self.title = title
        self.channel = channel
        self.deadline = deadline
        self.private = private
        self.session = Wire(public_only=not private)
        self.session.headers["user-agent"] = "Onecount"
        self._hidden: tuple[str, ...] = ()
        self.budget: Budget | None = None
        """What the provider last said it still allows us."""
        self.ahead: Instant = 0
        """How far its clock is ahead of ours; 0 when they are alike, or it told none."""
        self.lag: Instant = 0  # how far it may be behind; 0 where both may be alike
        self.told_time_at: Instant | None = None
        """When it last told its time, by our clock."""

    def hide(self, secrets: Iterable[str]) -> None:
        """Never quote these from an answer, as they are or as an address has them."""
        known = [secret for secret in secrets if len(secret) >= 4]
        escaped = [secret.replace("/", "\\/") for secret in known]
        in_addresses = [quote(secret, safe="") for secret in known]
        found = {*self._hidden, *known, *escaped, *in_addresses}
        # The longest first, or a part of one would be left standing.
        self._hidden = tuple(sorted(found, key=len, reverse=True))

    def quote(self, text: str) -> str:
        """A provider's words as we may store and show them: short, nobody's data."""
        return excerpt(text.encode("utf-8", "replace"), self._hidden)

    def theirs(self, at: Instant) -> Instant:
        """One of our times by the provider's clock."""
        return at + self.ahead

    def get(self, url: str, **arguments: Any) -> Answer:
        """GET; see `call`."""
        return self.call("GET", url, **arguments)

    def post(self, url: str, **arguments: Any) -> Answer:
        """POST; see `call`."""
        return self.call("POST", url, **arguments)

    def call(
        self,
        method: str,
        url: str,
        *,
        repeatable: bool = True,
        passes: tuple[int, ...] = (),
        retried: tuple[int, ...] = (),
        **arguments: Any,
    ) -> Answer:
        """Make one call and return its 2xx answer (or a status named in `passes`).

        `repeatable`: the same call twice is harmless (reads, and writes under an
        idempotency key), so a dropped connection is tried again within the deadline.
        `retried`: further statuses that mean "later" with this provider.
        Raises RetryLater, GiveUp or CredentialsRefused; the message names the
        provider, the channel and the status.
        """
        if problem := address_problem(url):
            raise GiveUp(f"{self._name()}: the address {problem}")
        if not self.private:
            refuse_private(url)
        if _LOOPBACK.match(url):
            arguments.setdefault("proxies", _NO_PROXY)
        call, began = _Call(self.session, method, url, arguments, self.deadline), now()
        try:
            with self.session.cut_after(self.deadline):
                status, headers, body = call.made(tries=3 if repeatable else 1)
        except requests.RequestException as error:
            raise self._failure(call, error) from call.cause(error)
        except UnicodeError:
            # Not chained: the header it quotes may be a secret.
            words = f"{self._name()}: a secret holds letters that no header can"
            raise GiveUp(words) from None
        self._heed(headers, began, now())
        answer = Answer(status, headers, body, self._hidden)
        if 200 <= status < 300 or status in passes:
            return answer
        raise self._refusal(answer, retried)

    def _heed(self, headers: Mapping[str, str], began: Instant, at: Instant) -> None:
        """Keep what an answer tells beside its body."""
        self.budget = allowance(headers, at) or self.budget
        if (time_there := date(headers.get("date"))) is not None:
            ahead = time_there + SECOND - at  # a date has no fractions
            self.ahead = ahead if abs(ahead) > NEAR else 0
            self.lag = at - time_there if time_there + SECOND < began else 0
            self.told_time_at = at

    def _failure(
        self, call: "_Call", error: requests.RequestException
    ) -> RetryLater | GiveUp:
        if isinstance(error, ValueError):
            words = f"{self._name()}: the call cannot be made ({type(error).__name__})"
            return GiveUp(words)
        if call.is_silent(error):
            words = f"{self._name()} did not answer within {self.deadline:g} s"
        else:
            words = f"{self._name()} could not be reached ({type(error).__name__})"
        return RetryLater(
            words, unknown=call.maybe_sent, timed_out=call.is_silent(error)
        )

    def _refusal(self, answer: Answer, retried: tuple[int, ...]) -> RetryLater | GiveUp:
        status = answer.status
        words = f"{self._name()} answered {status}: "
        words += excerpt(answer.body, self._hidden)
        meant = retry.rule(status, retried)
        if meant == retry.LATER:
            after = retry_after(answer.headers.get("retry-after"))
            unknown = retry.is_maybe_done(status)
            return RetryLater(words, after=after, status=status, unknown=unknown)
        if meant == retry.CREDENTIALS:
            return CredentialsRefused(words, status=status)
        return GiveUp(words, status=status)

    def _name(self) -> str:
        return f"{self.title} ({self.channel})"


class _Call:
    """One call with its tries."""

    def __init__(
        self,
        session: Wire,
        method: str,
        url: str,
        arguments: dict[str, Any],
        deadline: float,
    ) -> None:
        self.session = session
        self.request = {"method": method, "url": url, **arguments}
        self.ends = time.monotonic() + deadline
        self.deadline = deadline
        self.maybe_sent = False
        """Whether any of the tries may have reached the channel."""

    def made(self, tries: int) -> tuple[int, Mapping[str, str], bytes]:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_dropped),
            stop=tenacity.stop_after_attempt(tries)
            | tenacity.stop_after_delay(self.deadline / 2),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1),
            reraise=True,
        )
        return retrying(self._try)

    def _try(self) -> tuple[int, Mapping[str, str], bytes]:
        try:
            return self._answer()
        except requests.RequestException as error:
            self.maybe_sent |= not _never_left(error)
            raise

    def _answer(self) -> tuple[int, Mapping[str, str], bytes]:
        left = max(0.05, self.ends - time.monotonic())
        with self.session.request(
            **self.request,
            timeout=(min(CONNECT_SECONDS, left), left),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(65536):
                body += chunk
                if len(body) > ANSWER_BYTES:
                    raise GiveUp("the channel sent an answer of over 8 MiB")
            if self.session.is_over():
                # Cut off in its headers, an answer looks like a complete one.
                raise requests.ReadTimeout("the answer was still coming in")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status_code, headers, bytes(body)

    def is_silent(self, error: requests.RequestException) -> bool:
        return _is_timeout(error) or time.monotonic() >= self.ends - 0.05

    def cause(self, error: requests.RequestException) -> Exception | None:
        """What to chain: not an error that quotes the header it complains about."""
        return None if isinstance(error, ValueError) else error


def _is_timeout(error: BaseException) -> bool:
    inner = error.args[0] if error.args else None
    # Silence in the middle of a body is called a ConnectionError by requests.
    return isinstance(error, requests.Timeout) or isinstance(inner, ReadTimeoutError)


def _is_dropped(error: BaseException) -> bool:
    return isinstance(error, requests.ConnectionError) and not _is_timeout(error)


def _never_left(error: requests.RequestException) -> bool:
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", None)
    return isinstance(error, requests.ConnectTimeout | ValueError) or isinstance(
        reason, NewConnectionError
    )


def excerpt(body: bytes, hidden: Iterable[str] = ()) -> str:
    """The first words of an answer, without addresses, phone numbers and secrets."""
    text = body[: 16 * _EXCERPT].decode("utf-8", "replace")
    for secret in hidden:
        text = text.replace(secret, "(secret)")
    # NUL goes too: no database takes it.
    return scrub(" ".join(text.replace("\0", "?").split()))[:_EXCERPT] or "(no body)"


def scrub(text: str) -> str:
    """Take out what looks like an e-mail address or a phone number."""
    return _PHONE.sub("(number)", _ADDRESS.sub("(address)", text))

"""The only way out: one pooled session, one total deadline, statuses as error types.

Redirects are never followed. `tenacity` smooths a dropped connection inside one
attempt; trying again later is the publication's business, not ours.
"""

import email.utils
import ipaddress
import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from app.domain.errors import CredentialsRefused, GiveUp, RetryLater

CONNECT_SECONDS = 5.0
ANSWER_BYTES = 8 * 1024 * 1024
_EXCERPT = 300
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_DIGITS = re.compile(r"\+?\d[\d ()/-]{7,}\d")
_RETRIED = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raise RetryLater when it is something else."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise RetryLater(
                f"answered {self.status} with something that is not JSON: "
                f"{excerpt(self.body)}",
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
        self.session = requests.Session()
        self.session.max_redirects = 0

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
        ends = time.monotonic() + self.deadline
        if not self.private:
            refuse_private(url)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(requests.ConnectionError),
            stop=tenacity.stop_after_attempt(3 if repeatable else 1)
            | tenacity.stop_after_delay(max(0.1, self.deadline / 2)),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1),
            reraise=True,
        )
        try:
            answer = retrying(self._once, method, url, ends, arguments)
        except requests.Timeout as error:
            raise RetryLater(
                f"{self._name()} did not answer within {self.deadline:g} s",
                unknown=True,
                timed_out=True,
            ) from error
        except requests.RequestException as error:
            raise RetryLater(
                f"{self._name()} could not be reached ({type(error).__name__})",
                unknown=not isinstance(error, requests.ConnectionError),
            ) from error
        if 200 <= answer.status < 300 or answer.status in passes:
            return answer
        raise self._refusal(answer, retried)

    def _once(
        self, method: str, url: str, ends: float, arguments: dict[str, Any]
    ) -> Answer:
        left = max(0.05, ends - time.monotonic())
        with self.session.request(
            method,
            url,
            timeout=(min(CONNECT_SECONDS, left), left),
            allow_redirects=False,
            stream=True,
            **arguments,
        ) as response:
            body = bytearray()
            # A read timeout restarts with each chunk; the deadline does not.
            for chunk in response.iter_content(65536):
                body += chunk
                if time.monotonic() > ends:
                    raise requests.Timeout("the answer was still coming in")
                if len(body) > ANSWER_BYTES:
                    raise GiveUp(f"{self._name()} sent an answer of over 8 MiB")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, bytes(body))

    def _refusal(self, answer: Answer, retried: tuple[int, ...]) -> RetryLater | GiveUp:
        words = f"{self._name()} answered {answer.status}: {excerpt(answer.body)}"
        if answer.status in (*_RETRIED, *retried) or answer.status >= 500:
            after = retry_after(answer.headers.get("retry-after"))
            unknown = answer.status >= 500 or answer.status == 408
            return RetryLater(words, after=after, status=answer.status, unknown=unknown)
        if answer.status in (401, 403):
            return CredentialsRefused(words, status=answer.status)
        return GiveUp(words, status=answer.status)

    def _name(self) -> str:
        return f"{self.title} ({self.channel})"


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, given as seconds or as an HTTP date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def excerpt(body: bytes) -> str:
    """The first words of an answer, without e-mail addresses and phone numbers."""
    text = " ".join(body[: 4 * _EXCERPT].decode("utf-8", "replace").split())
    return scrub(text)[:_EXCERPT] or "(no body)"


def scrub(text: str) -> str:
    """Take out what looks like an e-mail address or a phone number."""
    return _DIGITS.sub("(number)", _ADDRESS.sub("(address)", text))


def host_of(url: str) -> str:
    """Scheme, host and port of an address, lower case: what an allow-list compares."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def address_problem(url: object) -> str | None:
    """Say why this cannot be an http(s) address to call; None when it can."""
    if not isinstance(url, str):
        return "is not a text"
    try:
        parts = parse_url(url)
    except LocationParseError:
        return f"{url!r} cannot be read as an address"
    if parts.scheme not in ("http", "https") or not parts.host:
        return f"{url!r} is not an address like https://till.example.com/stock"
    return "holds a user name; use secrets instead" if parts.auth else None


def refuse_private(url: str) -> None:
    """Raise GiveUp unless every address of the host is a public one."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443)
    except OSError as error:
        raise RetryLater(f"the host of {url} cannot be found") from error
    for entry in found:
        if not ipaddress.ip_address(entry[4][0]).is_global:
            raise GiveUp(f"{parts.hostname} is not a public address")

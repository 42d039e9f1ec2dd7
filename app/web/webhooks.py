"""POST /webhooks/<channel>: raw bytes in; 200 only once stored. Step 1 of the journey.

Next: `app.pipeline.receive`. This is a WSGI application of its own in front of Flask:
no session, no form protection, no routing table, which would cost a third of what
storing a webhook costs. Nothing of the body is looked at here.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import structlog
from gunicorn.http.errors import ParseException
from sqlalchemy import select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wsgi import get_content_length

from app.domain import instants
from app.domain.errors import InvalidSignature, MissingHeader, StaleWebhook
from app.pipeline.receive import CannotStore, NoSuchChannel, Receiver
from app.store.tables import channels
from app.web import metrics
from app.web.problems import MEDIA_TYPE, document

if TYPE_CHECKING:
    from _typeshed.wsgi import (
        InputStream,
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

PREFIX = "/webhooks/"
RETRY_AFTER_SECONDS = 5

log = structlog.get_logger()


class Answer(NamedTuple):
    """What the sender is told."""

    status: int
    body: Mapping[str, object]
    headers: tuple[tuple[str, str], ...] = ()


class TooLarge(Exception):
    """The body is larger than a webhook may be."""


class BrokenTransfer(Exception):
    """The body did not arrive as announced."""


class Webhooks:
    """Takes /webhooks/… itself and hands everything else on."""

    def __init__(
        self,
        receiver: Receiver,
        engine: Engine,
        max_body_bytes: int,
        others: "WSGIApplication",
    ) -> None:
        self._receiver = receiver
        self._engine = engine
        self._max_body_bytes = max_body_bytes
        self._others = others

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a webhook, or let Flask answer."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self._others(environ, start_response)
        return _send(self._answer(environ, path), start_response)

    def _answer(self, environ: "WSGIEnvironment", path: str) -> Answer:
        key, _, token = path[len(PREFIX) :].removesuffix("/").partition("/")
        if not key.isprintable():
            key = "?"  # a database may not even be asked for it
        if environ["REQUEST_METHOD"] != "POST":
            return _problem(
                405, "webhooks are sent with POST", headers=(("Allow", "POST"),)
            )
        try:
            return self._receive(environ, key, token or None)
        except Exception as error:  # the edge: no traceback goes out
            incident = secrets.token_hex(6)
            log.error("unexpected_error", incident=incident, exc_info=error)
            metrics.webhooks_refused.labels("error").inc()
            return _problem(
                500,
                f"nothing was stored; send it again. It is in the log as {incident}",
                incident=incident,
            )

    def _receive(
        self, environ: "WSGIEnvironment", key: str, token: str | None
    ) -> Answer:
        headers = _headers(environ)
        now = instants.now()
        try:
            body = read_body(environ, self._max_body_bytes)
        except TooLarge:
            detail = f"a webhook may have {self._max_body_bytes} bytes at most"
            self._refuse(key, "too_large", detail, headers, environ, now)
            return _problem(413, detail)
        except BrokenTransfer as error:
            self._refuse(key, "broken_transfer", str(error), headers, environ, now)
            return _problem(400, f"{error}; send it again")
        try:
            receipt = self._receiver.receive(key, headers, body, token, now)
        except _REFUSALS as refusal:
            metrics.webhooks_refused.labels(refusal.cause).inc()
            status, advice = _ADVICE[type(refusal)]
            return _problem(status, f"{refusal}; {advice}")
        except CannotStore as error:
            metrics.webhooks_refused.labels("cannot_store").inc()
            log.error("webhook_not_stored", channel=key, error=str(error))
            later = (("Retry-After", str(RETRY_AFTER_SECONDS)),)
            return _problem(503, str(error), headers=later)
        metrics.webhooks_stored.labels(receipt.status).inc()
        return Answer(200, {"status": receipt.status, "id": receipt.id})

    def _refuse(
        self,
        key: str,
        cause: str,
        message: str,
        headers: Mapping[str, str],
        environ: "WSGIEnvironment",
        now: instants.Instant,
    ) -> None:
        metrics.webhooks_refused.labels(cause).inc()
        announced = get_content_length(environ) or 0
        named = key if self._is_known(key) else "?"
        self._receiver.refuse(named, cause, message, headers, announced, now)

    def _is_known(self, key: str) -> bool:
        """Whether a refusal may be counted under this name: strangers choose theirs."""
        try:
            with self._engine.connect() as connection:
                found = connection.execute(
                    select(channels.c.id).where(channels.c.key == key)
                )
                return found.first() is not None
        except SQLAlchemyError:
            return False


def read_body(environ: "WSGIEnvironment", limit: int) -> bytes:
    """Read the whole body, at most one byte more than `limit`.

    Raises TooLarge, without reading at all when the length is announced, and
    BrokenTransfer when fewer bytes came than were announced.
    """
    announced = get_content_length(environ)
    if announced is None and not environ.get("wsgi.input_terminated"):
        return b""
    if announced is not None and announced > limit:
        raise TooLarge
    wanted = limit + 1 if announced is None else announced
    body = _read(environ["wsgi.input"], wanted)
    if len(body) > limit:
        raise TooLarge
    if announced is not None and len(body) < announced:
        raise BrokenTransfer(f"{len(body)} of {announced} announced bytes arrived")
    return body


def _read(stream: "InputStream", wanted: int) -> bytes:
    parts: list[bytes] = []
    try:
        while wanted > 0 and (part := stream.read(wanted)):
            parts.append(part)
            wanted -= len(part)
    except (OSError, ParseException) as error:
        raise BrokenTransfer("the body broke off while it was sent") from error
    return b"".join(parts)


_REFUSALS = (NoSuchChannel, MissingHeader, InvalidSignature, StaleWebhook)
_ADVICE: Mapping[type, tuple[int, str]] = {
    NoSuchChannel: (404, "check the address against `onecount channels list`"),
    MissingHeader: (400, "send the headers of the provider's webhooks unchanged"),
    InvalidSignature: (401, "sign the raw body with this channel's secret"),
    StaleWebhook: (401, "set the sender's clock and sign anew"),
}


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def _problem(
    status: int,
    detail: str,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    **members: object,
) -> Answer:
    return Answer(status, document(status, detail, **members), headers)


def _send(answer: Answer, start_response: "StartResponse") -> list[bytes]:
    body = json.dumps(answer.body).encode()
    is_problem = answer.status >= 400
    start_response(
        f"{answer.status} {HTTP_STATUS_CODES[answer.status]}",
        [
            ("Content-Type", MEDIA_TYPE if is_problem else "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            *answer.headers,
        ],
    )
    return [body]

"""Errors as RFC 9457 problem documents: what is wrong, where, and what to do.

The sender never sees a traceback. What nobody foresaw gets an id that is in the log too.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, render_template, request
from jinja2 import TemplateError
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response

from app.domain.errors import (
    AmbiguousName,
    BadConfiguration,
    Contradiction,
    HoldEnded,
    HubError,
    NoSuchPage,
    NotReversible,
    ShortOfUnits,
    UnknownName,
)
from app.store.trouble import AWAY, trouble

MEDIA_TYPE = "application/problem+json"
_PROGRAMS = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics")
"""Who asks here is a program and gets a problem document; others get a page."""

log = structlog.get_logger()


def document(status: int, detail: str, **members: Any) -> dict[str, Any]:
    """A problem document; `members` may override `type` and `title`."""
    title = HTTP_STATUS_CODES.get(status, "Error")
    known = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return {**known, **{name: told for name, told in members.items() if told}}


class Problem(HTTPException):
    """Raised by a view to answer with a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.code = status
        self.headers = dict(headers or {})
        self.document = document(status, detail, **members)

    def get_headers(self, *_: Any, **__: Any) -> list[tuple[str, str]]:
        """The answer's headers."""
        return [("Content-Type", MEDIA_TYPE), *self.headers.items()]

    def get_response(self, *_: Any, **__: Any) -> Response:
        """The answer."""
        return Response(
            json.dumps(self.document),
            self.code,
            headers=self.get_headers(),
        )


def refused_field(field: str, detail: str) -> Problem:
    """A request that cannot be meant as it was written, with the field at fault."""
    return Problem(
        422, f"{field}: {detail}", errors=[{"field": field, "detail": detail}]
    )


def register(app: Flask) -> None:
    """Answer every error of the application in words."""
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(HubError, _on_hub_error)
    app.register_error_handler(DBAPIError, _on_database)
    app.register_error_handler(PoolTimeout, _on_database)
    app.register_error_handler(OSError, _on_system)
    app.register_error_handler(Exception, _on_surprise)


def from_hub_error(error: HubError) -> Problem:
    """The problem document of one of the trade's own errors."""
    if isinstance(error, ShortOfUnits):
        return Problem(409, str(error), title="Not enough units", short=error.short)
    if isinstance(error, HoldEnded):
        return Problem(409, str(error), title="The hold is over")
    if isinstance(error, NoSuchPage):
        return refused_field("cursor", str(error))
    if isinstance(error, Contradiction | NotReversible):
        return Problem(409, str(error))
    if isinstance(error, UnknownName | AmbiguousName | BadConfiguration):
        if error.field == "id":  # named by the address
            return Problem(404, str(error))
        if error.field:
            return refused_field(error.field, str(error))
        return Problem(422, str(error))
    return _surprise(error)


def _on_hub_error(error: HubError) -> Any:
    return _answer(from_hub_error(error))


def _on_database(error: Exception) -> Any:
    why, name = trouble(error) or AWAY, type(error).__name__
    rule = str(request.url_rule)  # not the path: an invitation's holds its token
    log.error("database_unavailable", error=name, why=why, path=rule)
    words = f"{why} now; send the request again"
    return _answer(Problem(503, words, headers={"Retry-After": "5"}))


def _on_system(error: OSError) -> Any:
    return _on_database(error) if trouble(error) else _on_surprise(error)


def _on_surprise(error: Exception) -> Any:
    return _answer(_surprise(error))


def _surprise(error: Exception) -> Problem:
    incident = secrets.token_hex(6)
    log.error("unexpected_error", incident=incident, exc_info=error)
    return Problem(
        500,
        f"something went wrong here; it is in the log as {incident}",
        incident=incident,
    )


def _on_http(error: HTTPException) -> Any:
    if error.response is not None:
        return error.response
    return _answer(error if isinstance(error, Problem) else _from_http(error))


def _from_http(error: HTTPException) -> Problem:
    status = error.code or 500
    fields = list(_fields(getattr(error, "data", {}).get("messages") or {}))
    detail = error.description or HTTP_STATUS_CODES.get(status, "")
    if fields:
        detail = "; ".join(f"{one['field']}: {one['detail']}" for one in fields[:3])
    kept = {
        name: value
        for name, value in error.get_headers()
        if name in ("Allow", "Retry-After", "Location")
    }
    return Problem(status, detail, headers=kept, errors=fields)


def _answer(problem: Problem) -> Any:
    if request.path.startswith(_PROGRAMS):
        return problem.get_response()
    try:
        page = render_template("error.html", **problem.document)
    except TemplateError as error:
        log.error("error_page_unusable", error=str(error))
        return problem.get_response()
    return page, problem.code or 500, problem.headers


def _fields(messages: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Flatten webargs' messages: location, then fields, then sentences."""
    for location, told in messages.items():
        for path, sentence in _flat(told, ""):
            yield {"field": path or location, "detail": sentence}


def _flat(told: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(told, Mapping):
        for name, below in told.items():
            yield from _flat(below, _step(path, name))
    elif isinstance(told, Sequence) and not isinstance(told, str):
        for sentence in told:
            yield from _flat(sentence, path)
    else:
        yield path, str(told)


def _step(path: str, name: str | int) -> str:
    if name == "_schema":
        return path
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name

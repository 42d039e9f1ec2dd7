"""Idempotency-Key: a write that is sent twice happens once and is answered the same.

Per token and path. The key is reserved before the write; the facts and claims of the
write take their ids from it, so a repeat after a crash says the same facts again, which
changes nothing. Answers of writes that were refused for what they say (4xx but 409)
are not kept: nothing happened, so the corrected request may use the key.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

from flask import Response, g, make_response, request
from werkzeug.exceptions import HTTPException

from app.domain import instants
from app.domain.errors import HubError
from app.domain.instants import Instant
from app.store.engine import writing
from app.store.people import answers
from app.store.people.answers import Kept, Use
from app.web.auth import caller
from app.web.hub import hub
from app.web.problems import MEDIA_TYPE, from_hub_error, refused_field

P = ParamSpec("P")

HEADER = "Idempotency-Key"
LONGEST = 255
PARAMETER = {
    "in": "header",
    "name": HEADER,
    "description": "A name of your own for this write: sent again with the same name, "
    "it happens once and gets the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
}


@dataclass(frozen=True, slots=True)
class Try:
    """One write: the id of what it says, and when it was first tried."""

    id: str
    now: Instant
    may_repeat: bool = True
    """Whether it may have been tried before: it has a key."""


def this_try() -> Try:
    """The write this request is; inside a view that is `once` only."""
    found: Try = g.this_try
    return found


def once(view: Callable[P, Any]) -> Callable[P, Response]:
    """Let a view write once per Idempotency-Key. Outside of what parses and answers."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Response:
        use = _use()
        if use is None:
            g.this_try = Try(uuid.uuid4().hex, instants.now(), may_repeat=False)
            return make_response(view(*args, **kwargs))
        with answers.alone(hub().engine, use):
            kept = _reserve(use)
            if kept.status:
                return _repeated(kept)
            g.this_try = Try(use.digest()[:32], kept.created_at)
            return _first(use, lambda: make_response(view(*args, **kwargs)))

    described = dict(getattr(checked, "_apidoc", {}))
    manual = dict(described.get("manual_doc", {}))
    manual["parameters"] = [*manual.get("parameters", []), PARAMETER]
    described["manual_doc"] = manual
    checked._apidoc = described  # type: ignore[attr-defined]
    return checked


def _use() -> Use | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST or not key.isprintable():
        raise refused_field(HEADER, f"1 to {LONGEST} printable characters")
    return Use(caller().id, request.path, key)


def _reserve(use: Use) -> Kept:
    body_hash = _body_hash()
    with writing(hub().engine) as connection:
        kept = answers.reserve(connection, use, body_hash, instants.now())
    if kept.body_hash != body_hash:
        raise refused_field(
            HEADER, "used before with another body; take a new key for a new write"
        )
    return kept


def _first(use: Use, write: Callable[[], Response]) -> Response:
    try:
        response = write()
    except HubError as error:
        response = make_response(from_hub_error(error).get_response())
    except HTTPException as error:
        if error.code != 409:
            _let_go(use, error.code)
            raise
        response = make_response(error.get_response())
    if response.status_code < 300 or response.status_code == 409:
        with writing(hub().engine) as connection:
            text = response.get_data(as_text=True)
            answers.finish(connection, use, response.status_code, text)
    else:
        _let_go(use, response.status_code)
    return response


def _let_go(use: Use, status: int | None) -> None:
    """After a refusal the key is free again; after a failure it stays reserved, since
    nobody knows how far the write got."""
    if status is not None and status < 500:
        with writing(hub().engine) as connection:
            answers.let_go(connection, use)


def _repeated(kept: Kept) -> Response:
    media_type = MEDIA_TYPE if kept.status >= 400 else "application/json"
    response = Response(kept.answer, kept.status, content_type=media_type)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _body_hash() -> str:
    """The same for the same JSON, however it is written down."""
    raw = request.get_data()
    try:
        told = json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return hashlib.sha256(raw).hexdigest()
    return hashlib.sha256(told.encode()).hexdigest()

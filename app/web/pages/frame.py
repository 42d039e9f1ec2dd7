"""What all pages share: the blueprint, the login before every view, and the helpers
that views and templates use. CSRF and security headers: `app.web.security`."""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_bootstrap import Bootstrap5
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as AnyResponse

from app.domain import instants
from app.store.engine import writing
from app.store.keyset import Position
from app.store.people import deeds
from app.web import login, texts
from app.web.api.paging import read_cursor, write_cursor
from app.web.hub import hub
from app.web.pages import cases, names, words
from app.web.texts import gettext

STATIC = Path(__file__).parent.parent / "static"

KEPT_SECONDS = 3600
"""How long a browser keeps files; ours have their version in the address."""

pages = Blueprint("pages", __name__)


def prepare(app: Flask) -> None:
    """Set up styles served from here, and the templates' helpers."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = KEPT_SECONDS
    # A form is good as long as the session: the page may be open on a wall all day.
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    Bootstrap5(app)
    app.jinja_env.filters.update(
        iso=instants.iso,
        number=texts.number,
        units=words.units,
        day=words.day,
        timed=words.timed,
        pretty=words.pretty,
        cursor=write_cursor,
    )
    app.jinja_env.globals.update(
        asset=asset,
        cases=cases,
        names=names,
        script_texts=script_texts,
        words=words,
    )


def script_texts() -> dict[str, str]:
    """What `pages.js` says by itself."""
    return {
        "now": gettext("now"),
        # For translators: n is how many rows are ticked.
        "selected": gettext("{n} selected"),
        "copy": gettext("Copy"),
        "copied": gettext("Copied"),
        "live": gettext("Live"),
        "live_at": gettext("Live, {time}"),
        "pause": gettext("Pause"),
        "paused": gettext("Paused"),
        "go_on": gettext("Go on"),
        "logged_out": gettext("Your login has ended. Load the page again."),
        "cut_off": gettext("No connection. These numbers may be old."),
    }


@pages.before_request
def _check() -> AnyResponse | None:
    return None if request.endpoint in login.OPEN else login.require()


@pages.after_request
def _private(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def kept(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let the browser's Back show again what a form was answered with: a mistake, or
    what is to be confirmed. It cannot be asked for anew as what is read can. No secret
    is kept so; what is kept goes with the log-out, if browsers trust the connection.
    """

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Response:
        response = make_response(view(*args, **kwargs))
        response.cache_control.private = True
        response.cache_control.no_cache = True
        return response

    return answered


@pages.errorhandler(CSRFError)
def _expired(_error: CSRFError) -> ResponseReturnValue:
    came_from = urlsplit(request.referrer or "").netloc
    is_astray = request.is_secure and came_from not in ("", request.host)
    named = {"came_from": came_from} if is_astray else {"is_expired": True}
    return render_template("error.html", status=400, **named), 400


@cache
def _version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def asset(name: str) -> str:
    """The address of a file of ours; it changes with the content, so it may be kept."""
    return url_for("static", filename=name, v=_version(name))


def local_path(target: str | None, default: str) -> str:
    """`target` if it is a path on this very host, else `default`.

    Browsers read a backslash like a slash, so `/\\evil.example` leaves the host too.
    """
    if not target or not target.startswith("/") or target.startswith("//"):
        return default
    if "\\" in target or any(ord(letter) < 33 for letter in target):
        return default
    parts = urlsplit(target)
    return default if parts.scheme or parts.netloc else target


def back(default: str, message: str = "", tone: str = "success") -> AnyResponse:
    """Return to the page the form was on, and say what was done."""
    if message:
        flash(str(message), tone)
    return redirect(local_path(request.form.get("back"), default), code=303)


def note(action: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
    """Write down in the audit log what this person did."""
    with writing(hub().engine) as connection:
        deeds.note(
            connection, current_user.email, action, subject, instants.now(), details
        )


def ticked() -> list[int]:
    """The rows a form is about: the one whose button was pressed, else those ticked."""
    pressed = request.form.get("one")
    texts = [pressed] if pressed else request.form.getlist("id")
    return [number for text in texts if (number := whole(text)) is not None]


def whole(text: str) -> int | None:
    """A whole number of units or an id, as people write it; None when it is none."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        return None
    return int(digits)


def position() -> Position | None:
    """Where the page before ended, by the address. Raises NoSuchPage."""
    cursor = request.args.get("cursor")
    return read_cursor(cursor) if cursor else None

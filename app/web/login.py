"""Logging in with e-mail and password, and who may press what."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from flask import Flask, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
)
from sqlalchemy.engine import RowMapping
from werkzeug.wrappers import Response as AnyResponse

from app.domain import instants
from app.domain.instants import MINUTE
from app.store.engine import writing
from app.store.people import deeds, factors, people, sessions
from app.web.hub import hub
from app.web.security import limiter

OPEN: Final = (
    "pages.login",
    "pages.log_in",
    "pages.log_in_code",
    "pages.invitation",
    "pages.accept_invitation",
)
"""What can be seen without a login."""
LIFETIME: Final = timedelta(days=7)
TRIES_PER_ACCOUNT: Final = "10 per 10 minutes"
"""From one address for one e-mail: nobody can lock another person out."""
TRIES_PER_ADDRESS: Final = "60 per 10 minutes"


HALFWAY: Final = 5 * MINUTE
"""How long the second factor may take after the password."""


class Person(UserMixin):  # type: ignore[misc]
    """Somebody who is logged in."""

    def __init__(self, row: RowMapping, session_id: int = 0) -> None:
        self.id = row["id"]
        self.session_id = session_id
        self.email: str = row["email"]
        self.role: str = row["role"]
        self._mark = _mark(row["password_hash"])

    def get_id(self) -> str:
        """Name the person and the password: a new password ends old sessions."""
        return f"{self.id}.{self._mark}"

    def may(self, role: str) -> bool:
        """Whether this person may do what asks for `role`."""
        return people.allows(self.role, role)


def _mark(password_hash: str) -> str:
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]


def prepare(app: Flask) -> None:
    """Set up sessions and who is behind one."""
    app.config.setdefault("SESSION_COOKIE_SAMESITE", "Lax")
    app.config.setdefault("SESSION_COOKIE_HTTPONLY", True)
    app.config["PERMANENT_SESSION_LIFETIME"] = LIFETIME
    manager = LoginManager()
    manager.user_loader(_load)
    manager.init_app(app)
    app.jinja_env.globals.update(OPERATOR=people.OPERATOR, ADMIN=people.ADMIN)


def _load(written: str) -> Person | None:
    number, _, mark = written.partition(".")
    if not number.isdecimal():
        return None
    with hub().engine.connect() as connection:
        row = people.user_by_id(connection, int(number))
        here = sessions.find(connection, session.get(_KEPT_AS, ""))
    if row is None or here is None or here["user_id"] != row["id"]:
        return None
    if _mark(row["password_hash"]) != mark:
        return None
    now = instants.now()
    if here["seen_at"] < now - sessions.FRESH:
        with writing(hub().engine) as connection:
            sessions.saw(connection, here["id"], now)
    return Person(row, here["id"])


_KEPT_AS: Final = "session"
"""Where the cookie keeps the session's token."""


def _account_key() -> str:
    email = request.form.get("email", "").strip().lower()
    return f"{get_remote_address()} {hashlib.sha256(email.encode()).hexdigest()}"


def _failed(response: AnyResponse) -> bool:
    return response.status_code == 401


def throttled(view: Callable[..., Any]) -> Callable[..., Any]:
    """Slow guessing down: failed tries are counted, successful ones are not."""
    for limit, key in (
        (TRIES_PER_ACCOUNT, _account_key),
        (TRIES_PER_ADDRESS, get_remote_address),
    ):
        view = limiter.limit(limit, key_func=key, deduct_when=_failed)(view)
    return view


def code_throttled(view: Callable[..., Any]) -> Callable[..., Any]:
    """Slow guessing codes down, from wherever: who may try knows the password."""
    return limiter.limit(TRIES_PER_ACCOUNT, key_func=_code_key, deduct_when=_failed)(
        view
    )


def _code_key() -> str:
    whose = session.get(_HALF, [0])[0]
    return f"code {current_user.id if current_user.is_authenticated else whose}"


def require() -> AnyResponse | None:
    """Send whoever is not logged in to the login page, and back here afterwards."""
    if current_user.is_authenticated:
        return None
    if request.method not in ("GET", "HEAD"):
        return redirect(url_for("pages.login"), code=303)
    wanted = request.full_path.rstrip("?")
    return redirect(url_for("pages.login", next=wanted if wanted != "/" else None))


def allow(role: str) -> None:
    """Refuse those with less than this role, and say which it takes."""
    if not current_user.may(role):
        abort(403, role)


def needs(role: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Allow a view only to those with at least this role."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            allow(role)
            return view(*args, **kwargs)

        return checked

    return decorate


def form(email: str = "", message: str = "", status: int = 200) -> ResponseReturnValue:
    """Show the login page."""
    with hub().engine.connect() as connection:
        anybody = people.any_user(connection)
    wanted = request.values.get("next", "")
    return render_template(
        "login.html", email=email, message=message, next=wanted, anybody=anybody
    ), status


def enter() -> RowMapping | None:
    """Whose e-mail and password the form holds, if they are right."""
    with hub().engine.connect() as connection:
        return people.check_password(
            connection, request.form.get("email", ""), request.form.get("password", "")
        )


_HALF: Final = "half"
"""Where the cookie keeps whose password was right: id, password's mark, when."""


def wait_for_code(row: RowMapping) -> None:
    """Remember that the password was right; the second factor is asked for now."""
    session.clear()
    session[_HALF] = [row["id"], _mark(row["password_hash"]), instants.now()]


def halfway() -> RowMapping | None:
    """Whose password was right just now, and whose code is still asked for."""
    user_id, mark, at = session.get(_HALF, [0, "", 0])
    if not instants.now() - HALFWAY < at <= instants.now():
        return None
    with hub().engine.connect() as connection:
        row = people.user_by_id(connection, user_id)
    return row if row is not None and _mark(row["password_hash"]) == mark else None


def take_code(row: RowMapping) -> bool:
    """Log that person in if the form's code is right."""
    code, now = request.form.get("code", ""), instants.now()
    with writing(hub().engine) as connection:
        if not factors.check(connection, hub().vault, row["id"], code, now):
            return False
    begin(row)
    return True


def code_form(message: str = "", status: int = 200) -> ResponseReturnValue:
    """Ask for the second factor."""
    wanted = request.values.get("next", "")
    return render_template("login_code.html", message=message, next=wanted), status


def begin(row: RowMapping) -> None:
    """Log a person in here, in a session of its own."""
    now = instants.now()
    agent, address = request.user_agent.string, get_remote_address()
    with writing(hub().engine) as connection:
        token = sessions.begin(connection, row["id"], agent, address, now)
        deeds.note(connection, row["email"], "log in", "session", now)
    session.clear()
    session.permanent = True
    session[_KEPT_AS] = token
    login_user(Person(row))


def leave() -> None:
    """Forget who this was, and end the session."""
    if current_user.is_authenticated:
        with writing(hub().engine) as connection:
            one = current_user.session_id
            sessions.end(connection, current_user.id, instants.now(), only=one)
    logout_user()
    session.clear()

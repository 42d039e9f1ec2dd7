"""The protections of pages: headers, cookies, forged forms, guessed passwords.

None of it runs for a webhook: that path never enters Flask (`app.web.webhooks`). A
program that asks the API is known by its token alone, so it is spared most of it.
"""

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, Request, Response, request
from flask.sessions import (
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionMixin,
)
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from flask_wtf import CSRFProtect

from config.settings import Settings

CONTENT_SECURITY_POLICY: Final = {
    "default-src": "'self'",
    "img-src": ["'self'", "data:"],
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
"""Everything comes from this server; no inline script, no inline style."""

LARGEST_BODY: Final = 8 * 1024 * 1024
"""Of a page or a call, in bytes: ten thousand lines of a spreadsheet or a count. What
strangers send is a webhook, and has a limit of its own."""

PROGRAMS: Final = "/api/v1/"
"""Who asks below this address is a program."""
DATA_HEADERS: Final = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
"""On an answer that is data: it loads nothing, and nobody shows it in a page."""

csrf = CSRFProtect()
limiter = Limiter(get_remote_address)
"""Limits only the views that say so: the login."""
talisman = Talisman()


class Site(Flask):
    """Flask whose hooks run for people only.

    Its extensions look after cookies, forms and languages around every request: a
    program has none of these, and would pay for the looking with each of its calls.
    """

    def preprocess_request(self) -> Any:
        """What hooks do before a person's request."""
        return None if _is_program() else super().preprocess_request()

    def process_response(self, response: Response) -> Response:
        """What hooks do to a person's answer, or the headers of data."""
        if not _is_program():
            return super().process_response(response)
        response.headers.extend(DATA_HEADERS)
        talisman._set_hsts_headers(response.headers)
        return response

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: none here is async, and nobody looks each time."""
        return func


def _is_program() -> bool:
    return request.path.startswith(PROGRAMS)


class Cookies(SecureCookieSessionInterface):
    """The cookies of pages. A program sends a token: none is read or set for it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of a person's request; None is an empty one."""
        return (
            None
            if request.path.startswith("/api/")
            else super().open_session(app, request)
        )

    def save_session(
        self, app: Flask, session: SessionMixin, response: Response
    ) -> None:
        """Set the cookie. It is another one with every answer: what a browser keeps of
        a page for itself is not looked up by it."""
        super().save_session(app, session, response)
        if response.cache_control.private:
            response.vary.discard("Cookie")


def protect(app: Flask, settings: Settings) -> None:
    """Switch them on; cookies are signed with the settings' key."""
    app.secret_key = settings.secret_key
    app.session_interface = Cookies()
    app.config.update(
        SECRET_KEY_FALLBACKS=list(settings.secret_key_previous),
        SESSION_COOKIE_NAME="onecount",
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_SECURE=settings.cookie_secure,
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        RATELIMIT_STORAGE_URI=_limits_storage(settings.redis_url),
        RATELIMIT_STORAGE_OPTIONS={"socket_connect_timeout": 1, "socket_timeout": 1},
        RATELIMIT_STRATEGY="moving-window",
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
        RATELIMIT_SWALLOW_ERRORS=True,
    )
    csrf.init_app(app)
    limiter.init_app(app)
    # The views that it limits ask it themselves; here it looks at every request.
    app.before_request_funcs[None].remove(limiter._check_request_limit)
    talisman.init_app(
        app,
        force_https=False,
        frame_options="DENY",
        content_security_policy=CONTENT_SECURITY_POLICY,
        session_cookie_secure=settings.cookie_secure,
        session_cookie_samesite="Lax",
        strict_transport_security=settings.cookie_secure,
    )


def _limits_storage(redis_url: str) -> str:
    """The limiter's word for the same Redis."""
    return f"redis+{redis_url}" if redis_url.startswith("unix:") else redis_url

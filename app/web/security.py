"""The protections of pages: headers, cookies, forged forms, guessed passwords.

None of it runs for a webhook: that path never enters Flask (`app.web.webhooks`).
"""

from typing import Final

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
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

csrf = CSRFProtect()
limiter = Limiter(get_remote_address)
"""Limits only the views that say so: the login."""
talisman = Talisman()


class Cookies(SecureCookieSessionInterface):
    """The cookies of pages. A program sends a token: none is read or set for it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of a person's request; None is an empty one."""
        return (
            None
            if request.path.startswith("/api/")
            else super().open_session(app, request)
        )


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
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
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

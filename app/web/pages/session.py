"""Coming in and going out: /login and /logout."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.web import login
from app.web.pages.frame import local_path, pages

REFUSED = "That e-mail and password do not belong together. Try again."


@pages.get("/login", endpoint="login")
def login_page() -> ResponseReturnValue:
    """Ask who it is."""
    if current_user.is_authenticated:
        return redirect(_wanted())
    return login.form()


@pages.post("/login")
@login.throttled
def log_in() -> ResponseReturnValue:
    """Let a person in, to the page that was asked for."""
    wanted = _wanted()
    if login.enter():
        return redirect(wanted, code=303)
    return login.form(request.form.get("email", ""), REFUSED, 401)


@pages.post("/logout")
def log_out() -> ResponseReturnValue:
    """End this session."""
    login.leave()
    return redirect(url_for("pages.login"), code=303)


def _wanted() -> str:
    return local_path(request.values.get("next"), url_for("pages.overview"))

"""Coming in and going out: /login, /login/code and /logout."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import RowMapping

from app.web import login
from app.web.pages.frame import local_path, pages
from app.web.texts import gettext, lazy

REFUSED = lazy("That e-mail and password do not belong together. Try again.")
WRONG_CODE = lazy(
    "That is not the code of now, or it was used before. Wait for the next one."
)


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
    row = login.enter()
    if row is None:
        return login.form(request.form.get("email", ""), REFUSED, 401)
    return go_in(row)


def go_in(row: RowMapping) -> ResponseReturnValue:
    """Log in whoever gave the right password, or ask for the second factor first."""
    if row["totp_since"] is not None:
        login.wait_for_code(row)
        return login.code_form()
    login.begin(row)
    return redirect(_wanted(), code=303)


@pages.post("/login/code")
@login.code_throttled
def log_in_code() -> ResponseReturnValue:
    """Take the second factor of whoever gave the right password just now."""
    row = login.halfway()
    if row is None:
        return login.form("", gettext("That took too long. Begin again."), 401)
    if login.take_code(row):
        return redirect(_wanted(), code=303)
    return login.code_form(WRONG_CODE, 401)


@pages.post("/logout")
def log_out() -> ResponseReturnValue:
    """End this session, and let the browser forget what it kept of it."""
    login.leave()
    response = redirect(url_for("pages.login"), code=303)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _wanted() -> str:
    return local_path(request.values.get("next"), url_for("pages.overview"))

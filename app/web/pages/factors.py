"""`/account/factor`: a second factor is set up, confirmed by a code, and given up."""

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import RowMapping

from app.domain import instants
from app.store.engine import writing
from app.store.people import factors, people
from app.web import login
from app.web.hub import hub
from app.web.pages.frame import back, note, pages
from app.web.texts import gettext


@pages.get("/account/factor")
def factor() -> ResponseReturnValue:
    """Show whether there is one; if not, what to enter on the phone."""
    return _page()


@pages.post("/account/factor")
def begin_factor() -> ResponseReturnValue:
    """Make a secret; nothing is asked for before it is confirmed."""
    with writing(hub().engine) as connection:
        factors.begin(connection, hub().vault, current_user.id)
    return back(url_for("pages.factor"))


@pages.post("/account/factor/confirm")
@login.code_throttled
def confirm_factor() -> ResponseReturnValue:
    """Use it from now on, and show the recovery codes once."""
    if _row()["totp_since"] is not None:
        return back(url_for("pages.factor"))
    code, now = request.form.get("code", ""), instants.now()
    with writing(hub().engine) as connection:
        made = factors.confirm(connection, hub().vault, current_user.id, code, now)
    if made is None:
        return _page(
            gettext("That is not the code of now. Is the phone's clock right?")
        )
    note("use second factor", current_user.email)
    return _page(codes=made)


@pages.post("/account/factor/off")
@login.throttled
def give_up_factor() -> ResponseReturnValue:
    """Ask for the password only, which is needed for that."""
    with hub().engine.connect() as connection:
        given = request.form.get("password", "")
        known = people.check_password(connection, current_user.email, given)
    if known is None:
        return _page(gettext("That is not your password."))
    with writing(hub().engine) as connection:
        factors.turn_off(connection, current_user.id)
    note("give up second factor", current_user.email)
    return back(
        url_for("pages.account"), gettext("Only your password is asked for now.")
    )


def _row() -> RowMapping:
    with hub().engine.connect() as connection:
        row = people.user_by_id(connection, current_user.id)
    if row is None:
        raise LookupError("whoever is logged in has just been kept out")
    return row


def _page(wrong: str = "", codes: list[str] | None = None) -> ResponseReturnValue:
    row = _row()
    is_on = row["totp_since"] is not None
    secret = None if is_on else factors.secret_of(hub().vault, row)
    page = render_template(
        "factor.html",
        is_on=is_on,
        left=factors.left(row),
        secret=secret,
        uri=factors.address(secret, current_user.email) if secret else "",
        wrong=wrong,
        codes=codes,
    )
    return page, 401 if wrong else 200  # counted by the throttle, as at the login

"""`/account`: a person's own password, and where they are logged in."""

from typing import Final

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.domain import instants
from app.domain.errors import BadConfiguration
from app.domain.instants import SECOND
from app.store.engine import writing
from app.store.people import people, sessions
from app.web import login
from app.web.hub import hub
from app.web.pages.frame import back, note, pages
from app.web.texts import gettext, lazy

NOT_THE_SAME: Final = lazy("The new password was not typed the same twice.")
LIFETIME: Final = int(login.LIFETIME.total_seconds()) * SECOND


@pages.get("/account")
def account() -> ResponseReturnValue:
    """Show who this is and where they are logged in."""
    with hub().engine.connect() as connection:
        since = instants.now() - LIFETIME
        listed = sessions.of_user(connection, current_user.id, since)
    return render_template(
        "account.html", sessions=listed, shortest=people.SHORTEST_PASSWORD
    )


@pages.post("/account/password")
@login.throttled
def change_password() -> ResponseReturnValue:
    """Take another password; every other session ends."""
    here = url_for("pages.account")
    with hub().engine.connect() as connection:
        old = request.form.get("old", "")
        known = people.check_password(connection, current_user.email, old)
    if known is None:
        return _refused(gettext("That is not your present password."))
    if request.form.get("new", "") != request.form.get("again", ""):
        return _refused(NOT_THE_SAME)
    user_id = current_user.id
    try:
        with writing(hub().engine) as connection:
            people.set_password(connection, user_id, request.form.get("new", ""))
            sessions.end(connection, user_id, instants.now())
    except BadConfiguration as error:
        return _refused(f"{str(error).capitalize()}.")
    note("change password", current_user.email)
    with hub().engine.connect() as connection:
        row = people.user_by_id(connection, user_id)
    if row is not None:
        login.begin(row)
    return back(
        here, gettext("Your password is changed; every other session has ended.")
    )


def _refused(words: str) -> ResponseReturnValue:
    with hub().engine.connect() as connection:
        since = instants.now() - LIFETIME
        listed = sessions.of_user(connection, current_user.id, since)
    page = render_template(
        "account.html",
        sessions=listed,
        shortest=people.SHORTEST_PASSWORD,
        wrong=words,
    )
    return page, 401  # counted by the throttle, as at the login


@pages.post("/account/sessions/<int(max=9223372036854775807):session_id>/end")
def end_session(session_id: int) -> ResponseReturnValue:
    """End one session of this person's own."""
    with writing(hub().engine) as connection:
        now = instants.now()
        if not sessions.end(connection, current_user.id, now, only=session_id):
            abort(404)
    note("end session", current_user.email)
    return back(url_for("pages.account"), gettext("That session has ended."))


@pages.post("/account/sessions/end")
def end_sessions() -> ResponseReturnValue:
    """End every session but this one."""
    with writing(hub().engine) as connection:
        here, now = current_user.session_id, instants.now()
        gone = sessions.end(connection, current_user.id, now, but=here)
    note("end sessions", current_user.email, {"sessions": gone})
    return back(url_for("pages.account"), gettext("Every other session has ended."))

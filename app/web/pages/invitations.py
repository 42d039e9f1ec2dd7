"""`/invitation/<token>`: whoever was sent the link chooses a password, and is in."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.domain import instants
from app.domain.errors import BadConfiguration, UnknownName
from app.store.engine import writing
from app.store.people import deeds, invitations as store
from app.store.people.people import SHORTEST_PASSWORD
from app.web.hub import hub
from app.web.pages.account import NOT_THE_SAME
from app.web.pages.frame import pages
from app.web.pages.session import go_in


@pages.get("/invitation/<token>")
def invitation(token: str) -> ResponseReturnValue:
    """Ask for a password; looking, as a messenger's preview does, uses nothing up."""
    return _form(token)


@pages.post("/invitation/<token>")
def accept_invitation(token: str) -> ResponseReturnValue:
    """Take the password, and go on as after a login."""
    password, now = request.form.get("password", ""), instants.now()
    if password != request.form.get("again", ""):
        return _form(token, NOT_THE_SAME)
    try:
        with writing(hub().engine) as connection:
            row = store.accept(connection, token, password, now)
            email = row["email"]
            deeds.note(connection, email, "accept invitation", email, now)
    except UnknownName:
        return _form(token)
    except BadConfiguration as error:
        return _form(token, f"{str(error).capitalize()}.")
    return go_in(row)


def _form(token: str, message: str = "") -> ResponseReturnValue:
    with hub().engine.connect() as connection:
        found = store.find(connection, token, instants.now())
    page = render_template(
        "invitation.html", one=found, message=message, shortest=SHORTEST_PASSWORD
    )
    if found is None:
        return page, 404
    return page, 422 if message else 200

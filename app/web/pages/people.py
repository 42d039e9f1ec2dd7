"""`/people`: who may log in and as what, and the programs' tokens; for administrators."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from flask import abort, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import Connection

from app.domain import instants
from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import Instant
from app.store.engine import writing
from app.store.people import (
    answers,
    deeds,
    factors,
    invitations,
    people as store,
    sessions,
)
from app.store.people.answers import Use
from app.store.people.people import ADMIN
from app.web import login
from app.web.hub import hub
from app.web.pages.account import LIFETIME
from app.web.pages.acts import Once
from app.web.pages.frame import back, note, pages, whole
from app.web.texts import gettext, lazy

Result = TypeVar("Result")
Make = Callable[[Connection, str, Instant], tuple[str, str]]
"""Makes a secret, by whom and when; returns whose it is, and the secret."""

AGAIN: Final = lazy("This was made already; what was shown once is not shown again.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A secret that is shown this once."""

    title: str
    secret: str
    is_link: bool = False


@pages.get("/people")
@login.needs(ADMIN)
def people() -> ResponseReturnValue:
    """List people and tokens."""
    return _page()


@pages.post("/people")
@login.needs(ADMIN)
def invite() -> ResponseReturnValue:
    """Invite somebody, by a link that is shown once."""
    email, role = request.form.get("email", ""), request.form.get("role", "")

    def make(connection: Connection, by: str, now: Instant) -> tuple[str, str]:
        return invitations.invite(connection, email, role, by, now)

    return _linked("invite", make, {"role": role})


@pages.post("/people/<int(max=9223372036854775807):user_id>/role")
@login.needs(ADMIN)
def set_role(user_id: int) -> ResponseReturnValue:
    """Let somebody do more or less."""
    role = request.form.get("role", "")
    email = _try(lambda connection: store.set_role(connection, user_id, role))
    note("set role", email, {"role": role})
    said = gettext("%(email)s is %(role)s from now on.", email=email, role=role)
    return back(url_for("pages.people"), said)


@pages.post("/people/<int(max=9223372036854775807):user_id>/password")
@login.needs(ADMIN)
def new_password(user_id: int) -> ResponseReturnValue:
    """Let somebody choose a new password, by a link that is shown once."""

    def make(connection: Connection, by: str, now: Instant) -> tuple[str, str]:
        return invitations.renew(connection, user_id, by, now)

    return _linked("link for new password", make)


@pages.post("/invitations/<int(max=9223372036854775807):invitation_id>/withdraw")
@login.needs(ADMIN)
def withdraw_invitation(invitation_id: int) -> ResponseReturnValue:
    """Let a link open nothing any more."""
    email = _try(lambda connection: invitations.withdraw(connection, invitation_id))
    note("withdraw invitation", email)
    said = gettext("The link of %(email)s opens nothing any more.", email=email)
    return back(url_for("pages.people"), said)


@pages.post("/people/<int(max=9223372036854775807):user_id>/out")
@login.needs(ADMIN)
def keep_out(user_id: int) -> ResponseReturnValue:
    """Keep somebody out; their sessions end."""
    now = instants.now()

    def out(connection: Connection) -> str:
        email = store.set_disabled(connection, user_id, now)
        sessions.end(connection, user_id, now)
        return email

    email = _try(out)
    note("keep out", email)
    said = gettext("%(email)s cannot log in any more.", email=email)
    return back(url_for("pages.people"), said)


@pages.post("/people/<int(max=9223372036854775807):user_id>/in")
@login.needs(ADMIN)
def let_in(user_id: int) -> ResponseReturnValue:
    """Let somebody in again, with the password of before."""
    email = _try(lambda connection: store.set_disabled(connection, user_id, None))
    note("let in", email)
    said = gettext("%(email)s may log in again.", email=email)
    return back(url_for("pages.people"), said)


@pages.post("/people/<int(max=9223372036854775807):user_id>/factor/off")
@login.needs(ADMIN)
def drop_factor(user_id: int) -> ResponseReturnValue:
    """Let somebody in by the password alone, whose phone is lost."""
    with writing(hub().engine) as connection:
        row = store.user_by_id(connection, user_id) or abort(404)
        factors.turn_off(connection, user_id)
    note("drop second factor", row["email"])
    said = gettext("%(email)s needs only the password now.", email=row["email"])
    return back(url_for("pages.people"), said)


@pages.post("/people/<int(max=9223372036854775807):user_id>/sessions/end")
@login.needs(ADMIN)
def end_their_sessions(user_id: int) -> ResponseReturnValue:
    """End all sessions of somebody."""
    with writing(hub().engine) as connection:
        row = store.user_by_id(connection, user_id)
        if row is None:
            abort(404)
        sessions.end(connection, user_id, instants.now())
    note("end sessions", row["email"])
    said = gettext("%(email)s is logged out everywhere.", email=row["email"])
    return back(url_for("pages.people"), said)


@pages.post("/tokens")
@login.needs(ADMIN)
def add_token() -> ResponseReturnValue:
    """Make a token for a program, shown once."""
    name, role = request.form.get("name", "").strip()[:200], request.form.get("role")

    def make(connection: Connection, _by: str, _now: Instant) -> tuple[str, str]:
        return name, store.create_token(connection, name, role or "")

    _, plain = _make("make token", make, {"role": role or ""})
    return _page(shown=Shown(gettext("Token of %(name)s", name=name), plain))


@pages.post("/tokens/<int(max=9223372036854775807):token_id>/revoke")
@login.needs(ADMIN)
def revoke_token(token_id: int) -> ResponseReturnValue:
    """Let a token open nothing any more."""
    now = instants.now()
    name = _try(lambda connection: store.revoke_token(connection, token_id, now))
    note("revoke token", name)
    said = gettext("The token %(name)s opens nothing any more.", name=name)
    return back(url_for("pages.people"), said)


def _linked(
    action: str, make: Make, details: Mapping[str, str] | None = None
) -> ResponseReturnValue:
    """Show the link with the token that `make` returns, beside whose it is."""
    email, token = _make(action, make, details)
    path = url_for("pages.invitation", token=token)
    link = f"{hub().settings.public_url.rstrip('/')}{path}"
    return _page(
        shown=Shown(gettext("Link of %(email)s", email=email), link, is_link=True)
    )


def _make(
    action: str, make: Make, details: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Make a secret, and note who did. A form that is sent again, by a second press or
    by loading its answer anew, makes nothing: the note bears the form's name."""
    by, now = current_user.email, instants.now()
    form = _form_of_before(now)

    def first(connection: Connection) -> tuple[str, str] | None:
        if deeds.is_noted(connection, by, form.id, form.now):
            return None
        subject, secret = make(connection, by, now)
        told = {**(details or {}), "once": form.id}
        deeds.note(connection, by, action, subject, now, told)
        return subject, secret

    with answers.alone(hub().engine, Use(0, request.path, form.id)):
        made = _try(first)
    if made is None:
        page, _ = _page(wrong=str(AGAIN))
        abort(make_response(page, 409))
    return made


def _form_of_before(now: Instant) -> Once:
    """The name of what this form says, and since when it could be sent. Filled in
    otherwise, it says something else."""
    name, shown_at = request.form.get("once"), whole(request.form.get("at", ""))
    if not name or shown_at is None or shown_at > now:
        return Once(uuid.uuid4().hex, now)
    fields = (request.form.get(one, "") for one in ("email", "name", "role"))
    told = "\n".join((name, request.path, *fields))
    return Once(hashlib.sha256(told.encode()).hexdigest()[:32], shown_at)


def _try(change: Callable[[Connection], Result]) -> Result:
    try:
        with writing(hub().engine) as connection:
            return change(connection)
    except UnknownName:
        abort(404)
    except BadConfiguration as error:
        abort(make_response(*_page(wrong=_failed(error))))


def _failed(error: BadConfiguration) -> str:
    return gettext("That did not work: %(error)s.", error=error)


def _page(*, wrong: str = "", shown: Shown | None = None) -> tuple[str, int]:
    with hub().engine.connect() as connection:
        listed = store.listed(connection)
        tokens = store.tokens(connection)
        invited = invitations.listed(connection)
        open_ = sessions.counts(connection, instants.now() - LIFETIME)
    page = render_template(
        "people.html",
        people=listed,
        tokens=tokens,
        invited=invited,
        now=instants.now(),
        once=Once(uuid.uuid4().hex, instants.now()),
        sessions=open_,
        roles=store.ROLES,
        wrong=wrong,
        shown=shown,
    )
    return page, 422 if wrong else 200

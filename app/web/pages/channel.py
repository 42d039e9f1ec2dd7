"""`/channels/<key>`: one channel: how it is and was, what it is called with, and whether
its webhooks reach us."""

from typing import Final

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import RowMapping

import adapters
from app.domain import instants
from app.domain.budget import Budget
from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import DAY, HOUR, Instant
from app.pipeline.configuring import removing, rotating, trying, unstocked
from app.pipeline.configuring.rotating import Successor
from app.pipeline.watching.subscribing import address
from app.store.configuration import channels as store, conditions, listed
from app.store.engine import applying
from app.store.people.people import ADMIN, OPERATOR
from app.web import login
from app.web.api.fields import storable
from app.web.hub import hub
from app.web.pages import words
from app.web.pages.frame import back, note, pages
from app.web.texts import gettext, lazy

REMEMBERED: Final = 50
"""How many changes of its condition are shown."""
LONGEST: Final = 500
OK: Final = 200
ADVICE: Final = lazy(
    "It was sent to the address that providers are told. Look at ONECOUNT_PUBLIC_URL and "
    "at what stands in front of Onecount."
)
OVERLAPS: Final[dict[str, tuple[str, Instant | None]]] = {
    "hour": (lazy("for an hour"), HOUR),
    "day": (lazy("for a day"), DAY),
    "week": (lazy("for a week"), 7 * DAY),
    "open": (lazy("until I end it"), None),
}
"""How long an old secret is accepted beside its successor."""


@pages.get("/channels/<key>")
def channel(key: str) -> ResponseReturnValue:
    """Show one channel."""
    row, now = _row(key), instants.now()
    with hub().engine.connect() as connection:
        history = conditions.of_channel(connection, row["id"], limit=REMEMBERED)
        places = listed.places_of(connection, row["id"])
        secrets = (
            rotating.secrets_of(connection, hub().vault, row)
            if current_user.may(ADMIN)
            else []
        )
    return render_template(
        "channel.html",
        row=row,
        now=now,
        kind=adapters.get(row["provider"]),
        word=words.channel(row, now),
        hook=address(key, hub().settings),
        places=places,
        not_stock=sorted(store.not_stock(row)),
        budget=Budget.of(row["budget"]),
        history=history,
        secrets=secrets,
        signs=rotating.WEBHOOK,
        overlaps=OVERLAPS,
    )


@pages.post("/channels/<key>/test")
@login.needs(OPERATOR)
def try_webhook(key: str) -> ResponseReturnValue:
    """Send a test webhook through our own public address, and show the answer."""
    row, mine = _row(key), hub()
    try:
        tried = trying.try_webhook(mine.engine, mine.vault, row, mine.settings)
    except BadConfiguration as error:
        return back(_here(key), f"{error}.", "danger")
    note("test webhook", key, {"status": tried.status})
    return _told(key, tried)


def _told(key: str, tried: trying.Tried) -> ResponseReturnValue:
    took = tried.milliseconds
    if tried.status:
        said = gettext(
            "Answered %(status)s in %(took)s ms", status=tried.status, took=took
        )
    else:
        said = gettext("No answer within %(took)s ms", took=took)
    said = f"{said}: {tried.words}"
    if tried.status == OK:
        return back(_here(key), said)
    return back(_here(key), f"{said} {ADVICE}", "danger")


@pages.post("/channels/<key>/stock")
@login.needs(OPERATOR)
def take_in(key: str) -> ResponseReturnValue:
    """Say that an item is stock after all: what was told of it waits for its SKU."""
    here, item = _here(key), request.form.get("item", "")
    unstocked.take_in(hub().engine, key, item, now=instants.now())
    note("stock", key, {"item": item})
    said = gettext(
        "%(item)s is stock. What was sold of it waits in the inbox for its SKU.",
        item=item,
    )
    return back(here, said)


@pages.post("/channels/<key>/secrets")
@login.needs(ADMIN)
def rotate_secret(key: str) -> ResponseReturnValue:
    """Take a new secret; an old one that webhooks are signed with overlaps."""
    here, mine, now = _here(key), hub(), instants.now()
    name = request.form.get("name", "")
    secret = request.form.get("secret", "").strip()
    _, span = OVERLAPS.get(request.form.get("overlap", "day")) or abort(400)
    if not secret or len(secret) > LONGEST or not storable(secret):
        return back(here, gettext("Type the new secret."), "danger")
    new = Successor(key, name, secret, None if span is None else now + span)
    told = mine.engine, mine.vault, mine.settings, new
    try:
        rotating.add(*told, actor=current_user.email, now=now)
    except BadConfiguration as error:
        return back(here, str(error), "danger")
    said = gettext(
        "The new %(name)s of %(key)s is in use. If it is loaded from a file, "
        "put it there as well.",
        name=name.replace("_", " "),
        key=key,
    )
    return back(here, said)


@pages.post("/channels/<key>/secrets/<name>/<mark>/end")
@login.needs(ADMIN)
def end_secret(key: str, name: str, mark: str) -> ResponseReturnValue:
    """Accept an old secret no longer."""
    here, told = _here(key), (hub().engine, hub().vault, key, name, mark)
    try:
        rotating.take_away(*told, actor=current_user.email, now=instants.now())
    except (BadConfiguration, UnknownName) as error:
        return back(here, f"{error}.", "danger")
    said = gettext(
        "%(mark)s is accepted no longer. If %(key)s is loaded from a file, take it out "
        "of there as well.",
        mark=mark,
        key=key,
    )
    return back(here, said)


@pages.post("/channels/<key>/remove")
@login.needs(ADMIN)
def remove_channel(key: str) -> ResponseReturnValue:
    """Remove a channel on which nothing has happened yet."""
    here, actor = _here(key), current_user.email
    try:
        with applying(hub().engine) as connection:
            removing.remove_in(connection, key, actor=actor, now=instants.now())
    except UnknownName:
        abort(404)
    except BadConfiguration as error:
        return back(here, f"{error}.", "danger")
    said = gettext(
        "%(key)s is removed. If it is in a file, take it out of there, or loading that "
        "makes it again.",
        key=key,
    )
    return back(url_for("pages.channels"), said)


def _row(key: str) -> RowMapping:
    try:
        with hub().engine.connect() as connection:
            row = store.row(connection, key)
    except UnknownName:
        abort(404)
    return row if row["provider"] in adapters.names() else abort(404)


def _here(key: str) -> str:
    """The address of a channel that there is."""
    return url_for("pages.channel", key=_row(key)["key"])

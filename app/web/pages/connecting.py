"""`/connect`: a store or till is taken over, in three steps: say which, look at how
it fits, and see what came of it. What takes long is done in the background."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any, Final

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import RowMapping

import adapters
from adapters.base import Adapter
from app.domain import instants
from app.domain.errors import BadConfiguration
from app.pipeline.configuring.connecting import Asked
from app.pipeline.configuring.guiding import Fields, Guide, Unfit
from app.store.configuration import channels, connectings as store
from app.store.engine import writing
from app.store.people.people import ADMIN
from app.store.stock import catalogue
from app.web import login
from app.web.api.fields import storable
from app.web.hub import hub
from app.web.pages.frame import back, kept, note, pages
from app.web.texts import gettext

LONGEST: Final = 500


@pages.get("/connect")
@login.needs(ADMIN)
def connect() -> ResponseReturnValue:
    """Choose what to connect."""
    with hub().engine.connect() as connection:
        begun = store.open_ones(connection)
    return render_template("connect.html", kinds=_kinds(), begun=begun)


@pages.get("/connect/<provider>")
@login.needs(ADMIN)
def connect_to(provider: str) -> ResponseReturnValue:
    """Say which one it is, and with which credentials."""
    with hub().engine.connect() as connection:
        taken = {row["key"] for row in channels.rows(connection)}
    numbered = (f"{provider}-{number}" for number in count(2))
    key = next(one for one in chain((provider,), numbered) if one not in taken)
    return _form(provider, {"key": key}, {})


@pages.post("/connect/<provider>")
@login.needs(ADMIN)
@kept
def begin_connecting(provider: str) -> ResponseReturnValue:
    """Try the credentials; what is found is shown next."""
    kind, form = _kind(provider), request.form.to_dict()
    told = {name: value.strip() for name, value in form.items()}
    asked = Asked(
        told.get("key", ""),
        provider,
        told.get("base_url") or None,
        dict(_given(told, "settings", kind.settings)),
        {name: [one] for name, one in _given(told, "secrets", kind.secrets)},
    )
    if any(len(one) > LONGEST or not storable(one) for one in told.values()):
        abort(400)
    try:
        begun = _guide().begin(asked, current_user.email, instants.now())
    except Unfit as error:
        return _form(provider, told, error.fields)
    note("begin to connect", asked.key, {"provider": provider})
    return back(url_for("pages.connecting", connecting_id=begun))


@pages.get("/connect/<int(max=9223372036854775807):connecting_id>")
@login.needs(ADMIN)
def connecting(connecting_id: int) -> ResponseReturnValue:
    """What was found, and is to be agreed to; or how far it is; or what came of it."""
    return _page(_row(connecting_id))


@pages.post("/connect/<int(max=9223372036854775807):connecting_id>/agree")
@login.needs(ADMIN)
@kept
def agree_to_connect(connecting_id: int) -> ResponseReturnValue:
    """Connect it, mapped like that; it listens only."""
    row = _row(connecting_id)
    opening = bool(request.form.get("opening"))
    try:
        places = _guide().choose(row, _picked(row), opening=opening)
    except BadConfiguration as error:
        return _page(row, " ".join(f"{words}." for _, words in error.problems))
    note("connect", row["key"], {"locations": places, "opening": opening})
    return back(url_for("pages.connecting", connecting_id=connecting_id))


def _picked(row: RowMapping) -> Iterator[tuple[str, str]]:
    """Each of its locations with the codes of ours that are ticked or typed for it."""
    for place in json.loads(row["found"]).get("places", ()):
        typed = request.form.get(f"new-{place['id']}", "").split(",")
        for code in (*request.form.getlist(f"place-{place['id']}"), *typed):
            if code.strip():
                yield place["id"], code.strip()


@pages.post("/connect/<int(max=9223372036854775807):connecting_id>/again")
@login.needs(ADMIN)
def connect_again(connecting_id: int) -> ResponseReturnValue:
    """Go on where it stopped."""
    _row(connecting_id)
    with writing(hub().engine) as connection:
        store.say(connection, connecting_id, wrong="")
    return back(url_for("pages.connecting", connecting_id=connecting_id))


@pages.post("/connect/<int(max=9223372036854775807):connecting_id>/drop")
@login.needs(ADMIN)
def drop_connecting(connecting_id: int) -> ResponseReturnValue:
    """Forget it, with the secrets that were typed."""
    row = _row(connecting_id)
    with writing(hub().engine) as connection:
        store.drop(connection, connecting_id)
    note("drop connecting", row["key"])
    return back(url_for("pages.channels"), gettext("What you typed is forgotten."))


def _guide() -> Guide:
    mine = hub()
    return Guide(mine.engine, mine.vault, mine.settings, mine.bell)


def _kinds() -> Mapping[str, type[Adapter]]:
    found = {name: adapters.get(name) for name in adapters.names()}
    return {name: kind for name, kind in found.items() if kind.connects}


def _kind(provider: str) -> type[Adapter]:
    return _kinds().get(provider) or abort(404)


def _given(
    told: Mapping[str, str], part: str, names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name in names:
        if value := told.get(f"{part}.{name}"):
            yield name, value


def _row(connecting_id: int) -> RowMapping:
    with hub().engine.connect() as connection:
        return store.one(connection, connecting_id) or abort(404)


def _form(provider: str, told: Mapping[str, str], wrong: Fields) -> ResponseReturnValue:
    """The form, with what is wrong beside each field; secrets are typed anew."""
    kind = _kind(provider)
    page = render_template(
        "connect_to.html", kind=kind, provider=provider, told=told, wrong=wrong
    )
    return page, 422 if wrong else 200


def _page(row: RowMapping, wrong: str = "") -> ResponseReturnValue:
    with hub().engine.connect() as connection:
        codes = catalogue.codes(connection)
    facts: dict[str, Any] = {
        name: json.loads(row[name]) for name in ("found", "chosen", "done")
    }
    page = render_template(
        "connecting.html",
        row=row,
        codes=codes,
        picked=request.form,
        wrong=wrong,
        **facts,
    )
    return page, 422 if wrong else 200

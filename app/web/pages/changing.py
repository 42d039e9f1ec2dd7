"""`/change/<kind>`: stock is changed by hand, and first shown what that would lead to."""

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.domain import instants
from app.domain.errors import HoldEnded, HubError, UnknownName
from app.domain.instants import DAY
from app.pipeline.acts import holding, reversing, transferring
from app.pipeline.acts.facts import wake_all
from app.pipeline.acts.foreseeing import foresee
from app.store import timekeeper
from app.store.engine import applying
from app.store.people.people import OPERATOR
from app.store.stock import balances, catalogue
from app.store.stock.balances import When
from app.store.watching import overview
from app.web import login
from app.web.hub import hub
from app.web.pages import acts
from app.web.pages.acts import DEEDS, Deed, Once
from app.web.pages.frame import back, kept, pages
from app.web.texts import gettext, lazy

LISTED: Final = 100
"""SKUs that are on the way, to choose what to receive from."""
_ID: Final = re.compile(r"[0-9a-f]{32}")
MOVED: Final = lazy(
    "Some of these units are not there (any more). Look again, then retry."
)


@pages.get("/change/<kind>")
@login.needs(OPERATOR)
def change(kind: str) -> ResponseReturnValue:
    """Ask what to change."""
    deed = DEEDS.get(kind) or abort(404)
    return _ask(kind, deed, dict(request.args.items()), [])


@pages.post("/change/<kind>/preview")
@login.needs(OPERATOR)
@kept
def preview(kind: str) -> ResponseReturnValue:
    """Show what the change would lead to; nothing is written."""
    deed = DEEDS.get(kind) or abort(404)
    form = _form()
    told, wrong = acts.check(deed, form)
    one = Once(uuid.uuid4().hex, instants.now())
    sku = form.get("sku", "")
    if kind == "receive" and not wrong and not form.get("of"):
        wrong = _unsaid(sku)
    if wrong:
        return _ask(kind, deed, form, wrong)
    try:
        found = foresee(
            hub().engine,
            lambda connection: deed.act(connection, told, one, current_user.email),
            lambda connection: overview.of_sku(connection, sku, one.now),
            [sku],
            one.now,
        )
    except HubError as error:
        return _ask(kind, deed, form, [_sentence(error)])
    except IntegrityError:
        return _ask(kind, deed, form, [MOVED])
    before, after = found.stock[sku]
    return render_template(
        "change_preview.html",
        kind=kind,
        deed=deed,
        form={name: word for name, word in form.items() if name not in ("once", "at")},
        once=one,
        before=before,
        after=after,
        shown=found.shown,
    )


@pages.post("/change/<kind>")
@login.needs(OPERATOR)
@kept
def make_change(kind: str) -> ResponseReturnValue:
    """Change stock; pressed twice, it happens once."""
    deed = DEEDS.get(kind) or abort(404)
    form = _form()
    told, wrong = acts.check(deed, form)
    if wrong:
        return _ask(kind, deed, form, wrong)
    try:
        with applying(hub().engine) as connection:
            lanes = deed.act(connection, told, once_of(form), current_user.email)
    except HubError as error:
        return _ask(kind, deed, form, [_sentence(error)])
    except IntegrityError:
        return _ask(kind, deed, form, [MOVED])
    wake_all(hub().bell, lanes)
    here = url_for("pages.stock", sku=form["sku"])
    said = gettext(
        "%(deed)s: done. Every channel is told its new number.", deed=deed.title
    )
    return back(here, said)


@pages.post("/holds/<id:hold_id>/release")
@login.needs(OPERATOR)
def let_go(hold_id: str) -> ResponseReturnValue:
    """Give the units of a hold back before its time is up."""
    here, who = url_for("pages.search"), current_user.email
    try:
        holding.release(
            hub().engine,
            hold_id,
            actor=who,
            now=timekeeper.now(hub().engine),
            wakes=hub().bell,
        )
    except UnknownName:
        abort(404)
    except HoldEnded:
        return back(here, gettext("An order has taken these units over."), "warning")
    return back(here, gettext("They can be sold again."))


@pages.post("/ledger/<int(max=9223372036854775807):entry_id>/reverse")
@login.needs(OPERATOR)
def reverse(entry_id: int) -> ResponseReturnValue:
    """Undo what caused a ledger entry, by entries that name it."""
    reason = _form().get("reason", "")
    if not reason:
        return back(
            url_for("pages.search"), gettext("Say why it is undone."), "warning"
        )
    try:
        done = reversing.reverse(
            hub().engine,
            entry_id,
            reason[:200],
            actor=current_user.email,
            now=instants.now(),
            wakes=hub().bell,
        )
    except IntegrityError:
        return back(url_for("pages.search"), MOVED, "danger")
    except HubError as error:
        return back(url_for("pages.search"), f"{_sentence(error)}.", "danger")
    if done.is_new:
        return back(url_for("pages.search"), gettext("It is undone."))
    return back(url_for("pages.search"), gettext("It was undone before."))


def once_of(form: acts.Form) -> Once:
    """The telling that a form has carried since it was shown; a new one if it has none."""
    name, now = form.get("once", ""), instants.now()
    at = form.get("at", "")
    said_at = int(at) if at.isascii() and at.isdecimal() and len(at) < 19 else 0
    if _ID.fullmatch(name) and now - DAY < said_at <= now:
        return Once(name, said_at)
    return Once(uuid.uuid4().hex, now)


def _form() -> dict[str, str]:
    """What was filled in; a barcode is as good as a SKU."""
    form = {name: one.strip() for name, one in request.form.items()}
    form.pop("csrf_token", None)
    word = form.get("sku", "")
    with hub().engine.connect() as connection:
        found = None if "\0" in word else catalogue.scanned(connection, word)
    return form if found is None else {**form, "sku": found["sku"]}


def _ask(
    kind: str, deed: Deed, form: dict[str, str], wrong: list[str]
) -> ResponseReturnValue:
    with hub().engine.connect() as connection:
        facts_ = _known(connection, form.get("sku", ""))
        if kind == "receive":
            facts_ |= _on_the_way(connection, facts_["balance"])
    page = render_template(
        "change.html",
        kind=kind,
        deed=deed,
        deeds=DEEDS,
        dispositions=acts.DISPOSITIONS,
        form=form,
        wrong=wrong,
        **facts_,
    )
    return page, 422 if wrong else 200


def _unsaid(sku: str) -> list[str]:
    """What the form could not ask before it knew the SKU: received as new, units that
    are on the way would be there twice."""
    with hub().engine.connect() as connection:
        balance = _known(connection, sku)["balance"]
        if not _on_the_way(connection, balance).get("ways"):
            return []
    return [gettext("Some units are on the way. Say where these come from.")]


def _known(connection: Connection, word: str) -> dict[str, Any]:
    """What the form shows beside its fields; a barcode is as good as a SKU."""
    found = None if "\0" in word else catalogue.scanned(connection, word)
    balance = None
    if found is not None:
        balance = balances.stock_of(connection, found["sku"], When(instants.now()))
    return {"locations": catalogue.codes(connection), "balance": balance}


def _on_the_way(
    connection: Connection, balance: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What units of this SKU are still on the way by, newest first; without one, what
    is on the way at all."""
    if balance is None:
        return {"coming": balances.on_the_way(connection, limit=LISTED)}
    sku, units = balance["sku"], balance["incoming"]
    return {"ways": transferring.on_the_way(connection, sku, units)}


def _sentence(error: HubError) -> str:
    words = str(error).removesuffix("; import it first")
    return words[:1].upper() + words[1:]

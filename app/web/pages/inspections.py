"""`/inspections`: what came back and waits to be judged; made for a phone and a scanner.

A scanner types the code and Enter: the queue narrows to that SKU, one press judges it.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import RowMapping

from app.domain import instants
from app.domain.errors import HubError
from app.pipeline.acts import inspecting
from app.store.keyset import Page
from app.store.people.people import OPERATOR
from app.store.stock import balances, catalogue
from app.web import login
from app.web.hub import hub
from app.web.pages import acts
from app.web.pages.changing import once_of
from app.web.pages.frame import back, pages, position
from app.web.texts import gettext, ngettext

PAGE: Final = 50


@pages.get("/inspections")
def inspections() -> ResponseReturnValue:
    """Show what waits, or what of one scanned SKU waits."""
    code = request.args.get("code", "").strip().replace("\0", "")
    location = request.args.get("location") or None
    with hub().engine.connect() as connection:
        scanned = catalogue.scanned(connection, code) if code else None
        found = (
            Page[RowMapping]()
            if code and scanned is None
            else balances.in_inspection(
                connection,
                limit=PAGE,
                after=position(),
                sku=scanned["sku"] if scanned is not None else None,
                location=location,
            )
        )
        locations = catalogue.codes(connection)
    return render_template(
        "inspections.html",
        code=code,
        scanned=scanned,
        location=location,
        locations=locations,
        found=found,
        once=acts.Once(uuid.uuid4().hex, instants.now()),
    )


@pages.post("/inspections")
@login.needs(OPERATOR)
def judge() -> ResponseReturnValue:
    """Keep a verdict on units; pressed twice, it is one verdict."""
    form = {name: one.strip() for name, one in request.form.items()}
    told, wrong = acts.check(acts.DEEDS["inspect"], form)
    here = url_for("pages.inspections", location=form.get("location"))
    if wrong:
        return back(here, " ".join(wrong), "danger")
    one = once_of(form)
    try:
        inspecting.inspect(
            hub().engine,
            told["location"],
            told["lines"],
            actor=current_user.email,
            now=one.now,
            occurred_at=one.now,
            fact_id=one.id,
            wakes=hub().bell,
        )
    except HubError as error:
        said = gettext("%(error)s. Somebody may have judged them already.", error=error)
        return back(here, said, "danger")
    return back(here, _judged(told["lines"][0]))


def _judged(line: Mapping[str, Any]) -> str:
    return ngettext(
        "%(num)s unit of %(sku)s is %(verdict)s.",
        "%(num)s units of %(sku)s are %(verdict)s.",
        line["quantity"],
        sku=line["sku"],
        verdict=acts.DISPOSITIONS[line["disposition"]],
    )

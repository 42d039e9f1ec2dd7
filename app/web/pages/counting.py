"""`/counting`: a shelf is counted line by line, with a scanner, and sent as one count.

The page itself carries the lines, each with the time it was counted: nothing is written
before *Send*, and what is sold meanwhile is set off by those times. The browser keeps
them until then, should the login end (`static/counting.js`).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from marshmallow import ValidationError
from sqlalchemy.engine import RowMapping

from app.domain import events, instants
from app.domain.errors import HubError
from app.domain.instants import DAY, Instant
from app.pipeline.acts import facts, telling
from app.store.people.people import OPERATOR
from app.store.stock import catalogue
from app.web import login
from app.web.api.counts import Count
from app.web.api.facts import MOST_LINES
from app.web.api.fields import MOST_UNITS
from app.web.hub import hub
from app.web.pages.acts import Once
from app.web.pages.changing import once_of
from app.web.pages.frame import kept, pages, whole
from app.web.texts import gettext, ngettext, number

LONGEST_NUMBER: Final = 18
"""Digits that are read as a number at all."""


@dataclass(frozen=True, slots=True)
class Line:
    """What was counted of one SKU, and when."""

    sku: str
    quantity: int
    counted_at: Instant


@pages.get("/counting")
@login.needs(OPERATOR)
def counting() -> ResponseReturnValue:
    """Begin a count."""
    return _page([], location=request.args.get("location", ""))


@pages.post("/counting/lines")
@login.needs(OPERATOR)
@kept
def count_line() -> ResponseReturnValue:
    """Add what was scanned to the lines, or take a line off; nothing is written."""
    lines, location = _lines(), request.form.get("location", "")
    gone = request.form.get("remove")
    if gone is not None:
        kept = [one for one in lines if one.sku != gone]
        said = gettext("%(sku)s is off the list.", sku=gone)
        return _page(kept, location=location, said=said)
    if "code" not in request.form:  # what the browser kept is taken up again
        return _page(lines, location=location)
    code = request.form.get("code", "").strip().replace("\0", "")
    found = _scanned(code)
    if found is None:
        wrong = gettext("Nothing is known as “%(code)s”.", code=code)
        return _page(lines, location=location, wrong=wrong)
    text = request.form.get("quantity", "").strip()
    if wrong := _refused(lines, found["sku"], text):
        return _page(lines, location=location, wrong=wrong)
    return _page(
        _counted(lines, found["sku"], whole(text) or 0, is_scan=not text),
        location=location,
        said=f"{found['sku']} {found['name']}".strip(),
    )


def _refused(lines: list[Line], sku: str, text: str) -> str:
    """Why no line can be made of this; nothing when one can."""
    if len(lines) >= MOST_LINES and all(one.sku != sku for one in lines):
        return gettext(
            "%(sku)s is not counted: one count holds %(most)s SKUs. Send it, then go on.",
            sku=sku,
            most=number(MOST_LINES),
        )
    if text and not (text.isascii() and text.isdecimal()):
        return gettext("“%(text)s” is no whole number.", text=text)
    if text and (len(text) > LONGEST_NUMBER or int(text) > MOST_UNITS):
        return gettext(
            "%(text)s is too many: up to %(most)s units of a SKU can be counted.",
            text=text,
            most=number(MOST_UNITS),
        )
    return ""


def _counted(
    lines: list[Line], sku: str, quantity: int, *, is_scan: bool
) -> list[Line]:
    """A scan counts one more; a number typed in is the whole of it. The newest first."""
    now = instants.now()
    known = next((one for one in lines if one.sku == sku), None)
    if known is None:
        return [Line(sku, 1 if is_scan else quantity, now), *lines]
    total = known.quantity + 1 if is_scan else quantity
    rest = [one for one in lines if one.sku != sku]
    return [replace(known, quantity=total, counted_at=now), *rest]


@pages.post("/counting")
@login.needs(OPERATOR)
@kept
def send_count() -> ResponseReturnValue:
    """Post the count; pressed twice, it is one count."""
    lines, location = _lines(), request.form.get("location", "")
    body = {
        "location": location,
        "lines": [
            {
                "sku": one.sku,
                "quantity": one.quantity,
                "counted_at": instants.iso(one.counted_at),
            }
            for one in lines
        ],
    }
    try:
        told = Count().load(body)
    except ValidationError:
        empty, other = (
            gettext("Scan something first."),
            gettext("That cannot be counted."),
        )
        wrong = other if lines else empty
        return _page(lines, location=location, wrong=wrong)
    one = once_of(request.form)
    try:
        recorded = facts.record(
            hub().engine,
            telling.counted(told, one),
            actor=current_user.email,
            now=one.now,
            wakes=hub().bell,
        )
    except HubError as error:
        return _page(lines, location=location, wrong=f"{error}.")
    flash(_told(lines, location, recorded.entries), "success")
    sent = request.form.get("once")
    here = url_for("pages.counting", location=location, sent=sent)
    return redirect(here, code=303)


def _told(lines: list[Line], location: str, entries: Sequence[RowMapping]) -> str:
    differed = len({row["sku_id"] for row in entries if row["kind"] == events.COUNTED})
    if not differed:
        return ngettext(
            "%(num)s SKU counted at %(location)s: all as thought.",
            "%(num)s SKUs counted at %(location)s: all as thought.",
            len(lines),
            location=location,
        )
    return ngettext(
        "%(num)s SKU counted at %(location)s: %(differed)s differed, and are corrected.",
        "%(num)s SKUs counted at %(location)s: %(differed)s differed, and are corrected.",
        len(lines),
        location=location,
        differed=differed,
    )


def _lines() -> list[Line]:
    """The lines that the page carried; what makes no sense is left out."""
    now = instants.now()
    names = ("line_sku", "line_quantity", "line_at")
    columns = [request.form.getlist(name) for name in names]
    found = []
    for sku, quantity, at in zip(*columns, strict=False):
        units, counted_at = whole(quantity), whole(at) or 0
        if sku and units is not None and now - DAY < counted_at <= now:
            found.append(Line(sku, units, counted_at))
    return found


def _scanned(code: str) -> RowMapping | None:
    with hub().engine.connect() as connection:
        return catalogue.scanned(connection, code) if code else None


def _page(
    lines: list[Line], *, location: str, said: str = "", wrong: str = ""
) -> ResponseReturnValue:
    with hub().engine.connect() as connection:
        locations = catalogue.codes(connection)
    page = render_template(
        "counting.html",
        lines=lines,
        location=location,
        locations=locations,
        last=said,
        wrong=wrong,
        sent=request.args.get("sent", ""),
        once=Once(uuid.uuid4().hex, instants.now()),
        is_full=len(lines) >= MOST_LINES,
    )
    return page, 422 if wrong else 200

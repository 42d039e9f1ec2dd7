"""`/sheets`: spreadsheets go out and come in; what one would change is looked at first."""

import json
from typing import IO, Any, Final

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError

from app.domain import instants
from app.domain.errors import BadConfiguration, HubError
from app.pipeline.spreadsheets import letting, sheets
from app.pipeline.spreadsheets.exporting import EXPORTS, write_file
from app.pipeline.spreadsheets.sheets import KINDS, File
from app.store.engine import snapshot
from app.store.people import sheets as store
from app.store.people.people import OPERATOR
from app.store.stock import catalogue
from app.store.stock.balances import When
from app.web import login
from app.web.hub import hub
from app.web.pages.changing import MOVED
from app.web.pages.files import attachment
from app.web.pages.frame import back, kept, pages
from app.web.texts import gettext

SHOWN: Final = 300
"""Lines of a plan on the page; the rest are counted."""
LATEST: Final = 20


@pages.get("/sheets")
@login.needs(OPERATOR)
def all_sheets() -> ResponseReturnValue:
    """What can go out, a form to bring one in, and those brought before."""
    return _page()


@pages.get("/sheets/export/<what>.<any(csv, xlsx):ending>")
def export_sheet(what: str, ending: str) -> ResponseReturnValue:
    """What is known now, as a file."""
    export, now = EXPORTS.get(what) or abort(404), instants.now()

    def write(out: IO[bytes]) -> None:
        with snapshot(hub().engine) as connection:
            write_file(out, export, connection, When(now), ending)

    return attachment(what, ending, now, write)


@pages.post("/sheets")
@login.needs(OPERATOR)
@kept
def bring_sheet() -> ResponseReturnValue:
    """Read a file; nothing it says happens yet."""
    kind = request.form.get("kind", "")
    what = KINDS.get(kind)
    if what is None:
        return _page(gettext("Choose what the file holds."))
    login.allow(what.role)
    chosen = request.files.get("file")
    if chosen is None or not chosen.filename:
        return _page(gettext("Choose a file."))
    name = "".join(one for one in chosen.filename if one.isprintable())[-200:]
    file = File(name, chosen.read(), request.form.get("location", ""))
    now = instants.now()
    try:
        sheet_id = sheets.bring(
            hub().engine, kind, file, actor=current_user.email, now=now
        )
    except BadConfiguration as error:
        joint = ", " if str(error).startswith("line") else " "
        return _page(f"{name}{joint}{error}.")
    return redirect(url_for("pages.sheet", sheet_id=sheet_id), code=303)


@pages.get("/sheets/<int(max=9223372036854775807):sheet_id>")
@login.needs(OPERATOR)
def sheet(sheet_id: int) -> ResponseReturnValue:
    """What a file would change now; or what became of it."""
    return _one(_sheet(sheet_id))


@pages.post("/sheets/<int(max=9223372036854775807):sheet_id>/apply")
@login.needs(OPERATOR)
@kept
def let_sheet_in(sheet_id: int) -> ResponseReturnValue:
    """Change what a file says; pressed twice, it happens once."""
    row, now = _sheet(sheet_id), instants.now()
    here = url_for("pages.sheet", sheet_id=sheet_id)
    if row["undone_at"] is not None:
        return redirect(here, code=303)
    if row["applied_at"] is None and not request.form.get("sure"):
        with hub().engine.connect() as connection:
            extent = sheets.plan(connection, row, now).extent
        if extent is not None and extent.is_large:
            wrong = gettext("Say first that so much is really to change.")
            return _one(row, wrong), 422
    letting.let_in(
        hub().engine, sheet_id, actor=current_user.email, now=now, wakes=hub().bell
    )
    return redirect(here, code=303)


@pages.post("/sheets/<int(max=9223372036854775807):sheet_id>/undo")
@login.needs(OPERATOR)
def undo_sheet(sheet_id: int) -> ResponseReturnValue:
    """Take back what a file changed, all of it."""
    _sheet(sheet_id)
    here, now = url_for("pages.sheet", sheet_id=sheet_id), instants.now()
    try:
        letting.undo(
            hub().engine, sheet_id, actor=current_user.email, now=now, wakes=hub().bell
        )
    except IntegrityError:
        return back(here, MOVED, "danger")
    except HubError as error:
        said = gettext("It is not undone: %(error)s.", error=error)
        return back(here, said, "danger")
    return redirect(here, code=303)


def _sheet(sheet_id: int) -> RowMapping:
    with hub().engine.connect() as connection:
        row = store.one(connection, sheet_id) or abort(404)
    login.allow(KINDS[row["kind"]].role)
    return row


def _page(wrong: str = "") -> ResponseReturnValue:
    with hub().engine.connect() as connection:
        latest = store.latest(connection, LATEST)
        locations = catalogue.codes(connection)
    page = render_template(
        "sheets.html",
        kinds={
            name: kind for name, kind in KINDS.items() if current_user.may(kind.role)
        },
        exports=EXPORTS,
        latest=latest,
        locations=locations,
        most=sheets.MOST_ROWS,
        wrong=wrong,
    )
    return page, 422 if wrong else 200


def _one(row: RowMapping, wrong: str = "") -> str:
    facts: dict[str, Any] = {"plan": None, "again": None}
    if row["applied_at"] is None:
        with hub().engine.connect() as connection:
            facts["plan"] = sheets.plan(connection, row, instants.now())
            facts["again"] = store.same(connection, row)
    return render_template(
        "sheet.html",
        sheet=row,
        kind=KINDS[row["kind"]],
        lines=len(sheets.sheet_of(row).rows),
        result=json.loads(row["result"]),
        shown=SHOWN,
        wrong=wrong,
        **facts,
    )

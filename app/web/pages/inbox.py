"""`/inbox`: webhooks that wait for a person, why, and what to do about each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import Connection, RowMapping

from app.domain import instants
from app.domain.errors import BadConfiguration, UnknownName
from app.pipeline.configuring import listings, unstocked
from app.pipeline.repairing import dismissing, replaying
from app.store.people.people import OPERATOR
from app.store.receiving import messages
from app.web import login
from app.web.hub import hub
from app.web.pages import words
from app.web.pages.frame import back, note, pages, position, ticked
from app.web.texts import gettext, lazy, ngettext

PAGE = 30
NOTHING = lazy("Nothing was selected. Tick some messages first.")


@dataclass(frozen=True, slots=True)
class Wait:
    """What a parked line waits for."""

    kind: str
    """`sku`, `location` or `channel`."""
    channel: str
    word: str
    """The name as the source sent it."""
    external_id: str
    external_parent_id: str
    quantity: int
    event: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A message with what its lines wait for."""

    row: RowMapping
    word: words.Word
    waits: Sequence[Wait]


@pages.get("/inbox")
def inbox() -> ResponseReturnValue:
    """Show the messages of one state, newest first."""
    with hub().engine.connect() as connection:
        counts = messages.counts(connection)
        state = _state(counts)
        found = messages.page(
            connection,
            limit=PAGE,
            after=position(),
            state=state,
            channel=request.args.get("channel") or None,
        )
        shown = [_shown(connection, row) for row in found]
    return render_template(
        "inbox.html", counts=counts, state=state, found=found.of(shown)
    )


def _state(counts: Any) -> str:
    asked = request.args.get("state", "")
    if asked in messages.STATES:
        return asked
    return "parked" if counts["parked"] or not counts["buried"] else "buried"


def _shown(connection: Connection, row: RowMapping) -> Shown:
    waits = []
    if row["state"] == "parked":
        said = messages.events_of(connection, row["id"])
        waits = [_wait(event) for event in said if event["verdict"] == "parked"]
    return Shown(row, words.MESSAGE[row["state"]], waits)


def _wait(event: RowMapping) -> Wait:
    kind, _, rest = (event["waits_for"] or "").partition(":")
    channel, _, word = rest.partition(":")
    details = json.loads(event["details"])
    return Wait(
        kind,
        channel,
        word,
        details.get("external_id") or details.get("sku") or word,
        details.get("external_parent_id") or "",
        event["target"],
        words.TOLD.get(event["kind"], event["kind"]),
    )


@pages.post("/inbox/replay")
@login.needs(OPERATOR)
def replay() -> ResponseReturnValue:
    """Read the chosen messages again."""
    ids = ticked()
    if not ids:
        return back(url_for("pages.inbox"), NOTHING, "warning")
    matched = replaying.replay(hub().engine, ids)
    hub().bell.wake("inbound")
    note("replay", "inbox", {"ids": ids[:1000]})
    said = ngettext(
        "%(num)s message is being read again.",
        "%(num)s messages are being read again.",
        matched,
    )
    return back(url_for("pages.inbox"), said)


@pages.post("/inbox/dismiss")
@login.needs(OPERATOR)
def dismiss() -> ResponseReturnValue:
    """Say that the chosen messages mean nothing here."""
    ids = ticked()
    if not ids:
        return back(url_for("pages.inbox"), NOTHING, "warning")
    told = {"actor": current_user.email, "now": instants.now()}
    matched = dismissing.dismiss(hub().engine, ids, **told)
    note("dismiss", "inbox", {"ids": ids[:1000]})
    said = ngettext(
        "%(num)s message dismissed. It moves nothing; replay it, and it is back.",
        "%(num)s messages dismissed. They move nothing; replay them, and they are back.",
        matched,
    )
    return back(url_for("pages.inbox"), said)


@pages.post("/inbox/name")
@login.needs(OPERATOR)
def name_listing() -> ResponseReturnValue:
    """Say which SKU a channel's item is; what waits for it applies by itself."""
    told = {name: request.form.get(name, "").strip() for name in _FIELDS}
    told["sku"] = request.form.get("candidate") or told["sku"]
    if not told["sku"]:
        return back(url_for("pages.inbox"), gettext("Say which SKU it is."), "warning")
    try:
        _, lanes = listings.map_listing(
            hub().engine,
            told["channel"],
            told["sku"],
            told["external_id"],
            told["external_parent_id"] or None,
            now=instants.now(),
        )
    except UnknownName as error:
        if error.field == "channel":
            abort(404)
        said = gettext(
            "%(error)s. Check the spelling, or add it to the SKUs first.", error=error
        )
        return back(url_for("pages.inbox"), said, "danger")
    except BadConfiguration as error:
        said = gettext("That did not work: %(error)s.", error=error)
        return back(url_for("pages.inbox"), said, "danger")
    for lane in lanes:
        hub().bell.wake(lane)
    note("name listing", told["channel"], told)
    said = gettext(
        "%(external_id)s on %(channel)s is %(sku)s from now on. "
        "What waited only for that is in the stock.",
        **told,
    )
    return back(url_for("pages.inbox"), said)


@pages.post("/inbox/not-stock")
@login.needs(OPERATOR)
def leave_out() -> ResponseReturnValue:
    """Say that a channel's item is not stock; its lines move nothing."""
    told = {name: request.form.get(name, "") for name in ("channel", "item")}
    try:
        unstocked.leave_out(hub().engine, *told.values(), now=instants.now())
    except UnknownName:
        abort(404)
    except BadConfiguration as error:
        said = gettext("That did not work: %(error)s.", error=error)
        return back(url_for("pages.inbox"), said, "danger")
    note("not stock", told["channel"], {"item": told["item"]})
    said = gettext(
        "%(item)s on %(channel)s is not stock: what is sold of it moves nothing. "
        "It stands on that channel's page, should it be stock after all.",
        **told,
    )
    return back(url_for("pages.inbox"), said)


_FIELDS = ("channel", "sku", "external_id", "external_parent_id")

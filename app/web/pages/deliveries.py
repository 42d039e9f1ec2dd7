"""`/deliveries/<id>`: the attempts at one number; and the buttons Retry and Discard."""

from collections.abc import Sequence

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.domain import instants
from app.pipeline import redelivery
from app.store import deeds, overview as store
from app.store.engine import writing
from app.store.people import OPERATOR
from app.web import login
from app.web.hub import hub
from app.web.pages import rows, words
from app.web.pages.frame import back, chosen, pages, positive
from app.web.pages.overview import wanted

ATTEMPTS = 50
AT_ONCE = 10_000
"""How many one press of a button may move."""
NOTHING = "Nothing was selected. Tick some rows first."


@pages.get("/deliveries/<int(max=9223372036854775807):row_id>")
def delivery(row_id: int) -> ResponseReturnValue:
    """Show what happened to one number, newest first."""
    now = instants.now()
    with hub().engine.connect() as connection:
        found = store.publication(connection, row_id, now)
        if found is None:
            abort(404)
        one = rows.read(connection, [found], now)[0]
        tried = store.attempts(
            connection, row_id, limit=ATTEMPTS + 1, before=positive("before")
        )
    more = tried[ATTEMPTS - 1]["item_id"] if len(tried) > ATTEMPTS else None
    return render_template(
        "delivery.html", now=now, one=one, attempts=tried[:ATTEMPTS], more=more
    )


@pages.post("/deliveries/retry")
@login.needs(OPERATOR)
def retry() -> ResponseReturnValue:
    """Try the chosen deliveries again at once, or all that match the filter."""
    ids = _meant()
    if not ids:
        return back(url_for("pages.overview"), NOTHING, "warning")
    matched, lanes = redelivery.retry(hub().engine, ids)
    for lane in lanes:
        hub().wakes.wake(lane)
    _note("retry", ids)
    is_or_are = "is" if matched == 1 else "are"
    return back(
        url_for("pages.overview"),
        f"{words.units(matched, 'number')} {is_or_are} being sent again, as of now.",
    )


@pages.post("/deliveries/discard")
@login.needs(OPERATOR)
def discard() -> ResponseReturnValue:
    """Leave the chosen deliveries alone; several at once are confirmed first."""
    ids = _meant()
    if not ids:
        return back(url_for("pages.overview"), NOTHING, "warning")
    if len(ids) > 1 and not request.form.get("sure"):
        return _ask(ids)
    gone = redelivery.discard(hub().engine, ids)
    _note("discard", ids)
    return back(
        url_for("pages.overview"),
        f"{words.units(gone, 'delivery', 'deliveries')} discarded. The channel keeps "
        "what it shows until stock changes again.",
    )


def _meant() -> list[int]:
    """The rows pressed or ticked, or every one that the filter shows."""
    if not request.form.get("all"):
        return chosen()
    with hub().engine.connect() as connection:
        found = store.undelivered(connection, wanted(), instants.now(), limit=AT_ONCE)
    if len(found) == AT_ONCE:
        flash(f"Only the first {AT_ONCE:,} were taken; press again.", "warning")
    return [row["id"] for row in found]


def _ask(ids: Sequence[int]) -> ResponseReturnValue:
    now = instants.now()
    with hub().engine.connect() as connection:
        found = [
            row for one in ids[:200] if (row := store.publication(connection, one, now))
        ]
        listed = rows.read(connection, found, now)
    return render_template(
        "discard.html",
        ids=ids,
        deliveries=listed,
        excess=rows.excess(listed),
        back=request.form.get("back", ""),
    )


def _note(action: str, ids: Sequence[int]) -> None:
    with writing(hub().engine) as connection:
        deeds.note(
            connection,
            current_user.email,
            action,
            "publications",
            instants.now(),
            {"ids": list(ids[:1000]), "rows": len(ids)},
        )

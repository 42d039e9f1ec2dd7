"""`/deliveries`: every number on its way or delivered, by filters in the address; one of
them beside the list or alone, with its story; its buttons Retry and Discard. Many at
once: `runs`."""

from typing import Any

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import Connection

from app.domain import instants
from app.domain.instants import Instant
from app.pipeline.acts.facts import wake_all
from app.pipeline.configuring import revising
from app.pipeline.repairing import redelivery
from app.store.configuration import channels
from app.store.keyset import Position
from app.store.people import views
from app.store.people.people import OPERATOR
from app.store.publishing import spread
from app.store.publishing.deliveries import Filter
from app.store.publishing.tail import newest as newest_sent
from app.store.watching import overview as store
from app.web import login
from app.web.hub import hub
from app.web.pages import charts, rows, runs, story
from app.web.pages.frame import back, note, pages, position, whole
from app.web.pages.look import filters, wanted, written
from app.web.texts import lazy, ngettext

PAGE = 50


@pages.get("/deliveries")
def deliveries() -> ResponseReturnValue:
    """List deliveries; `open` names the one whose story stands beside them."""
    now = instants.now()
    look = wanted()
    opened = whole(request.args.get("open", ""))
    with hub().engine.connect() as connection:
        found = store.undelivered(connection, look, now, limit=PAGE, after=position())
        shown = found.of(rows.read(connection, found, now))
        keys = [row["key"] for row in channels.rows(connection)]
        told = None if opened is None else _told(connection, opened, now)
        running = runs.unfinished(connection)
        kept = views.of_user(connection, current_user.id)
        ages = _ages(connection, look, now)
    return render_template(
        "deliveries.html",
        now=now,
        look=look,
        filters=filters(look),
        channels=keys,
        deliveries=shown,
        told=told,
        running=running,
        views=kept,
        written=written,
        ages=ages,
        matched=sum(one.rows for one in ages) if ages is not None else None,
    )


def _ages(
    connection: Connection, look: Filter, now: Instant
) -> list[charts.Stretch] | None:
    """Since when the rows are wanted; None where that says nothing."""
    if not spread.is_drawn(look):
        return None
    return charts.histogram(*spread.wanted_in(connection, look, now))


@pages.get("/deliveries/tail")
def tail() -> ResponseReturnValue:
    """Show what was sent last; with JavaScript the page keeps up by itself."""
    with hub().engine.connect() as connection:
        keys = [row["key"] for row in channels.rows(connection)]
        channel = request.args.get("channel")
        channel = channel if channel in keys else None
        found = newest_sent(connection, limit=PAGE, channel=channel)
    return render_template("tail.html", rows=found, channels=keys, channel=channel)


@pages.get("/deliveries/<int(max=9223372036854775807):row_id>")
def delivery(row_id: int) -> ResponseReturnValue:
    """Show what happened to one number, newest first."""
    now = instants.now()
    with hub().engine.connect() as connection:
        told = _told(connection, row_id, now, position())
    if told is None:
        abort(404)
    return render_template("delivery.html", now=now, told=told, **told)


def _told(
    connection: Connection, row_id: int, now: Instant, after: Position | None = None
) -> dict[str, Any] | None:
    found = store.publication(connection, row_id, now)
    if found is None:
        return None
    one = rows.read(connection, [found], now)[0]
    return {
        "one": one,
        "steps": story.tell(connection, one, after),
        "curls": story.curls(one, hub().settings.public_url),
    }


@pages.post("/deliveries/retry")
@login.needs(OPERATOR)
def retry() -> ResponseReturnValue:
    """Try one delivery again at once; many: `runs`."""
    row_id = _pressed()
    one = Filter(ids=(row_id,))
    told = redelivery.retry(hub().engine, one, {}, actor=current_user.email)
    wake_all(hub().bell, told.lanes)
    note("retry", f"publication {row_id}")
    said = ngettext(
        "%(num)s number is being sent again, as of now.",
        "%(num)s numbers are being sent again, as of now.",
        told.matched,
    )
    return back(url_for("pages.deliveries"), said)


@pages.post("/deliveries/discard")
@login.needs(OPERATOR)
def discard() -> ResponseReturnValue:
    """Leave one delivery alone."""
    row_id = _pressed()
    gone = redelivery.discard(hub().engine, [row_id])
    note("discard", f"publication {row_id}")
    said = ngettext(
        "%(num)s delivery discarded. The channel keeps what it shows until stock "
        "changes again.",
        "%(num)s deliveries discarded. The channel keeps what it shows until stock "
        "changes again.",
        gone,
    )
    return back(url_for("pages.deliveries"), said)


def _pressed() -> int:
    row_id = whole(request.form.get("one", ""))
    return abort(404) if row_id is None else row_id


@pages.post("/deliveries/show-nothing")
@login.needs(OPERATOR)
def show_nothing() -> ResponseReturnValue:
    """Let a channel show 0 of the chosen numbers' listings, until told otherwise."""
    said = lazy(
        "%(sku)s is shown as 0 on %(channel)s until you let its number be shown again."
    )
    return _cap(0, said)


@pages.post("/deliveries/show-again")
@login.needs(OPERATOR)
def show_again() -> ResponseReturnValue:
    """Let the channel show the true number again."""
    return _cap(None, lazy("%(sku)s is shown on %(channel)s as its policy says again."))


def _cap(cap: int | None, said: str) -> ResponseReturnValue:
    now = instants.now()
    with hub().engine.connect() as connection:
        found = store.publication(connection, _pressed(), now) or abort(404)
    listing, lanes = revising.keep_at_most(
        hub().engine, found["listing_id"], cap, now=now, actor=current_user.email
    )
    wake_all(hub().bell, lanes)
    note("policy", f"listing {listing['id']}", listing)
    return back(url_for("pages.overview"), str(said) % listing)

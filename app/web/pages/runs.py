"""`/deliveries/plan` and `/deliveries/runs/<id>`: what many deliveries at once would
take, and how far it has got."""

import json
from typing import Any

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import Connection, RowMapping

from app.domain import instants
from app.pipeline.repairing import planning, running
from app.store.people.people import OPERATOR
from app.store.publishing import deliveries, runs as store
from app.web import login
from app.web.hub import hub
from app.web.pages.frame import back, pages
from app.web.pages.look import filters, wanted
from app.web.texts import gettext


@pages.get("/deliveries/plan")
@login.needs(OPERATOR)
def plan() -> ResponseReturnValue:
    """Say what it would take to try all that match the filter again, or what it would
    mean to discard them; rows that were ticked are a filter too."""
    action, now = _action(), instants.now()
    look = wanted()
    with hub().engine.connect() as connection:
        made = planning.plan(connection, deliveries.matching(look, now), now)
    return render_template(
        "plan.html",
        now=now,
        action=action,
        filters=filters(look),
        plan=made,
        weighed=planning.WEIGHED,
    )


@pages.post("/deliveries/runs")
@login.needs(OPERATOR)
def begin_run() -> ResponseReturnValue:
    """Let a run over all that match the filter begin."""
    action, now = _action(), instants.now()
    look = wanted()
    begun = running.begin(
        hub().engine,
        action,
        current_user.email,
        filters(look),
        deliveries.matching(look, now),
        now,
    )
    return back(url_for("pages.show_run", run_id=begun.id))


def _action() -> str:
    action = request.values.get("action", store.RETRY)
    if action not in (store.RETRY, store.DISCARD):
        abort(400)
    return action


@pages.get("/deliveries/runs/<int(max=9223372036854775807):run_id>")
def show_run(run_id: int) -> ResponseReturnValue:
    """Show how far a run has got."""
    with hub().engine.connect() as connection:
        row = store.run(connection, run_id)
        if row is None:
            abort(404)
        told = _told(connection, row)
    return render_template("run.html", now=instants.now(), **told)


@pages.post("/deliveries/runs/<int(max=9223372036854775807):run_id>/cancel")
@login.needs(OPERATOR)
def cancel_run(run_id: int) -> ResponseReturnValue:
    """Stop a run where it is."""
    here = url_for("pages.show_run", run_id=run_id)
    if running.cancel(hub().engine, run_id, current_user.email, instants.now()):
        return back(
            here, gettext("It is cancelled. What was not sent is as it was before.")
        )
    return back(here, gettext("It was over already."), "warning")


def _told(connection: Connection, row: RowMapping) -> dict[str, Any]:
    if row["finished_at"] is not None:
        counts = json.loads(row["result"])
    else:
        counts = store.by_state(store.counts(connection, row["id"]))
    return {
        "run": row,
        "counts": counts,
        "share": running.progress(row, counts),
        "filters": json.loads(row["wanted"]),
    }


def unfinished(connection: Connection) -> list[dict[str, Any]]:
    """The runs that are still on, each with how far it has got."""
    return [_told(connection, row) for row in store.unfinished(connection)]

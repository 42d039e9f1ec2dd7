"""A drift that waits for a person: both numbers, and the buttons that take one."""

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.domain import instants
from app.domain.errors import NotOpen, UnknownName
from app.pipeline.publishing import disputes
from app.store.people.people import OPERATOR
from app.web import login
from app.web.hub import hub
from app.web.pages.frame import back, pages
from app.web.texts import gettext, lazy

DONE = {
    disputes.OURS: lazy("Ours is right: it is published."),
    disputes.THEIRS: lazy("Theirs is right: the stock is adjusted to it."),
}


@pages.post("/drifts/<int(max=9223372036854775807):drift_id>/decide")
@login.needs(OPERATOR)
def decide_drift(drift_id: int) -> ResponseReturnValue:
    """Take ours, or theirs; kept in the audit log."""
    here, take = url_for("pages.incidents"), request.form.get("take", "")
    if take not in DONE:
        abort(400)
    try:
        disputes.decide(
            hub().engine,
            drift_id,
            take,
            actor=current_user.email,
            now=instants.now(),
            wakes=hub().bell,
        )
    except UnknownName:
        abort(404)
    except NotOpen as error:
        return back(
            here, gettext("Nothing was done: %(error)s.", error=error), "warning"
        )
    return back(here, DONE[take])

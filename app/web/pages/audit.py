"""`/audit`: who did what and when, searchable."""

from typing import Final

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.store import deeds
from app.store.people import OPERATOR
from app.web import login
from app.web.hub import hub
from app.web.pages.frame import pages, positive

PAGE: Final = 100


@pages.get("/audit")
@login.needs(OPERATOR)
def audit() -> ResponseReturnValue:
    """List what people and programs did, newest first."""
    actor = request.args.get("actor", "").replace("\0", "")
    text = request.args.get("q", "").strip().replace("\0", "")
    with hub().engine.connect() as connection:
        found = deeds.page(
            connection,
            limit=PAGE + 1,
            before=positive("before"),
            actor=actor or None,
            text=text or None,
        )
        actors = deeds.actors(connection)
    return render_template(
        "audit.html",
        rows=found[:PAGE],
        actors=actors,
        actor=actor,
        text=text,
        more=found[PAGE - 1]["id"] if len(found) > PAGE else None,
    )

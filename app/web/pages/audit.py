"""`/audit`: who did what and when, searchable, and as a file."""

from typing import IO, Final

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.domain import instants
from app.pipeline import exporting
from app.store import deeds
from app.store.balances import When
from app.store.engine import snapshot
from app.store.people import OPERATOR
from app.web import login
from app.web.hub import hub
from app.web.pages.files import attachment
from app.web.pages.frame import pages, position

PAGE: Final = 100


@pages.get("/audit")
@login.needs(OPERATOR)
def audit() -> ResponseReturnValue:
    """List what people and programs did, newest first."""
    actor, text = _wanted()
    with hub().engine.connect() as connection:
        found = deeds.page(
            connection,
            limit=PAGE,
            after=position(),
            actor=actor or None,
            text=text or None,
        )
        actors = deeds.actors(connection)
    return render_template(
        "audit.html",
        rows=found,
        actors=actors,
        actor=actor,
        text=text,
    )


@pages.get("/audit.csv")
@login.needs(OPERATOR)
def audit_file() -> ResponseReturnValue:
    """All that is found, as a file."""
    actor, text = _wanted()
    export = exporting.deeds_of(actor or None, text or None)
    now = instants.now()

    def write(out: IO[bytes]) -> None:
        with snapshot(hub().engine) as connection:
            exporting.write_file(out, export, connection, When(now), "csv")

    return attachment("audit", "csv", now, write)


def _wanted() -> tuple[str, str]:
    """By whom, and what it is about."""
    actor = request.args.get("actor", "").replace("\0", "")
    return actor, request.args.get("q", "").strip().replace("\0", "")

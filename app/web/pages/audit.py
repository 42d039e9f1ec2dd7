"""`/audit`: who did what and when, searchable, and as a file."""

from typing import IO, Final

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.domain import instants
from app.pipeline.spreadsheets import exporting
from app.store.engine import snapshot
from app.store.people import deeds
from app.store.people.people import OPERATOR
from app.store.stock.balances import When
from app.web import login
from app.web.hub import hub
from app.web.pages.files import attachment
from app.web.pages.frame import pages, position
from app.web.pages.look import moment, written

PAGE: Final = 100


@pages.get("/audit")
@login.needs(OPERATOR)
def audit() -> ResponseReturnValue:
    """List what people and programs did, newest first."""
    search = _wanted()
    with hub().engine.connect() as connection:
        found = deeds.page(connection, search, limit=PAGE, after=position())
        actors = deeds.actors(connection)
    return render_template(
        "audit.html",
        rows=found,
        actors=actors,
        told=_told(search),
    )


@pages.get("/audit.csv")
@login.needs(OPERATOR)
def audit_file() -> ResponseReturnValue:
    """All that is found, as a file."""
    export = exporting.deeds_of(_wanted())
    now = instants.now()

    def write(out: IO[bytes]) -> None:
        with snapshot(hub().engine) as connection:
            exporting.write_file(out, export, connection, When(now), "csv")

    return attachment("audit", "csv", now, write)


def _wanted() -> deeds.Search:
    """What is looked for, as it stands in the address."""
    return deeds.Search(
        _word("actor") or None,
        _word("q") or None,
        moment(_word("since")),
        moment(_word("until")),
    )


def _word(name: str) -> str:
    return request.args.get(name, "").strip().replace("\0", "")


def _told(search: deeds.Search) -> dict[str, str]:
    """The same, to be put in an address."""
    told = {
        "actor": search.actor,
        "q": search.text,
        "since": search.since,
        "until": search.until,
    }
    return {name: written(one) for name, one in told.items() if one is not None}

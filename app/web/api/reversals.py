"""POST ledger/<entry>/reverse: a mistake is undone by entries that name it."""

from typing import Any

from marshmallow import Schema
from sqlalchemy.exc import IntegrityError

from app.pipeline.acts import reversing
from app.store.stock import history
from app.web.api.facts import Posted
from app.web.api.fields import LARGEST_ID, Word
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.api.spec import ProblemDocument
from app.web.api.stock import entry
from app.web.auth import OPERATOR, actor, needs
from app.web.hub import hub
from app.web.problems import Problem

blueprint = Resource("reversals", "Undoing what was written down by mistake.")


class Reversal(Schema):
    """Why an entry is undone."""

    reason = Word(required=True)


@blueprint.post("/ledger/<id:entry_id>/reverse")
@needs(OPERATOR)
@once
@blueprint.body(Reversal)
@blueprint.answers(201, Posted)
@blueprint.answers_also(200, Posted, "It was reversed before; the same answer.")
@blueprint.refuses(409, ProblemDocument, "The entry is corrected in another way.")
def reverse(told: dict[str, Any], entry_id: str) -> tuple[dict[str, Any], int]:
    """Undo the adjustment, receipt or inspection that caused a ledger entry."""
    number = int(entry_id) if entry_id.isdecimal() else 0
    if not 0 < number <= LARGEST_ID:
        raise Problem(404, f"there is no ledger entry {entry_id!r}")
    try:
        done = reversing.reverse(
            hub().engine,
            number,
            told["reason"],
            actor=actor(),
            now=this_try().now,
            wakes=hub().bell,
        )
    except IntegrityError as error:
        raise Problem(
            409, "some of its units have moved on since; move them back first"
        ) from error
    with hub().engine.connect() as connection:
        rows = history.of_events(connection, [done.key])
        told_events = history.verdicts(connection, [done.key])
    entries = [entry(row) for row in rows]
    answer = {"id": done.key, "events": told_events, "entries": entries}
    return answer, 201 if done.is_new else 200

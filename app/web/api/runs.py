"""/api/v1/runs: how far what somebody set off for many deliveries at once has got."""

import json
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy.engine import Connection, RowMapping

from app.pipeline.repairing import running
from app.store.publishing import runs as store
from app.web.api.fields import LARGEST_ID, Moment, number, one_of
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, VIEWER, actor, needs
from app.web.hub import hub
from app.web.problems import Problem

blueprint = Resource("runs", "Many deliveries at once.")

RUNNING, CANCELLED, FINISHED = "running", "cancelled", "finished"


class Run(Schema):
    """One run over many publications."""

    id = number()
    action = one_of(store.RETRY, store.DISCARD)
    state = one_of(RUNNING, CANCELLED, FINISHED)
    matched = number(metadata={"description": "How many rows it is about."})
    rows = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(strict=True),
        metadata={
            "description": "How many of them are in each state: waits, sent, done, "
            "skipped (delivered meanwhile), failed, retrying, cancelled."
        },
    )
    asked_by = fields.String()
    asked_at = Moment()
    finished_at = Moment(allow_none=True)


@blueprint.get("/runs/<id:run_id>")
@needs(VIEWER)
@blueprint.answers(200, Run)
def read_run(run_id: str) -> dict[str, Any]:
    """Tell how far a run has got."""
    with hub().engine.connect() as connection:
        return _told(connection, run_id)


@blueprint.post("/runs/<id:run_id>/cancel")
@needs(OPERATOR)
@once
@blueprint.answers(200, Run)
def cancel_run(run_id: str) -> dict[str, Any]:
    """Stop a run: what it has not sent stays as it was. One that is over stays over."""
    with hub().engine.connect() as connection:
        row = _row(connection, run_id)
    running.cancel(hub().engine, row["id"], actor(), this_try().now)
    with hub().engine.connect() as connection:
        return _told(connection, run_id)


def _row(connection: Connection, named: str) -> RowMapping:
    number_ = int(named) if named.isdecimal() else 0
    row = store.run(connection, number_) if 0 < number_ <= LARGEST_ID else None
    if row is None:
        raise Problem(404, f"there is no run {named!r}")
    return row


def _told(connection: Connection, named: str) -> dict[str, Any]:
    row = _row(connection, named)
    state = FINISHED if row["finished_at"] is not None else RUNNING
    if row["finished_at"] is not None:
        rows = json.loads(row["result"])
    else:
        rows = store.by_state(store.counts(connection, row["id"]))
    return {
        **row,
        "asked_by": row["actor"],
        "state": CANCELLED if row["cancelled_at"] is not None else state,
        "rows": rows,
    }

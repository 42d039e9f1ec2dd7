"""GET and POST /api/v1/incidents: what a person should look at, and has dealt with."""

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy.engine import Connection

from app.domain import instants
from app.pipeline.applying import oversells
from app.store.engine import writing
from app.store.people import deeds
from app.store.watching import incidents, watchlist
from app.web.api.fields import LARGEST_ID, Moment, Word, number
from app.web.api.idempotency import once, this_try
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, VIEWER, actor, needs
from app.web.hub import hub
from app.web.problems import Problem, refused_field

blueprint = Resource("incidents", "What needs a person.")


class Incident(Schema):
    """Something that does not add up."""

    id = number()
    kind = fields.String()
    subject = fields.String()
    channel = fields.String(allow_none=True)
    message = fields.String()
    details = fields.Raw()
    times = number(metadata={"description": "How often it was seen."})
    opened_at = Moment()
    seen_at = Moment()
    closed_at = Moment(allow_none=True)
    state = fields.String(metadata={"description": "open, resolved or closed"})
    snoozed_until = Moment(
        allow_none=True, metadata={"description": "Nobody needs to look before then."}
    )
    resolution = fields.String(allow_none=True)
    resolved_by = fields.String(allow_none=True)
    resolved_at = Moment(allow_none=True)


class Resolution(Schema):
    """What a person did about it."""

    note = Word(longest=2000, required=True)


class Snooze(Schema):
    """Until when it is put off."""

    until = Moment(
        required=True,
        allow_none=True,
        metadata={"description": "A time to come; null: look at it now."},
    )


class IncidentQuery(PageQuery):
    """A page of incidents."""

    kind = Word()
    channel = Word()
    is_open = fields.Boolean(
        data_key="open", metadata={"description": "Only open ones, or only closed."}
    )


IncidentPage = paged("IncidentPage", Incident)


@blueprint.get("/incidents")
@needs(VIEWER)
@blueprint.query(IncidentQuery)
@blueprint.answers(200, IncidentPage)
def list_incidents(query: dict[str, Any]) -> dict[str, Any]:
    """List incidents, newest first."""
    with hub().engine.connect() as connection:
        page = watchlist.page(connection, **query)
        current = oversells.up_to_date(connection, page, instants.now())
    return answer(page, [_told(row) for row in current])


@blueprint.post("/incidents/<id:incident_id>/resolve")
@needs(OPERATOR)
@once
@blueprint.body(Resolution)
@blueprint.answers(200, Incident)
def resolve(told: dict[str, Any], incident_id: str) -> dict[str, Any]:
    """Say that it was dealt with. It opens again by itself when it gets worse."""
    number_ = _number(incident_id)
    with writing(hub().engine) as connection:
        if not incidents.resolve(
            connection, number_, told["note"], actor(), this_try().now
        ):
            raise _no_incident(incident_id)
        deeds.note(
            connection, actor(), "resolve", f"incident {number_}", this_try().now
        )
        return _now(connection, number_)


@blueprint.post("/incidents/<id:incident_id>/snooze")
@needs(OPERATOR)
@once
@blueprint.body(Snooze)
@blueprint.answers(200, Incident)
def snooze(told: dict[str, Any], incident_id: str) -> dict[str, Any]:
    """Put an open incident off. An oversell that gets worse comes back before that."""
    number_, until, now = _number(incident_id), told["until"], this_try().now
    if until is not None and until <= now:
        raise refused_field("until", "that is over already")
    with writing(hub().engine) as connection:
        if not incidents.snooze(connection, number_, until):
            raise Problem(404, f"there is no open incident {incident_id!r}")
        action = "wake" if until is None else "snooze"
        subject = f"incident {number_}"
        deeds.note(connection, actor(), action, subject, now, {"until": until})
        return _now(connection, number_)


def _number(incident_id: str) -> int:
    number_ = int(incident_id) if incident_id.isdecimal() else 0
    if not 0 < number_ <= LARGEST_ID:
        raise _no_incident(incident_id)
    return number_


def _now(connection: Connection, number_: int) -> dict[str, Any]:
    row = watchlist.find(connection, number_)
    assert row is not None  # noqa: S101 - it was changed in this transaction
    return _told(dict(row))


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    state = "resolved" if row["resolved_at"] is not None else "closed"
    if row["closed_at"] is None:
        state = "open"
    return {**row, "details": json.loads(row["details"]), "state": state}


def _no_incident(named: str) -> Problem:
    return Problem(404, f"there is no incident {named!r}")

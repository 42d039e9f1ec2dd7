"""GET /api/v1/incidents: what a person should look at."""

import json
from typing import Any

from marshmallow import Schema, fields

from app.store import messages
from app.web.api.fields import Moment, Word, number
from app.web.api.paging import PageQuery, id_cursor, page_of, paged
from app.web.api.resource import Resource
from app.web.auth import VIEWER, needs
from app.web.hub import hub

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


class IncidentQuery(PageQuery):
    """A page of incidents."""

    kind = Word()
    channel = Word()
    open = fields.Boolean(metadata={"description": "Only open ones, or only closed."})


IncidentPage = paged("IncidentPage", Incident)


@blueprint.get("/incidents")
@needs(VIEWER)
@blueprint.query(IncidentQuery)
@blueprint.answers(200, IncidentPage)
def list_incidents(query: dict[str, Any]) -> dict[str, Any]:
    """List incidents, newest first."""
    with hub().engine.connect() as connection:
        rows = messages.incidents_page(
            connection,
            limit=query["limit"] + 1,
            before=id_cursor(query),
            kind=query.get("kind"),
            channel=query.get("channel"),
            is_open=query.get("open"),
        )
    told = [{**row, "details": json.loads(row["details"])} for row in rows]
    return page_of(told, query["limit"], lambda row: row["id"])

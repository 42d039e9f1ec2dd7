"""GET /api/v1/audit: what people and programs did beside the ledger."""

import json
from typing import Any

from marshmallow import Schema, fields

from app.store.people import deeds
from app.web.api.fields import Moment, Word, number
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, needs
from app.web.hub import hub

blueprint = Resource("audit", "Who did what.")


class Done(Schema):
    """One press of a button, or one call of a program."""

    id = number()
    at = Moment()
    actor = fields.String()
    action = fields.String()
    subject = fields.String()
    details = fields.Raw()


class AuditQuery(PageQuery):
    """A page of the audit log."""

    actor = Word(metadata={"description": "An e-mail, or `token:` and its name."})
    text = Word(
        data_key="q", metadata={"description": "Part of what was done, or to what."}
    )
    since = Moment(metadata={"description": "Not before this time."})
    until = Moment(metadata={"description": "Not after this time."})


AuditPage = paged("AuditPage", Done)


@blueprint.get("/audit")
@needs(OPERATOR)
@blueprint.query(AuditQuery)
@blueprint.answers(200, AuditPage)
def list_deeds(query: dict[str, Any]) -> dict[str, Any]:
    """Search the audit log, newest first."""
    limit, after = query.pop("limit"), query.pop("after", None)
    search = deeds.Search(**query)
    with hub().engine.connect() as connection:
        page = deeds.page(connection, search, limit=limit, after=after)
    return answer(
        page, [{**row, "details": json.loads(row["details"])} for row in page]
    )

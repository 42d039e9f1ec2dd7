"""GET /api/v1/publications and …/retry: what channels show, and trying again."""

from typing import Any

from marshmallow import Schema, fields

from app.domain import instants
from app.pipeline import desired, redelivery
from app.pipeline.facts import wake_all
from app.store import deliveries
from app.store.deliveries import Filter
from app.web.api import audit
from app.web.api.chosen import Matched, chosen
from app.web.api.fields import Moment, Word, number, one_of
from app.web.api.idempotency import once
from app.web.api.paging import PageQuery, id_cursor, page_of, paged
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, VIEWER, needs
from app.web.hub import hub

blueprint = Resource("publications", "What channels show.")


class Publication(Schema):
    """One listing at one place of its channel: three numbers, and why they differ."""

    id = number()
    channel = fields.String()
    sku = fields.String()
    external_id = fields.String()
    location = fields.String(allow_none=True)
    desired = number(metadata={"description": "What it should show now."})
    accepted = number(
        allow_none=True, metadata={"description": "The last the channel took."}
    )
    observed = number(
        allow_none=True, metadata={"description": "The last the channel told us."}
    )
    state = one_of(*deliveries.STATES)
    attempts = number()
    next_attempt_at = Moment(allow_none=True)
    last_error = fields.String(allow_none=True)


class PublicationFilter(Schema):
    """Which publications."""

    state = one_of(*deliveries.STATES)
    channel = Word()
    sku = Word()


class PublicationQuery(PublicationFilter, PageQuery):
    """A page of publications."""


PublicationPage = paged("PublicationPage", Publication)
PublicationChoice = chosen("PublicationChoice", PublicationFilter)


@blueprint.get("/publications")
@needs(VIEWER)
@blueprint.query(PublicationQuery)
@blueprint.answers(200, PublicationPage)
def list_publications(query: dict[str, Any]) -> dict[str, Any]:
    """List what every channel should show, took and shows."""
    now = instants.now()
    wanted = Filter(query.get("state"), query.get("channel"), query.get("sku"))
    with hub().engine.connect() as connection:
        rows = deliveries.page(
            connection,
            wanted,
            now=now,
            limit=query["limit"] + 1,
            after=id_cursor(query),
        )
        page = page_of(rows, query["limit"], lambda row: row["id"])
        places = deliveries.places(connection)
        numbers = desired.numbers(connection, page["items"])
    page["items"] = [
        {
            **row,
            "desired": numbers.get(row["id"]),
            "location": places.get((row["channel_id"], row["place"])),
            "next_attempt_at": row["next_attempt_at"] or None,
        }
        for row in page["items"]
    ]
    return page


@blueprint.post("/publications/retry")
@needs(OPERATOR)
@once
@blueprint.body(PublicationChoice)
@blueprint.answers(202, Matched)
def retry(told: dict[str, Any]) -> dict[str, int]:
    """Try publications again, those that failed too."""
    matched, lanes = redelivery.retry(
        hub().engine, ids=told.get("ids"), filter=told.get("filter")
    )
    audit.note("retry", "publications", {**told, "matched": matched})
    wake_all(hub().wakes, lanes)
    return {"matched": matched}

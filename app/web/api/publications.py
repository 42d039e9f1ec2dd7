"""/api/v1/publications: what channels show, every attempt at it, and trying again."""

from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy.engine import RowMapping

from app.domain import instants, retry as retry_policy
from app.domain.instants import Instant
from app.pipeline.acts.facts import wake_all
from app.pipeline.publishing import desired
from app.pipeline.publishing.exposing import exposure
from app.pipeline.repairing import redelivery
from app.store.publishing import deliveries
from app.store.publishing.deliveries import Filter
from app.store.publishing.publications import BULK_LANE
from app.store.watching import overview
from app.web.api import audit
from app.web.api.chosen import Matched, chosen
from app.web.api.fields import (
    LARGEST_ID,
    MOST_UNITS,
    Moment,
    Statuses,
    Word,
    number,
    one_of,
)
from app.web.api.idempotency import once
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, VIEWER, actor, needs
from app.web.hub import hub
from app.web.problems import Problem

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
    delay_reason = fields.String(
        allow_none=True, metadata={"description": "Why it is tried again then."}
    )
    exposure = number(
        allow_none=True,
        metadata={"description": "Units shown there beyond those it may show."},
    )
    last_error = fields.String(allow_none=True)
    error_class = one_of(
        *retry_policy.CLASSES,
        allow_none=True,
        metadata={"description": "What kind of error the last one was."},
    )
    error_status = number(
        allow_none=True, metadata={"description": "The HTTP status it came with."}
    )


class Attempt(Schema):
    """One call that told the channel this number, among others."""

    id = fields.Integer(strict=True)
    number = fields.Integer(
        strict=True, metadata={"description": "The number that was sent."}
    )
    expected = fields.Integer(
        strict=True,
        allow_none=True,
        metadata={"description": "What it was to replace there."},
    )
    result = fields.String(metadata={"description": "What came of it."})
    error = fields.String(allow_none=True)
    error_class = one_of(*retry_policy.CLASSES, allow_none=True)
    delay_reason = fields.String(
        allow_none=True, metadata={"description": "Why the next try came when it did."}
    )
    started_at = Moment()
    finished_at = Moment(allow_none=True)


AttemptPage = paged("AttemptPage", Attempt)


class PublicationFilter(Schema):
    """Which publications: the words of the dashboard's list, in its address and here."""

    state = one_of(deliveries.UNDELIVERED, *deliveries.STATES)
    channel = Word()
    sku = Word(metadata={"description": "A SKU, or an alias of one."})
    product = Word(metadata={"description": "A part of the SKU or of the name."})
    error = one_of(
        *deliveries.ERRORS,
        metadata={"description": "What is done about the last error, or its class."},
    )
    code = Statuses(
        metadata={"description": "The HTTP status that the last failure came with."}
    )
    attempts = fields.Integer(
        validate=validate.Range(min=0, max=MOST_UNITS),
        metadata={"description": "At least so many failed in a row."},
    )
    order = Word(
        metadata={"description": "The number or id of an order that changed them."}
    )
    since = Moment(metadata={"description": "Wanted at that time or later."})
    until = Moment(metadata={"description": "Wanted at that time or before."})


class PublicationQuery(PublicationFilter, PageQuery):
    """A page of publications."""


PublicationPage = paged("PublicationPage", Publication)
PublicationChoice = chosen("PublicationChoice", PublicationFilter)


class Retried(Matched):
    """How many rows it was about, and the bulk run that tells them if they are many."""

    run = number(metadata={"description": "GET /api/v1/runs/<id> says how far it is."})


@blueprint.get("/publications")
@needs(VIEWER)
@blueprint.query(PublicationQuery)
@blueprint.answers(200, PublicationPage)
def list_publications(query: dict[str, Any]) -> dict[str, Any]:
    """List what every channel should show, took and shows."""
    limit, after = query.pop("limit"), query.pop("after", None)
    with hub().engine.connect() as connection:
        page = deliveries.page(
            connection, Filter(**query), now=instants.now(), limit=limit, after=after
        )
        places = deliveries.places(connection)
        numbers = desired.numbers(connection, page)
    items = [
        {
            **row,
            "desired": numbers.get(row["id"]),
            "location": places.get((row["channel_id"], row["place"])),
            "next_attempt_at": _next(row),
            "error_class": row["error_kind"],
            "exposure": exposure(row, numbers[row["id"]]),
        }
        for row in page
    ]
    return answer(page, items)


def _next(row: RowMapping) -> Instant | None:
    """When it is tried again; None when it was never put off."""
    at: Instant = row["next_attempt_at"]
    return at if at > BULK_LANE else None


@blueprint.get("/publications/<id:publication_id>/attempts")
@needs(VIEWER)
@blueprint.query(PageQuery)
@blueprint.answers(200, AttemptPage)
def list_attempts(query: dict[str, Any], publication_id: str) -> dict[str, Any]:
    """List the attempts at one publication, newest first."""
    number_ = int(publication_id) if publication_id.isdecimal() else 0
    if not 0 < number_ <= LARGEST_ID:
        raise Problem(404, f"there is no publication {publication_id!r}")
    with hub().engine.connect() as connection:
        if overview.publication(connection, number_, instants.now()) is None:
            raise Problem(404, f"there is no publication {publication_id!r}")
        page = overview.attempts(connection, number_, **query)
    items = [
        {
            **row,
            "id": row["item_id"],
            "result": row["verdict"] or row["result"],
            "error": row["reason"] or row["error"],
        }
        for row in page
    ]
    return answer(page, items)


@blueprint.post("/publications/retry")
@needs(OPERATOR)
@once
@blueprint.body(PublicationChoice)
@blueprint.answers(202, Retried)
def retry(told: dict[str, Any]) -> dict[str, int]:
    """Try publications again, those that failed too; 500 and more as a bulk run."""
    wanted, said = _choice(told)
    matched, lanes, run = redelivery.retry(hub().engine, wanted, said, actor=actor())
    audit.note("retry", "publications", {**said, "matched": matched})
    wake_all(hub().bell, lanes)
    return {"matched": matched} if run is None else {"matched": matched, "run": run}


def _choice(told: dict[str, Any]) -> tuple[Filter, dict[str, Any]]:
    """What is chosen, and the same as in the address of the list; without a state, a
    filter means what failed."""
    if "ids" in told:
        return Filter(ids=tuple(told["ids"])), {"ids": ",".join(map(str, told["ids"]))}
    wanted = {"state": deliveries.FAILED, **told["filter"]}
    return Filter(**wanted), PublicationFilter().dump(wanted)

"""GET and POST inspections: what waits to be judged, and the judgement."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.domain import events
from app.domain.errors import ShortOfUnits
from app.pipeline.acts import inspecting
from app.store.stock import balances
from app.web.api import names
from app.web.api.claims import Shortage
from app.web.api.facts import MOST_LINES, Fact, Posted, posted
from app.web.api.fields import Word, number, one_of, units
from app.web.api.idempotency import once, this_try
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.api.spec import ProblemDocument
from app.web.auth import OPERATOR, VIEWER, actor, needs
from app.web.hub import hub
from app.web.problems import Problem

blueprint = Resource("inspections", "Units that came back and wait to be judged.")


class Waiting(Schema):
    """Units of one SKU that wait at one location."""

    sku = fields.String()
    name = fields.String()
    location = fields.String()
    quantity = number()


class WaitingQuery(PageQuery):
    """Which units."""

    sku = Word()
    location = Word()


class JudgedLine(Schema):
    """Units, and what became of them."""

    sku = Word(required=True)
    quantity = units(required=True)
    disposition = one_of(events.SELLABLE, events.DAMAGED, events.SCRAP, required=True)


class Inspection(Fact):
    """What was found when units at a location were looked at."""

    location = Word(required=True)
    lines = fields.List(
        fields.Nested(JudgedLine),
        required=True,
        validate=validate.Length(min=1, max=MOST_LINES),
    )


class TooMany(ProblemDocument):
    """More units were judged than wait there; nothing was written."""

    short = fields.List(fields.Nested(Shortage))


WaitingPage = paged("WaitingPage", Waiting)


@blueprint.get("/inspections")
@needs(VIEWER)
@blueprint.query(WaitingQuery)
@blueprint.answers(200, WaitingPage)
def list_waiting(query: dict[str, Any]) -> dict[str, Any]:
    """List what waits for inspection, by SKU and location."""
    with hub().engine.connect() as connection:
        return answer(balances.in_inspection(connection, **query))


@blueprint.post("/inspections")
@needs(OPERATOR)
@once
@blueprint.body(Inspection)
@blueprint.answers(201, Posted)
@blueprint.refuses(409, TooMany, "More units than wait there.")
def inspect(told: dict[str, Any]) -> dict[str, Any]:
    """Judge units that wait at a location: all lines, or none."""
    names.check(names.of_lines(told["lines"], "sku"), {"location": told["location"]})
    try:
        recorded = inspecting.inspect(
            hub().engine,
            told["location"],
            told["lines"],
            actor=actor(),
            now=this_try().now,
            occurred_at=told.get("occurred_at", this_try().now),
            fact_id=this_try().id,
            wakes=hub().bell,
        )
    except ShortOfUnits as error:
        raise _too_many(error) from error
    return posted([verdict.key for verdict in recorded.events])


def _too_many(error: ShortOfUnits) -> Problem:
    wrong = [
        {
            "field": f"lines[{one['line']}].quantity",
            "detail": f"{one['available']} units of {one['sku']} wait for inspection "
            f"there, not {one['requested']}",
        }
        for one in error.short
    ]
    detail = "; ".join(f"{one['field']}: {one['detail']}" for one in wrong[:3])
    short = [{n: v for n, v in one.items() if n != "line"} for one in error.short]
    return Problem(409, detail, title="Not enough units", errors=wrong, short=short)

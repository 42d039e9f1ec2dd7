"""POST adjustments and receipts: what happened, never refused for lack of units. Each becomes stock events of the token's own and is answered with what they
moved."""

from collections.abc import Sequence
from typing import Any

from marshmallow import (
    Schema,
    ValidationError,
    fields,
    validate,
    validates,
    validates_schema,
)
from sqlalchemy.exc import IntegrityError

from app.domain import events
from app.domain.events import StockEvent
from app.pipeline.acts import facts, telling, transferring
from app.store.stock import history
from app.web.api import names
from app.web.api.fields import Moment, Word, change, one_of, units
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.api.stock import Entry, entry
from app.web.auth import OPERATOR, actor, needs
from app.web.hub import hub
from app.web.problems import refused_field

MOST_LINES = 500

blueprint = Resource("facts", "What happened to stock.")


class Fact(Schema):
    """What every fact may say."""

    occurred_at = Moment(
        past=True, metadata={"description": "When it happened; now if left out."}
    )


class Adjustment(Fact):
    """A signed correction at one location."""

    sku = Word(required=True)
    location = Word(required=True)
    change = change(required=True)
    reason = Word(required=True)
    note = Word(longest=2000)
    to = one_of(
        events.DAMAGED,
        events.SCRAP,
        metadata={"description": "Where lost units went, if not just missing."},
    )

    @validates("change")
    def moves_something(self, value: int, data_key: str) -> None:
        """Zero is no change."""
        if value == 0:
            raise ValidationError("0 changes nothing")


def lines_of(line: type[Schema]) -> fields.List[Any]:
    """At least one line, and no more than one request may hold."""
    length = validate.Length(min=1, max=MOST_LINES)
    return fields.List(fields.Nested(line), required=True, validate=length)


class ReceivedLine(Schema):
    """Units that arrived."""

    sku = Word(required=True)
    quantity = units(required=True)
    disposition = one_of(events.SELLABLE, events.INSPECT, events.DAMAGED)


class Receipt(Fact):
    """A delivery from a supplier, or of what was on the way."""

    location = Word(required=True)
    of = Word(metadata={"description": "The expected receipt or transfer it fulfils."})
    reference = Word()
    closes = fields.Boolean(
        load_default=False,
        metadata={"description": "Nothing more of it comes: the rest is written off."},
    )
    reason = Word(metadata={"description": "Why the rest never came."})
    lines = fields.List(
        fields.Nested(ReceivedLine),
        load_default=list,
        validate=validate.Length(min=1, max=MOST_LINES),
        metadata={"description": "Left out only where nothing came of what it closes."},
    )

    @validates_schema
    def says_something(self, data: dict[str, Any], **_: Any) -> None:
        """Only what closes something may have no lines; and it says what, and why."""
        if not data["closes"]:
            if not data["lines"]:
                raise ValidationError("give at least one line", "lines")
            return
        for field in ("of", "reason"):
            if field not in data:
                raise ValidationError("needed with `closes`", field)


class Verdict(Schema):
    """What became of one stock event."""

    key = fields.String()
    verdict = fields.String(
        metadata={"description": "posted, superseded, quarantined or parked"}
    )
    note = fields.String(allow_none=True)


class Posted(Schema):
    """What was written down."""

    id = fields.String()
    events = fields.List(fields.Nested(Verdict))
    entries = fields.List(fields.Nested(Entry))


@blueprint.post("/adjustments")
@needs(OPERATOR)
@once
@blueprint.body(Adjustment)
@blueprint.answers(201, Posted)
def adjust(told: dict[str, Any]) -> dict[str, Any]:
    """Correct the stock of one SKU at one location."""
    names.check({"sku": told["sku"]}, {"location": told["location"]})
    try:
        return record(telling.adjusted(told, this_try()))
    except IntegrityError as error:
        if told.get("to") == events.DAMAGED and told["change"] > 0:
            raise refused_field(
                "change",
                f"fewer than {told['change']} units are damaged there, and a positive "
                "change with `to` takes units back from there: change it by no more "
                "than are damaged, or leave `to` out for units that were found",
            ) from error
        raise


@blueprint.post("/receipts")
@needs(OPERATOR)
@once
@blueprint.body(Receipt)
@blueprint.answers(201, Posted)
def receive(told: dict[str, Any]) -> dict[str, Any]:
    """Say what arrived at a location, and with `closes` that no more of it will."""
    check_lines(told)
    arrived = telling.received(told, this_try())
    if not told["closes"]:
        return record(arrived)
    keys = transferring.close(
        hub().engine,
        told["of"],
        arrived,
        told["reason"],
        actor=actor(),
        now=this_try().now,
        wakes=hub().bell,
        fact_id=this_try().id,
    )
    return posted(keys)


def record(told: Sequence[StockEvent]) -> dict[str, Any]:
    """Apply facts, and answer what they moved."""
    recorded = facts.record(
        hub().engine, told, actor=actor(), now=this_try().now, wakes=hub().bell
    )
    return posted([verdict.key for verdict in recorded.events])


def posted(keys: Sequence[str]) -> dict[str, Any]:
    """What these events of this request moved, as an answer.

    As it was written down: a repeat after a crash is told what the first try did.
    """
    with hub().engine.connect() as connection:
        rows = history.of_events(connection, keys)
        told = history.verdicts(connection, keys)
    return {
        "id": this_try().id,
        "events": told,
        "entries": [entry(row) for row in rows],
    }


def check_lines(told: dict[str, Any]) -> None:
    """Refuse SKUs and a location that nobody told us of."""
    place = {"location": told["location"]} if "location" in told else {}
    names.check(names.of_lines(told["lines"], "sku"), place)

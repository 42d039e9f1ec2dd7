"""POST adjustments, counts, receipts, returns: what happened, never refused for lack
of units. Each becomes stock events of the token's own and is answered with what they
moved."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates
from sqlalchemy.exc import IntegrityError

from app.domain import events
from app.domain.events import StockEvent
from app.pipeline import facts, telling
from app.store import history
from app.web.api import names
from app.web.api.fields import Moment, Word, change, count, one_of, units
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


def _lines(line: type[Schema]) -> fields.List[Any]:
    length = validate.Length(min=1, max=MOST_LINES)
    return fields.List(fields.Nested(line), required=True, validate=length)


class CountedLine(Schema):
    """Everything that was there."""

    sku = Word(required=True)
    quantity = count(required=True)
    counted_at = Moment(past=True)


class Count(Fact):
    """What was found at a location; the ledger posts the difference."""

    location = Word(required=True)
    counted_at = Moment(past=True)
    scope = one_of(
        "on_hand",
        events.SELLABLE,
        metadata={"description": "`sellable`: damaged and unjudged units left out."},
    )
    lines = _lines(CountedLine)


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
    lines = _lines(ReceivedLine)


class ReturnedLine(Schema):
    """Units that came back."""

    sku = Word(required=True)
    quantity = units(required=True)
    disposition = one_of(
        events.SELLABLE,
        events.INSPECT,
        events.DAMAGED,
        load_default=events.SELLABLE,
    )


class Return(Fact):
    """Units that came back to a location."""

    location = Word(required=True)
    order = Word(metadata={"description": "Its id at the channel, or its number."})
    channel = Word(
        metadata={
            "description": "Whose order it is; needed if several channels have such a "
            "one."
        }
    )
    reason = Word()
    lines = _lines(ReturnedLine)


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
        return _record(telling.adjusted(told, this_try()))
    except IntegrityError as error:
        if told.get("to") == events.DAMAGED and told["change"] > 0:
            raise refused_field(
                "change",
                f"fewer than {told['change']} units are damaged there, and a positive "
                "change with `to` takes units back from there: change it by no more "
                "than are damaged, or leave `to` out for units that were found",
            ) from error
        raise


@blueprint.post("/counts")
@needs(OPERATOR)
@once
@blueprint.body(Count)
@blueprint.answers(201, Posted)
def count_stock(told: dict[str, Any]) -> dict[str, Any]:
    """Say what was counted at a location."""
    _check_lines(told)
    refuse_twice(told["lines"])
    return _record(telling.counted(told, this_try()))


@blueprint.post("/receipts")
@needs(OPERATOR)
@once
@blueprint.body(Receipt)
@blueprint.answers(201, Posted)
def receive(told: dict[str, Any]) -> dict[str, Any]:
    """Say what arrived at a location."""
    _check_lines(told)
    return _record(telling.received(told, this_try()))


@blueprint.post("/returns")
@needs(OPERATOR)
@once
@blueprint.body(Return)
@blueprint.answers(201, Posted)
def take_back(told: dict[str, Any]) -> dict[str, Any]:
    """Say what came back. More than was shipped waits for the shipment.

    Without an order it is posted, and shown to a person among the incidents.
    """
    _check_lines(told)
    return _record(telling.returned(told, this_try()))


def _record(told: Sequence[StockEvent]) -> dict[str, Any]:
    recorded = facts.record(
        hub().engine, told, actor=actor(), now=this_try().now, wakes=hub().wakes
    )
    keys = [verdict.key for verdict in recorded.events]
    with hub().engine.connect() as connection:
        rows = history.of_events(connection, keys)
    return {
        "id": this_try().id,
        "events": recorded.events,
        "entries": [entry(row) for row in rows],
    }


def _check_lines(told: dict[str, Any]) -> None:
    names.check(names.of_lines(told["lines"], "sku"), {"location": told["location"]})


def refuse_twice(lines: Sequence[dict[str, Any]]) -> None:
    """Two counts of one SKU at one time cannot both be right."""
    seen: set[tuple[str, int | None]] = set()
    for position, line in enumerate(lines):
        counted = (line["sku"], line.get("counted_at"))
        if counted in seen:
            raise refused_field(
                f"lines[{position}].sku", f"{line['sku']!r} is counted twice"
            )
        seen.add(counted)

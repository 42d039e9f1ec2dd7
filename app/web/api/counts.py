"""POST counts: what was found at a location; the ledger posts the difference."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.domain import events
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.pipeline.acts import stocktaking, telling
from app.store.engine import reading
from app.store.stock import aliases
from app.web.api.facts import Fact, Posted, check_lines, posted
from app.web.api.fields import Moment, Word, count, number, one_of
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, actor, needs
from app.web.hub import hub
from app.web.problems import refused_field

MOST_COUNTED = 10_000

blueprint = Resource("counts", "What was counted.")


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
    whole = fields.Boolean(
        load_default=False,
        metadata={
            "description": "Everything at the location was counted: what it does not "
            "name is listed as `uncounted`. Nothing is set to 0 by itself."
        },
    )
    lines = fields.List(
        fields.Nested(CountedLine),
        required=True,
        validate=validate.Length(min=1, max=MOST_COUNTED),
    )

    @validates_schema
    def is_of_everything(self, data: dict[str, Any], **_: Any) -> None:
        """A whole count leaves no kind of unit out."""
        if data["whole"] and data.get("scope") == events.SELLABLE:
            raise ValidationError("a whole count counts everything", "scope")


class UncountedSku(Schema):
    """A SKU with units there that a whole count did not name."""

    sku = fields.String()
    on_hand = number()


class Counted(Posted):
    """What was written down."""

    uncounted = fields.List(fields.Nested(UncountedSku))


@blueprint.post("/counts")
@needs(OPERATOR)
@once
@blueprint.body(Count)
@blueprint.answers(201, Counted)
def count_stock(told: dict[str, Any]) -> dict[str, Any]:
    """Say what was counted at a location: up to 10,000 lines.

    Each line counts by itself: long counts are written a hundred lines at a time.
    """
    check_lines(told)
    counted = telling.counted(told, this_try())
    refuse_twice(counted)
    verdicts = stocktaking.take_stock(
        hub().engine,
        counted,
        actor=actor(),
        now=this_try().now,
        wakes=hub().bell,
    )
    answer = posted([verdict.key for verdict in verdicts])
    if told["whole"]:
        named = [line["sku"] for line in told["lines"]]
        answer["uncounted"] = stocktaking.note_uncounted(
            hub().engine, told["location"], named, this_try().now
        )
    return answer


def refuse_twice(counted: Sequence[StockEvent]) -> None:
    """Two counts of one SKU at one time cannot both be right, by any of its names."""
    with reading(hub().engine) as connection:
        known = aliases.sku_ids(connection, [line.sku or "" for line in counted])
    seen: set[tuple[int | None, Instant]] = set()
    for position, line in enumerate(counted):
        one = (known.get(line.sku or ""), line.occurred_at)
        if one in seen:
            raise refused_field(
                f"lines[{position}].sku", f"{line.sku!r} is counted twice"
            )
        seen.add(one)

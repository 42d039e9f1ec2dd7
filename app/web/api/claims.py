"""POST holds: claims on units, which like transfers can be refused for lack of them
(409 with what is short)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields, validate

from app.pipeline.acts import holding
from app.store import timekeeper
from app.store.stock import holds
from app.store.stock.aliases import sku_ids
from app.web.api.facts import MOST_LINES
from app.web.api.fields import Word, number, units
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, actor, needs
from app.web.hub import hub
from app.web.problems import refused_field

DAY_SECONDS = 24 * 3600
LONGEST_HOLD = 90 * DAY_SECONDS
USUAL_HOLD = 900

blueprint = Resource("claims", "Claims on units.")


class Line(Schema):
    """Units of a SKU."""

    sku = Word(required=True)
    quantity = units(required=True)


class HeldLine(Line):
    """Units of a SKU, wherever they are unless a location is named."""

    location = Word()


some_lines = validate.Length(min=1, max=MOST_LINES)


class Hold(Schema):
    """Units to reserve for a while."""

    lines = fields.List(fields.Nested(HeldLine), required=True, validate=some_lines)
    expires_in = fields.Integer(
        strict=True,
        load_default=USUAL_HOLD,
        validate=validate.Range(min=1, max=LONGEST_HOLD),
        metadata={"description": "Seconds until it ends by itself."},
    )
    reference = Word(
        metadata={"description": "An order with this id or number consumes the hold."}
    )


class OrderLine(Schema):
    """A line of the order, by its channel's own id."""

    id = Word()
    sku = Word(required=True)
    quantity = units(metadata={"description": "All of it that is held."})


class Commitment(Schema):
    """Which order a hold becomes."""

    channel = Word(
        metadata={
            "description": "Whose order it is. Left out: the one channel's that has "
            "told of it; one that none has told of yet is no channel's, and whoever "
            'ships it tells so with `"channel": "api"`.'
        }
    )
    order = Word()
    lines = fields.List(fields.Nested(OrderLine), validate=some_lines)


class Held(Schema):
    """A hold."""

    id = fields.String()
    state = fields.String(
        metadata={"description": "active, committed, released or expired"}
    )
    expires_at = fields.String(metadata={"format": "date-time"})
    order = fields.String(metadata={"description": "Whose promise it became."})


class Shortage(Schema):
    """A SKU of which there are too few."""

    sku = fields.String()
    requested = number()
    available = number()


class Refused(Schema):
    """A claim that was refused; nothing was claimed."""

    type = fields.String()
    title = fields.String()
    status = number()
    detail = fields.String()
    short = fields.List(fields.Nested(Shortage))


refuses = blueprint.refuses(409, Refused, "Too few units, or the hold is over.")


@blueprint.post("/holds")
@needs(OPERATOR)
@once
@blueprint.body(Hold)
@blueprint.answers(201, Held)
@refuses
def hold(told: dict[str, Any]) -> dict[str, Any]:
    """Reserve units for a while: all of them, or none."""
    this = this_try()
    return holding.hold(
        hub().engine,
        told["lines"],
        told["expires_in"],
        told.get("reference"),
        actor=actor(),
        now=timekeeper.now(hub().engine),
        wakes=hub().bell,
        hold_id=this.id if this.may_repeat else None,
    )


@blueprint.post("/holds/<id:hold_id>/commit")
@needs(OPERATOR)
@once
@blueprint.body(Commitment, required=False)
@blueprint.answers(200, Held)
@refuses
def commit(told: dict[str, Any], hold_id: str) -> dict[str, Any]:
    """Promise what is held to an order. Again: the same answer."""
    lines = told.get("lines")
    _check_held(hold_id, lines or [])
    return holding.commit(
        hub().engine,
        hold_id,
        told.get("channel"),
        told.get("order"),
        lines,
        actor=actor(),
        now=timekeeper.now(hub().engine),
        wakes=hub().bell,
    )


@blueprint.delete("/holds/<id:hold_id>")
@needs(OPERATOR)
@once
@blueprint.answers(200, Held)
@refuses
def release(hold_id: str) -> dict[str, Any]:
    """End a hold: its units may be sold again."""
    return holding.release(
        hub().engine,
        hold_id,
        actor=actor(),
        now=timekeeper.now(hub().engine),
        wakes=hub().bell,
    )


def _check_held(hold_id: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """An order takes over all that is held: a line cannot ask for more or less."""
    with hub().engine.connect() as connection:
        row = holds.find(connection, hold_id)
        held = holds.lines(connection, row["id"]) if row else []
        known = sku_ids(connection, [line["sku"] for line in lines])
    if not held:
        return
    units_of: dict[int, int] = defaultdict(int)
    for line in held:
        units_of[line.sku_id] += line.quantity
    asked: dict[int, int] = defaultdict(int)
    for position, line in enumerate(lines):
        if known.get(line["sku"]) not in units_of:
            raise refused_field(f"lines[{position}].sku", "is not in this hold")
        asked[known[line["sku"]]] += line.get("quantity", 0)
    for position, line in enumerate(lines):
        sku_id = known[line["sku"]]
        if "quantity" in line and asked[sku_id] != units_of[sku_id]:
            raise refused_field(
                f"lines[{position}].quantity", f"{units_of[sku_id]} units are held"
            )

"""GET and POST returns: what came back or will, how far it is, what is missing."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from app.domain import events
from app.pipeline.acts import telling
from app.store.stock import returns
from app.store.stock.returns import STATES
from app.web.api.facts import (
    Fact,
    Posted,
    check_lines,
    lines_of,
    record,
)
from app.web.api.fields import Moment, Word, number, one_of, units
from app.web.api.idempotency import once, this_try
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, VIEWER, needs
from app.web.hub import hub

blueprint = Resource("returns", "Returns: advised, received, judged.")


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

    location = Word(metadata={"description": "Needed unless it is only advised."})
    stage = one_of(
        events.ADVISED,
        metadata={"description": "They will come back; nothing moves before they do."},
    )
    order = Word(metadata={"description": "Its id at the channel, or its number."})
    channel = Word(
        metadata={
            "description": "Whose order it is; needed if several channels have such a "
            "one."
        }
    )
    reason = Word()
    lines = lines_of(ReturnedLine)

    @validates_schema
    def is_somewhere(self, data: dict[str, Any], **_: Any) -> None:
        """What came back is at a location; what is advised belongs to an order."""
        needed = "order" if "stage" in data else "location"
        if needed not in data:
            raise ValidationError("Missing data for required field.", needed)


class ReturnUnits(Schema):
    """Units of a return."""

    advised = number(
        metadata={"description": "By refunds, labels, scans: they move nothing."}
    )
    received = number()
    waiting = number(
        attribute="surplus", metadata={"description": "More than was shipped."}
    )
    sellable = number()
    inspection = number(
        attribute="to_judge",
        metadata={"description": "Put aside to be judged when they came."},
    )
    damaged = number()


class ReturnCase(Schema):
    """The return of one line's units."""

    id = number()
    order = fields.String(allow_none=True)
    order_number = fields.String(allow_none=True)
    channel = fields.String(allow_none=True)
    line = fields.String()
    sku = fields.String()
    state = fields.String(metadata={"description": ", ".join(STATES)})
    units = fields.Nested(ReturnUnits)
    missing = fields.String(
        allow_none=True, metadata={"description": "What it waits for, in words."}
    )
    since = Moment()
    changed_at = Moment()


class ReturnQuery(PageQuery):
    """Which returns."""

    state = one_of(
        *STATES, metadata={"description": "Without it: all that are not disposed."}
    )
    channel = Word()
    sku = Word()


ReturnPage = paged("ReturnPage", ReturnCase)


@blueprint.get("/returns")
@needs(VIEWER)
@blueprint.query(ReturnQuery)
@blueprint.answers(200, ReturnPage)
def list_returns(query: dict[str, Any]) -> dict[str, Any]:
    """List returns, newest first."""
    with hub().engine.connect() as connection:
        page = returns.page(connection, **query)
    return answer(page, [_told(row) for row in page])


@blueprint.post("/returns")
@needs(OPERATOR)
@once
@blueprint.body(Return)
@blueprint.answers(201, Posted)
def take_back(told: dict[str, Any]) -> dict[str, Any]:
    """Say what came back. More than was shipped waits for the shipment.

    Without an order it is posted, and shown to a person among the incidents.
    """
    check_lines(told)
    return record(telling.returned(told, this_try()))


def _told(row: Any) -> dict[str, Any]:
    _, kind, name = row["case_key"].split("/", 2)
    return {
        **row,
        "order": name if kind == "order" else None,
        "units": row,
        "since": row["began_at"],
        "missing": _missing(row),
    }


def _missing(row: Any) -> str | None:
    if row["surplus"]:
        return f"the shipment of {_units(row['surplus'])}, before they count"
    return {
        returns.WAITING: f"the order of {_units(row['unlinked'])}",
        returns.ADVISED: f"{_units(row['advised'])} that have not come back",
        returns.RECEIVED: (
            f"{_units(row['advised'] - row['received'])} that have not come back"
        ),
        returns.INSPECTION: (
            f"somebody to judge {_units(row['to_judge'])} at {row['location']}"
        ),
    }.get(row["state"])


def _units(quantity: int) -> str:
    return f"{quantity} {'unit' if quantity == 1 else 'units'}"

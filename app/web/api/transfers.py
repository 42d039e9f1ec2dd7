"""GET and POST transfers: units on their way between two locations, in two steps.

Sending is a claim, and so is receiving: nothing arrives that was not sent. What never
arrives is written off, with a reason.
"""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.domain import events
from app.domain.way import STATES, UNDER_WAY
from app.pipeline.acts import transferring
from app.pipeline.applying.travelling import Arrival
from app.store import timekeeper
from app.store.stock import history
from app.web.api import names
from app.web.api.claims import Line, Refused, some_lines
from app.web.api.facts import MOST_LINES
from app.web.api.fields import Moment, Word, number, one_of
from app.web.api.idempotency import once, this_try
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.api.stock import Entry, entry
from app.web.auth import OPERATOR, VIEWER, actor, needs
from app.web.hub import hub

OPEN = "open"

blueprint = Resource("transfers", "Units on their way between two locations.")


class Transfer(Schema):
    """Units to send from one location to another."""

    from_ = Word(required=True, data_key="from")
    to = Word(required=True)
    lines = fields.List(fields.Nested(Line), required=True, validate=some_lines)

    @validates_schema
    def goes_somewhere(self, data: dict[str, Any], **_: Any) -> None:
        """A transfer changes the location."""
        if data["from_"] == data["to"]:
            raise ValidationError("is where the units are already", "to")


class ArrivedLine(Line):
    """Units that arrived."""

    disposition = one_of(events.SELLABLE, events.INSPECT, events.DAMAGED)


class LostLine(Line):
    """Units that will never arrive."""

    reason = Word(required=True)
    disposition = one_of(
        events.SCRAP,
        metadata={"description": "They are known to be destroyed, not just missing."},
    )


class Arrived(Schema):
    """Units of a transfer that arrived, or that never will."""

    lines = fields.List(
        fields.Nested(ArrivedLine),
        load_default=list,
        validate=validate.Length(max=MOST_LINES),
    )
    lost = fields.List(
        fields.Nested(LostLine),
        load_default=list,
        validate=validate.Length(max=MOST_LINES),
    )
    closes = fields.Boolean(
        load_default=False,
        metadata={"description": "Nothing more will come: what is left is lost."},
    )
    reason = Word(metadata={"description": "Why what is left never arrived."})

    @validates_schema
    def says_something(self, data: dict[str, Any], **_: Any) -> None:
        """Something arrived, or is lost, or all is over."""
        if not (data["lines"] or data["lost"] or data["closes"]):
            raise ValidationError("give a line, a loss, or `closes`", "lines")
        if data["closes"] and "reason" not in data:
            raise ValidationError("say why the rest never arrived", "reason")


class Transferred(Schema):
    """A transfer, and what was written down."""

    id = fields.String()
    state = fields.String(metadata={"description": ", ".join(STATES)})
    entries = fields.List(fields.Nested(Entry))


class Travelled(Schema):
    """What became of one SKU of a transfer."""

    sku = fields.String()
    sent = number()
    received = number()
    lost = number()
    on_the_way = number()


class Sent(Schema):
    """A transfer as it is now."""

    id = fields.String()
    state = fields.String(metadata={"description": ", ".join(STATES)})
    from_ = fields.String(data_key="from", attribute="from")
    to = fields.String()
    sent_at = Moment()
    lines = fields.List(fields.Nested(Travelled))


class SentQuery(PageQuery):
    """Which transfers."""

    state = one_of(
        OPEN, *STATES, metadata={"description": "`open`: something is on the way."}
    )


SentPage = paged("TransferPage", Sent)
refuses = blueprint.refuses(409, Refused, "Too few units.")


@blueprint.get("/transfers")
@needs(VIEWER)
@blueprint.query(SentQuery)
@blueprint.answers(200, SentPage)
def list_sent(query: dict[str, Any]) -> dict[str, Any]:
    """List transfers, newest first: what was sent, arrived, is lost or on the way."""
    state = query.pop("state", None)
    wanted = UNDER_WAY if state == OPEN else state and (state,)
    with hub().engine.connect() as connection:
        return answer(transferring.transfers(connection, wanted, **query))


@blueprint.post("/transfers")
@needs(OPERATOR)
@once
@blueprint.body(Transfer)
@blueprint.answers(201, Transferred)
@refuses
def send(told: dict[str, Any]) -> dict[str, Any]:
    """Send units to another location: all of them, or none."""
    names.check(
        names.of_lines(told["lines"], "sku"), {"from": told["from_"], "to": told["to"]}
    )
    sent = transferring.transfer(
        hub().engine,
        told["from_"],
        told["to"],
        told["lines"],
        actor=actor(),
        now=this_try().now,
        wakes=hub().bell,
        transfer_id=this_try().id,
        over_by=timekeeper.now(hub().engine),
    )
    return _with_entries(sent)


@blueprint.post("/transfers/<id:transfer_id>/receive")
@needs(OPERATOR)
@once
@blueprint.body(Arrived)
@blueprint.answers(200, Transferred)
@refuses
def arrive(told: dict[str, Any], transfer_id: str) -> dict[str, Any]:
    """Say which units of a transfer have arrived, and which never will."""
    names.check(
        names.of_lines(told["lines"], "sku")
        | names.of_lines(told["lost"], "sku", "lost"),
        {},
    )
    arrived = transferring.receive_transfer(
        hub().engine,
        transfer_id,
        Arrival(told["lines"], told["lost"], told["closes"], told.get("reason")),
        actor=actor(),
        now=this_try().now,
        wakes=hub().bell,
        fact_id=this_try().id,
    )
    return _with_entries(arrived)


def _with_entries(claimed: dict[str, Any]) -> dict[str, Any]:
    """The same, with the ledger entries that its events caused."""
    with hub().engine.connect() as connection:
        rows = history.of_events(connection, claimed["events"])
    return {**claimed, "entries": [entry(row) for row in rows]}

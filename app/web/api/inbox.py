"""GET /api/v1/inbox, …/replay and …/dismiss: what came in, and what is to come of it."""

from typing import Any

from marshmallow import Schema, fields

from app.pipeline.repairing import dismissing, replaying
from app.store.receiving import messages
from app.web.api import audit
from app.web.api.chosen import Matched, chosen
from app.web.api.fields import Moment, Word, number, one_of
from app.web.api.idempotency import once, this_try
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, VIEWER, actor, needs
from app.web.hub import hub

blueprint = Resource("inbox", "Webhooks received.")


class Message(Schema):
    """One stored webhook."""

    id = number()
    channel = fields.String(allow_none=True)
    topic = fields.String()
    state = one_of(*messages.STATES)
    received_at = Moment()
    error = fields.String(allow_none=True)
    dismissed_by = fields.String(allow_none=True)


class MessageFilter(Schema):
    """Which messages."""

    state = one_of(*messages.STATES)
    channel = Word()


class ReplayFilter(MessageFilter):
    """Which messages, also by what they told of, as `onecount replay`."""

    since = Moment(metadata={"description": "Those that came in then or later."})
    until = Moment(metadata={"description": "Those that came in then or before."})
    sku = Word(metadata={"description": "Those that told of this SKU."})
    order = Word(metadata={"description": "Of this order, by its id or number."})


class MessageQuery(MessageFilter, PageQuery):
    """A page of messages."""


MessagePage = paged("MessagePage", Message)
MessageChoice = chosen("MessageChoice", MessageFilter)
ReplayChoice = chosen("ReplayChoice", ReplayFilter)


@blueprint.get("/inbox")
@needs(VIEWER)
@blueprint.query(MessageQuery)
@blueprint.answers(200, MessagePage)
def list_messages(query: dict[str, Any]) -> dict[str, Any]:
    """List the webhooks received, newest first."""
    with hub().engine.connect() as connection:
        return answer(messages.page(connection, **query))


@blueprint.post("/inbox/replay")
@needs(OPERATOR)
@once
@blueprint.body(ReplayChoice)
@blueprint.answers(202, Matched)
def replay(told: dict[str, Any]) -> dict[str, int]:
    """Read messages again. What was applied already changes nothing."""
    matched = replaying.replay(
        hub().engine, ids=told.get("ids"), filter=told.get("filter")
    )
    audit.note("replay", "inbox", {**told, "matched": matched})
    hub().bell.wake("inbound")
    return {"matched": matched}


@blueprint.post("/inbox/dismiss")
@needs(OPERATOR)
@once
@blueprint.body(MessageChoice)
@blueprint.answers(200, Matched)
def dismiss(told: dict[str, Any]) -> dict[str, int]:
    """Say that parked or buried messages mean nothing here. A replay brings them back."""
    matched = dismissing.dismiss(
        hub().engine,
        told.get("ids"),
        told.get("filter"),
        actor=actor(),
        now=this_try().now,
    )
    audit.note("dismiss", "inbox", {**told, "matched": matched})
    return {"matched": matched}

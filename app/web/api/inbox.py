"""GET /api/v1/inbox and …/replay: what came in, and reading it again."""

from typing import Any

from marshmallow import Schema, fields

from app.pipeline.repairing import replaying
from app.store.receiving import messages
from app.web.api import audit
from app.web.api.chosen import Matched, chosen
from app.web.api.fields import Moment, Word, number, one_of
from app.web.api.idempotency import once
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import OPERATOR, VIEWER, needs
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


class MessageFilter(Schema):
    """Which messages."""

    state = one_of(*messages.STATES)
    channel = Word()


class MessageQuery(MessageFilter, PageQuery):
    """A page of messages."""


MessagePage = paged("MessagePage", Message)
MessageChoice = chosen("MessageChoice", MessageFilter)


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
@blueprint.body(MessageChoice)
@blueprint.answers(202, Matched)
def replay(told: dict[str, Any]) -> dict[str, int]:
    """Read messages again. What was applied already changes nothing."""
    matched = replaying.replay(
        hub().engine, ids=told.get("ids"), filter=told.get("filter")
    )
    audit.note("replay", "inbox", {**told, "matched": matched})
    hub().bell.wake("inbound")
    return {"matched": matched}

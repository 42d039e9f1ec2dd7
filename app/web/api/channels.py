"""/api/v1/channels: who is connected and whether it works; pause, resume. No secrets."""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy.engine import Connection, RowMapping

from app.domain import instants
from app.domain.budget import Budget
from app.domain.errors import UnknownName
from app.domain.instants import Instant
from app.pipeline.acts.facts import wake_all
from app.pipeline.configuring import switching
from app.store.configuration import channels
from app.store.engine import applying, writing
from app.store.people import deeds
from app.web.api.fields import Moment, Word, number, one_of
from app.web.api.idempotency import once, this_try
from app.web.api.listings import ChannelPolicy
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import ADMIN, OPERATOR, VIEWER, actor, needs
from app.web.hub import hub
from app.web.problems import Problem

blueprint = Resource("channels", "Connected channels.")


CLOSED, OPEN = "closed", "open"


class CallBudget(Schema):
    """The calls (or points) that a provider still allows."""

    left = fields.Float(metadata={"description": "What is left now."})
    size = fields.Float(metadata={"description": "What there is at most."})
    told_at = Moment()


class ChannelItem(Schema):
    """One connected channel."""

    key = fields.String(metadata={"description": "The word in /webhooks/<key>."})
    provider = fields.String()
    publishes = fields.Boolean(metadata={"description": "False: it only listens."})
    paused_at = Moment(allow_none=True)
    paused_reason = fields.String(allow_none=True)
    disconnected_at = Moment(allow_none=True)
    held_until = Moment(
        allow_none=True, metadata={"description": "Nothing is sent before then."}
    )
    held_reason = fields.String(
        allow_none=True, metadata={"description": "Why it is held, in a sentence."}
    )
    circuit = one_of(
        CLOSED,
        OPEN,
        metadata={
            "description": "open: too many calls failed in a row. Its numbers wait, and "
            "one push now and then finds out whether it works again."
        },
    )
    tripped_at = Moment(
        allow_none=True, metadata={"description": "Since when the circuit is open."}
    )
    call_budget = fields.Nested(
        CallBudget,
        allow_none=True,
        metadata={"description": "As its provider last told; null: it tells nothing."},
    )
    not_stock = fields.List(
        fields.String(), metadata={"description": "Items of it that move nothing."}
    )
    failures = number(metadata={"description": "Failed calls in a row."})
    last_error = fields.String(allow_none=True)
    answered_at = Moment(allow_none=True)


class Pause(Schema):
    """Why a channel is paused."""

    reason = Word(metadata={"description": "Others will read it."})


ChannelPage = paged("ChannelPage", ChannelItem)


@blueprint.get("/channels")
@needs(VIEWER)
@blueprint.query(PageQuery)
@blueprint.answers(200, ChannelPage)
def list_channels(query: dict[str, Any]) -> dict[str, Any]:
    """List the channels."""
    now = instants.now()
    with hub().engine.connect() as connection:
        page = channels.page(connection, **query)
    return answer(page, [_told(row, now) for row in page])


@blueprint.post("/channels/<id:key>/pause")
@needs(OPERATOR)
@once
@blueprint.body(Pause, required=False)
@blueprint.answers(200, ChannelItem)
def pause(told: dict[str, Any], key: str) -> dict[str, Any]:
    """Stop sending numbers to a channel. Its webhooks are still taken in."""
    reason = told.get("reason") or f"paused by {actor()}"
    now = this_try().now
    return _set(key, "pause", lambda link: channels.pause(link, key, reason, now))


@blueprint.post("/channels/<id:key>/resume")
@needs(OPERATOR)
@once
@blueprint.answers(200, ChannelItem)
def resume(key: str) -> dict[str, Any]:
    """Send the newest numbers at once: ends a pause, a hold and an open circuit."""
    now = this_try().now
    told = _set(key, "resume", lambda link: channels.resume(link, key, now))
    wake_all(hub().bell, {f"outbound:{key}", f"fetch:{key}"})
    return told


@blueprint.post("/channels/<id:key>/publish")
@needs(ADMIN)
@once
@blueprint.body(ChannelPolicy, required=False)
@blueprint.answers(200, ChannelItem)
def publish(told: dict[str, Any], key: str) -> dict[str, Any]:
    """Publish to a channel that only listened, by this policy; 422 if it does already."""
    now = this_try().now
    policy = {name: value for name, value in told.items() if value is not None}
    try:
        with applying(hub().engine) as connection:
            lanes = switching.switch_in(connection, key, policy, now=now, actor=actor())
            deeds.note(connection, actor(), "publish", key, now, policy)
            row = _told(channels.row(connection, key), now)
    except UnknownName as error:
        if error.field != "channel":
            raise
        raise Problem(404, str(error)) from error
    wake_all(hub().bell, lanes)
    return row


def _set(
    key: str, action: str, change: Callable[[Connection], object]
) -> dict[str, Any]:
    now = this_try().now
    try:
        with writing(hub().engine) as connection:
            change(connection)
            deeds.note(connection, actor(), action, key, now)
            return _told(channels.row(connection, key), now)
    except UnknownName as error:
        raise Problem(404, str(error)) from error


def _told(row: RowMapping, now: Instant) -> dict[str, Any]:
    is_held = row["tripped_at"] is not None or (row["held_until"] or 0) > now
    budget = Budget.of(row["budget"])
    return {
        **row,
        "publishes": row["publish"] is not None,
        "held_until": row["held_until"] if is_held else None,
        "held_reason": row["held_reason"] if is_held else None,
        "not_stock": sorted(channels.not_stock(row)),
        "circuit": CLOSED if row["tripped_at"] is None else OPEN,
        "call_budget": budget
        and {"left": budget.at(now), "size": budget.size, "told_at": budget.read_at},
    }

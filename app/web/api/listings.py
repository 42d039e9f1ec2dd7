"""POST /api/v1/listings: what a SKU is called on a channel."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.domain.drift import POLICIES
from app.pipeline.acts.facts import wake_all
from app.pipeline.configuring import unstocked
from app.pipeline.configuring.revising import MOVE, STAY, is_mapped, relist
from app.web.api import audit
from app.web.api.fields import Word, count, number, one_of
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.auth import ADMIN, OPERATOR, actor, needs, require
from app.web.hub import hub
from app.web.problems import refused_field

blueprint = Resource("listings", "SKUs as channels know them.")


class ChannelPolicy(Schema):
    """How much of what may be sold is shown."""

    from_ = fields.List(
        Word(),
        data_key="from",
        attribute="from",
        allow_none=True,
        validate=validate.Length(min=1),
        metadata={
            "description": "Locations it is sold from; null: all of the channel's."
        },
    )
    buffer = count(metadata={"description": "Units that are not shown."})
    cap = count(
        allow_none=True,
        metadata={"description": "Never show more; null: no limit."},
    )
    share = fields.Integer(
        strict=True,
        validate=validate.Range(min=0, max=100),
        metadata={"description": "Percent of what may be sold."},
    )
    stop_at = count(
        metadata={"description": "Show 0 when no more than this may be sold."}
    )
    preorder = count(
        metadata={"description": "Units that may be sold beyond what is there."}
    )


class ListingPolicy(ChannelPolicy):
    """What one listing shows: each key says instead of its channel's."""

    drift = one_of(
        *POLICIES,
        metadata={
            "description": "A number edited there: ours is published again, theirs is "
            "taken where that is safe, or a person is asked."
        },
    )


class NewListing(Schema):
    """A SKU and the channel's own ids of it."""

    channel = Word(required=True)
    sku = Word(
        required=True,
        allow_none=True,
        metadata={
            "description": "null: it is not stock, like a service. Its lines move "
            "nothing until it is mapped."
        },
    )
    external_id = Word(required=True)
    external_parent_id = Word(
        allow_none=True, metadata={"description": "Left out: it stays as it is."}
    )
    policy = fields.Nested(
        ListingPolicy,
        allow_none=True,
        metadata={"description": "null: as its channel; left out: it stays as it is."},
    )
    open_lines = one_of(
        STAY,
        MOVE,
        metadata={
            "description": "move: lines of this item that are promised still go to "
            "this SKU with all that was shipped of them; else they stay with the SKU "
            "that it was mapped to when they were told."
        },
    )


class Listing(Schema):
    """A SKU as one channel knows it."""

    id = number(allow_none=True)
    channel = fields.String()
    sku = fields.String(allow_none=True)
    external_id = fields.String()
    external_parent_id = fields.String(allow_none=True)
    policy = fields.Nested(ListingPolicy, allow_none=True)
    open_lines = number(
        metadata={
            "description": "How many open lines stayed with the former SKU, when it "
            "was another. Sent again with `move`, they follow."
        }
    )


@blueprint.post("/listings")
@needs(OPERATOR)
@once
@blueprint.body(NewListing)
@blueprint.answers(201, Listing)
def add_listing(told: dict[str, Any]) -> dict[str, Any]:
    """Say what a SKU is called on a channel, and how much of it is shown there.

    Lines that waited for it apply now. The policy of a known listing takes the role
    operator; mapping an item takes admin.
    """
    if told["sku"] is None:
        return _left_out(told)
    with hub().engine.connect() as connection:
        mapped = is_mapped(connection, told)
    if not mapped or told.get("open_lines") == MOVE:
        require(ADMIN)
    listing, lanes = relist(hub().engine, told, now=this_try().now, actor=actor())
    audit.note("map", f"listing {listing['id']}", told)
    wake_all(hub().bell, lanes)
    return listing


def _left_out(told: dict[str, Any]) -> dict[str, Any]:
    require(ADMIN)
    if told.get("policy") is not None:
        raise refused_field("policy", "what is not stock is shown nowhere")
    channel, item = told["channel"], told["external_id"]
    unstocked.leave_out(hub().engine, channel, item, now=this_try().now)
    audit.note("not stock", channel, {"item": item})
    nothing = dict.fromkeys(("id", "sku", "external_parent_id", "policy"))
    return {**nothing, "channel": channel, "external_id": item}

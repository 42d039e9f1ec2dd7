"""POST /api/v1/listings: what a SKU is called on a channel."""

from typing import Any

from marshmallow import Schema, fields

from app.pipeline.facts import wake_all
from app.pipeline.listings import map_listing
from app.web.api import audit
from app.web.api.fields import Word, number
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.auth import ADMIN, needs
from app.web.hub import hub

blueprint = Resource("listings", "SKUs as channels know them.")


class NewListing(Schema):
    """A SKU and the channel's own ids of it."""

    channel = Word(required=True)
    sku = Word(required=True)
    external_id = Word(required=True)
    external_parent_id = Word(allow_none=True)


class Listing(Schema):
    """A SKU as one channel knows it."""

    id = number()
    channel = fields.String()
    sku = fields.String()
    external_id = fields.String()
    external_parent_id = fields.String(allow_none=True)


@blueprint.post("/listings")
@needs(ADMIN)
@once
@blueprint.body(NewListing)
@blueprint.answers(201, Listing)
def add_listing(told: dict[str, Any]) -> dict[str, Any]:
    """Say what a SKU is called on a channel. Lines that waited for it apply now."""
    listing, lanes = map_listing(
        hub().engine,
        told["channel"],
        told["sku"],
        told["external_id"],
        told.get("external_parent_id"),
        now=this_try().now,
    )
    audit.note("map", f"listing {listing['id']}", told)
    wake_all(hub().wakes, lanes)
    return listing

"""GET /api/v1/stock/<sku>/explain: why a channel shows a number, now or then."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from app.domain import instants
from app.domain.drift import CAUSES
from app.pipeline.proving import explaining
from app.store.stock.balances import When
from app.web.api.fields import Moment, Word, number, one_of, storable
from app.web.api.resource import Resource
from app.web.api.stock import (
    AtLocation,
    Balance,
    Component,
    Entry,
    balance_of,
    entry,
    no_sku,
)
from app.web.auth import VIEWER, needs
from app.web.hub import hub
from app.web.problems import Problem, refused_field

blueprint = Resource("explain", "Why a channel shows a number.")


class ExplainQuery(Schema):
    """Which channel, and when."""

    channel = Word(metadata={"description": "Always needed."})
    at = Moment(past=True, metadata={"description": "Any moment; left out: now."})


class PolicyVersion(Schema):
    """Which version of a policy was in force, and since when."""

    version = number()
    changed_at = Moment(metadata={"description": "1970: as long as is known."})
    actor = fields.String(allow_none=True)


class PolicyThen(Schema):
    """What was in force there, the channel's policy and the listing's own together."""

    from_ = fields.List(fields.String(), data_key="from", attribute="from")
    preorder = number()
    stop_at = number()
    share = number()
    buffer = number()
    cap = number(allow_none=True)
    channel_version = fields.Nested(PolicyVersion, allow_none=True)
    listing_version = fields.Nested(PolicyVersion, allow_none=True)


class Pushed(Schema):
    """The last attempt to tell the channel."""

    attempt = number()
    number = number()
    at = Moment()
    result = fields.String()
    error = fields.String(allow_none=True)


class Acknowledged(Schema):
    """The last number that the channel took."""

    number = number()
    at = Moment()


class KnownNumber(Acknowledged):
    """What the channel was last known to show."""

    by = fields.String(metadata={"description": "reading or acknowledgement"})


class Dispute(Schema):
    """Two numbers of which a person is asked which is right; the smaller is shown."""

    drift = number(metadata={"description": "Decide it at /drifts/{id}/decide."})
    cause = one_of(*CAUSES)
    why = fields.String(metadata={"description": "The cause in words."})
    theirs = number(metadata={"description": "What it showed, and was sold since."})
    ours = number()
    held_back = number(metadata={"description": "Units of ours not shown until then."})
    found_at = Moment()


class ShownNumber(Schema):
    """One number: of one listing, at one of the channel's own places."""

    external_id = fields.String()
    place = fields.String(
        allow_none=True, metadata={"description": "The channel's own location id."}
    )
    shown = number(metadata={"description": "The number that should be shown."})
    shown_as_known = number(
        metadata={
            "description": "By what had been written down by then: what was sent."
        }
    )
    explanation = fields.String()
    dispute = fields.Nested(Dispute, allow_none=True)
    available = number(metadata={"description": "Where it may be sold from."})
    kept_for_promises = number(metadata={"description": "Of those, not for sale."})
    preorder_left = number()
    sellable = number(metadata={"description": "What may be sold; then the policy."})
    policy = fields.Nested(PolicyThen)
    pushed = fields.Nested(Pushed, allow_none=True)
    acknowledged = fields.Nested(Acknowledged, allow_none=True)
    known = fields.Nested(KnownNumber, allow_none=True)


class Promised(Schema):
    """Units promised by a channel without naming a location: served first."""

    sku = fields.String()
    channel = fields.String()
    units = number()
    from_ = fields.List(fields.String(), data_key="from", attribute="from")


class StandingHold(Schema):
    """A line of a hold that nothing has ended."""

    id = fields.String()
    sku = fields.String()
    reference = fields.String(allow_none=True)
    location = fields.String()
    quantity = number()
    expires_at = Moment()
    is_counted = fields.Boolean(metadata={"description": "false: it has expired."})


class Explanation(Schema):
    """Why a channel shows what it shows of a SKU."""

    sku = fields.String()
    channel = fields.String()
    at = Moment()
    is_listed = fields.Boolean()
    explanation = fields.String(metadata={"description": "All of it in a sentence."})
    numbers = fields.List(fields.Nested(ShownNumber))
    locations = fields.List(fields.Nested(AtLocation))
    promises = fields.List(fields.Nested(Promised))
    components = fields.List(
        fields.Nested(Component),
        metadata={
            "description": "Of a kit: what one is made of, nested kits taken apart. "
            "Promises, holds and the ledger are those of its components."
        },
    )
    holds = fields.List(fields.Nested(StandingHold))
    ledger = fields.List(
        fields.Nested(Entry), metadata={"description": "The last entries by then."}
    )


@blueprint.get("/stock/<sku:sku>/explain")
@needs(VIEWER)
@blueprint.query(ExplainQuery)
@blueprint.answers(200, Explanation)
def explain(query: dict[str, Any], sku: str) -> dict[str, Any] | Response:
    """Say why a channel shows what it shows of a SKU."""
    if "channel" not in query:
        missing = refused_field("channel", "name a channel")
        return _named_explain(sku, missing)
    found = None
    if storable(sku):
        with hub().engine.connect() as connection:
            found = explaining.explain(
                connection,
                sku,
                query["channel"],
                at=query.get("at"),
                now=instants.now(),
            )
    if found is None:
        return _named_explain(sku, no_sku(sku))
    return {**found, "ledger": [entry(row) for row in found["ledger"]]}


def _named_explain(sku: str, otherwise: Problem) -> Response:
    """A SKU's own name may end in /explain: then this is its stock."""
    found = balance_of(f"{sku}/explain", When(instants.now()))
    if found is None:
        raise otherwise
    return jsonify(Balance().dump(found))

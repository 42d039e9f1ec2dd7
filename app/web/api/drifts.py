"""/api/v1/drifts: numbers that channels showed instead of ours, and who decides."""

from typing import Any

from marshmallow import Schema, fields

from app.domain import instants
from app.domain.drift import CAUSES, NOTHING, PUBLISH, TAKE, WAIT
from app.domain.errors import NotOpen, UnknownName
from app.pipeline.publishing import disputes
from app.store.watching import drifts
from app.web.api.fields import LARGEST_ID, Moment, Word, number, one_of
from app.web.api.idempotency import once, this_try
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.api.spec import ProblemDocument
from app.web.auth import OPERATOR, VIEWER, actor, needs
from app.web.hub import hub
from app.web.problems import Problem

blueprint = Resource("drifts", "Channels that showed another number than ours.")


class Drift(Schema):
    """A difference between a channel's number and ours; only ever added to."""

    id = number()
    channel = fields.String()
    sku = fields.String()
    external_id = fields.String(metadata={"description": "The channel's own item."})
    place = fields.String(metadata={"description": "Its own location id, or empty."})
    theirs = number(
        allow_none=True,
        metadata={
            "description": "What it shows; null: it keeps no stock of it. Open ones: with "
            "what was sold since, as ours is."
        },
    )
    ours = number(metadata={"description": "What it should show."})
    believed = number(
        allow_none=True,
        metadata={"description": "What it showed, as far as we knew."},
    )
    cause = one_of(*CAUSES)
    why = fields.String(metadata={"description": "The cause in words."})
    done = one_of(PUBLISH, TAKE, WAIT, NOTHING)
    state = one_of(
        drifts.WAITS,
        drifts.OVER,
        metadata={"description": "open: a person is asked; the smaller is shown."},
    )
    healing = fields.String(metadata={"description": "What heals it, in words."})
    can_take = fields.Boolean(
        metadata={"description": "Theirs can be made ours by an adjustment."}
    )
    found_at = Moment()


class DriftQuery(PageQuery):
    """A page of drifts."""

    channel = Word()
    sku = Word()
    state = one_of(drifts.WAITS, drifts.OVER)


class Decision(Schema):
    """Whose number is right."""

    take = one_of(disputes.OURS, disputes.THEIRS, required=True)


DriftPage = paged("DriftPage", Drift)


@blueprint.get("/drifts")
@needs(VIEWER)
@blueprint.query(DriftQuery)
@blueprint.answers(200, DriftPage)
def list_drifts(query: dict[str, Any]) -> dict[str, Any]:
    """List drifts, newest first."""
    with hub().engine.connect() as connection:
        page = drifts.page(connection, **query)
        return answer(page, disputes.told(connection, page, instants.now()))


@blueprint.post("/drifts/<id:drift_id>/decide")
@needs(OPERATOR)
@once
@blueprint.body(Decision)
@blueprint.answers(200, Drift)
@blueprint.refuses(409, ProblemDocument, "Nobody is asked about it any more.")
def decide(told: dict[str, Any], drift_id: str) -> dict[str, Any]:
    """Publish ours, or adjust the stock by the difference. Then nobody is asked."""
    number_ = int(drift_id) if drift_id.isdecimal() else 0
    if not 0 < number_ <= LARGEST_ID:
        raise Problem(404, f"there is no drift {drift_id!r}")
    now = this_try().now
    try:
        disputes.decide(
            hub().engine,
            number_,
            told["take"],
            actor=actor(),
            now=now,
            wakes=hub().bell,
        )
    except UnknownName as error:
        raise Problem(404, str(error)) from error
    except NotOpen as error:
        raise Problem(409, str(error)) from error
    with hub().engine.connect() as connection:
        row = drifts.find(connection, number_)
        assert row is not None  # noqa: S101 - drifts are only ever added
        return disputes.told(connection, [row], now)[0]

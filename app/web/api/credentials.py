"""/api/v1/channels/<key>/secrets and /test: what its webhooks are signed with and what it
is called with, and whether a webhook reaches us. No secret is ever told."""

from typing import Any, Final

from marshmallow import Schema, fields, validate
from sqlalchemy.engine import RowMapping

from app.domain.errors import UnknownName
from app.domain.instants import DAY, SECOND
from app.pipeline.configuring import rotating, trying
from app.pipeline.configuring.rotating import Successor
from app.store.configuration import channels
from app.store.keyset import Page
from app.web.api import audit
from app.web.api.fields import Moment, Word, number
from app.web.api.idempotency import once, this_try
from app.web.api.paging import answer, paged
from app.web.api.resource import Resource
from app.web.auth import ADMIN, OPERATOR, actor, needs
from app.web.hub import hub
from app.web.problems import Problem

blueprint = Resource("credentials", "What channels are trusted by.")

LONGEST: Final = 500
LONGEST_OVERLAP: Final = 365 * DAY // SECOND


class Secret(Schema):
    """One secret of a channel."""

    name = fields.String()
    fingerprint = fields.String(
        attribute="mark", metadata={"description": "What it is told apart by."}
    )
    newest = fields.Boolean(attribute="is_newest")
    added_at = Moment(allow_none=True)
    added_by = fields.String(allow_none=True)
    ends_at = Moment(
        allow_none=True, metadata={"description": "Accepted until then; null: open."}
    )
    used_at = Moment(
        allow_none=True, metadata={"description": "When it last proved a webhook."}
    )


class NewSecret(Schema):
    """The successor of a secret."""

    name = Word(required=True, metadata={"examples": ["webhook", "access_token"]})
    secret = Word(required=True, longest=LONGEST)
    overlap = fields.Integer(
        strict=True,
        load_default=DAY // SECOND,
        allow_none=True,
        validate=validate.Range(min=0, max=LONGEST_OVERLAP),
        metadata={
            "description": "Seconds for which older ones that webhooks are signed with "
            "are accepted beside it; null: until they are ended."
        },
    )


class Tried(Schema):
    """What came of a test webhook."""

    status = number(
        allow_none=True,
        metadata={"description": "The HTTP status; null: nothing answered."},
    )
    words = fields.String(
        metadata={"description": "What was answered, or why nothing was."}
    )
    milliseconds = number()


SecretPage = paged("SecretPage", Secret)


@blueprint.get("/channels/<id:key>/secrets")
@needs(ADMIN)
@blueprint.answers(200, SecretPage)
def list_secrets(key: str) -> dict[str, Any]:
    """List a channel's secrets by fingerprint, of each name the newest first."""
    return _held(key)


@blueprint.post("/channels/<id:key>/secrets")
@needs(ADMIN)
@once
@blueprint.body(NewSecret)
@blueprint.answers(201, SecretPage)
def add_secret(told: dict[str, Any], key: str) -> dict[str, Any]:
    """Take a new secret. One to sign webhooks with overlaps with those before it; what
    we call with is tried first, and replaced at once."""
    _row(key)
    mine, now, span = hub(), this_try().now, told["overlap"]
    ends_at = None if span is None else now + span * SECOND
    new = Successor(key, told["name"], told["secret"], ends_at)
    rotating.add(mine.engine, mine.vault, mine.settings, new, actor=actor(), now=now)
    return _held(key)


@blueprint.delete("/channels/<id:key>/secrets/<id:fingerprint>")
@needs(ADMIN)
@once
@blueprint.answers(200, SecretPage)
def end_secret(key: str, fingerprint: str) -> dict[str, Any]:
    """Accept webhooks signed with an old secret no longer; never the last one."""
    _row(key)
    told = hub().engine, hub().vault, key, rotating.WEBHOOK, fingerprint
    rotating.take_away(*told, actor=actor(), now=this_try().now)
    return _held(key)


@blueprint.post("/channels/<id:key>/test")
@needs(OPERATOR)
@once
@blueprint.answers(200, Tried)
def try_webhook(key: str) -> trying.Tried:
    """Send a test webhook through our own public address. It moves no stock."""
    row, mine = _row(key), hub()
    tried = trying.try_webhook(mine.engine, mine.vault, row, mine.settings)
    audit.note("test webhook", key, {"status": tried.status})
    return tried


def _row(key: str) -> RowMapping:
    try:
        with hub().engine.connect() as connection:
            return channels.row(connection, key)
    except UnknownName as error:
        raise Problem(404, str(error)) from error


def _held(key: str) -> dict[str, Any]:
    row = _row(key)
    with hub().engine.connect() as connection:
        return answer(Page(rotating.secrets_of(connection, hub().vault, row)))

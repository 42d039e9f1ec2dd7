"""GET /api/v1/channels: who is connected, and whether it works. Never a secret."""

from typing import Any

from marshmallow import Schema, fields

from app.store import channels
from app.web.api.fields import Moment, number
from app.web.api.paging import PageQuery, page_of, paged, word_cursor
from app.web.api.resource import Resource
from app.web.auth import VIEWER, needs
from app.web.hub import hub

blueprint = Resource("channels", "Connected channels.")


class ChannelItem(Schema):
    """One connected channel."""

    key = fields.String(metadata={"description": "The word in /webhooks/<key>."})
    provider = fields.String()
    publishes = fields.Boolean(metadata={"description": "False: it only listens."})
    paused_at = Moment(allow_none=True)
    paused_reason = fields.String(allow_none=True)
    disconnected_at = Moment(allow_none=True)
    held_until = Moment(
        allow_none=True, metadata={"description": "It asked us to wait until then."}
    )
    failures = number(metadata={"description": "Failed calls in a row."})
    last_error = fields.String(allow_none=True)
    answered_at = Moment(allow_none=True)


ChannelPage = paged("ChannelPage", ChannelItem)


@blueprint.get("/channels")
@needs(VIEWER)
@blueprint.query(PageQuery)
@blueprint.answers(200, ChannelPage)
def list_channels(query: dict[str, Any]) -> dict[str, Any]:
    """List the channels."""
    after = word_cursor(query) or ""
    with hub().engine.connect() as connection:
        rows = channels.rows(connection)
    told = [
        {**row, "publishes": row["publish"] is not None}
        for row in sorted(rows, key=lambda row: str(row["key"]))
        if row["key"] > after
    ]
    return page_of(told, query["limit"], lambda row: row["key"])

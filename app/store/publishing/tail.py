"""The tail: what was sent last to every channel, number by number."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.store.tables import (
    channels,
    publications,
    push_attempt_items,
    push_attempts,
    skus,
)


def newest(
    connection: Connection, *, limit: int, channel: str | None = None
) -> Sequence[RowMapping]:
    """The last numbers sent, newest first, off the indexes however many there were.

    publication_id, channel, sku, number, verdict, reason, and the call's started_at,
    finished_at, result and error.
    """
    calls = sa.select(push_attempts).order_by(push_attempts.c.id.desc()).limit(limit)
    if channel is not None:
        own = sa.select(channels.c.id).where(channels.c.key == channel)
        calls = calls.where(push_attempts.c.channel_id == own.scalar_subquery())
    call, item = calls.subquery(), push_attempt_items.c
    query = (
        sa.select(
            item.publication_id,
            channels.c.key.label("channel"),
            skus.c.sku,
            item.number,
            item.verdict,
            item.reason,
            *(
                call.c[name]
                for name in ("started_at", "finished_at", "result", "error")
            ),
        )
        .join(call, call.c.id == item.attempt_id)
        .join(publications, publications.c.id == item.publication_id)
        .join(channels, channels.c.id == publications.c.channel_id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .order_by(item.id.desc())
        .limit(limit)
    )
    return connection.execute(query).mappings().all()

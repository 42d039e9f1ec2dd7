"""The inbox: webhooks stored as they came, what was refused, and what gets old."""

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import inbox, refused, refused_samples


def body_hash(body: bytes) -> str:
    """What makes a second copy of a body recognisable."""
    return hashlib.sha256(body).hexdigest()


READ = "read"
"""The delivery id of what we read ourselves; more may follow, after a blank."""


def store_read(
    connection: Connection,
    channel_id: int,
    found: Sequence[tuple[str, Any, str]],
    now: Instant,
) -> None:
    """Put documents that we read from a channel into its inbox; known ones stay.

    Each is a topic, a document and a delivery id.
    """
    rows = []
    for topic, document, delivery_id in found:
        text = json.dumps(document, sort_keys=True)
        digest = body_hash(f"{topic}\n{text}".encode())
        rows.append((channel_id, delivery_id, digest, topic, text, now))
    bulk.insert(
        connection,
        inbox,
        ("channel_id", "delivery_id", "body_hash", "topic", "document", "received_at"),
        rows,
        or_ignore=True,
    )


def known(
    connection: Connection, channel_id: int, delivery_ids: Collection[str]
) -> set[str]:
    """Those of the delivery ids that are in a channel's inbox."""
    query = sa.select(inbox.c.delivery_id).where(
        inbox.c.channel_id == channel_id, inbox.c.delivery_id.in_(delivery_ids)
    )
    return set(connection.execute(query).scalars())


def prune(connection: Connection, before: Instant, limit: int) -> int:
    """Delete some messages that were applied or ignored before then; how many."""
    old = (
        sa.select(inbox.c.id)
        .where(
            inbox.c.state.in_(("applied", "ignored")),
            inbox.c.settled_at < before,
            inbox.c.received_at < before,
        )
        .order_by(inbox.c.id)
        .limit(limit)
    )
    ids = connection.execute(old).scalars().all()
    connection.execute(inbox.delete().where(inbox.c.id.in_(ids)))
    return len(ids)


def count_refusal(
    connection: Connection, channel: str, cause: str, now: Instant
) -> None:
    """Count a request that was not stored."""
    changed = connection.execute(
        refused.update()
        .where(refused.c.channel == channel, refused.c.cause == cause)
        .values(times=refused.c.times + 1, last_at=now)
    )
    if changed.rowcount == 0:
        connection.execute(
            refused.insert().values(channel=channel, cause=cause, times=1, last_at=now)
        )


def keep_sample(connection: Connection, values: dict[str, Any], limit: int) -> None:
    """Keep a refused request for people to look at; the oldest go."""
    connection.execute(refused_samples.insert().values(**values))
    oldest = (
        sa.select(refused_samples.c.id)
        .order_by(refused_samples.c.id.desc())
        .offset(limit)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(refused_samples.delete().where(refused_samples.c.id <= oldest))

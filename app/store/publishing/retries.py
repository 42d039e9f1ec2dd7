"""Publications that are tried again: by themselves, by a person, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.errors import RetryLater
from app.domain.instants import Instant
from app.store import bulk
from app.store.publishing.publications import BULK_LANE, FIRST_LANE, MANY, lock, told_of
from app.store.tables import inbox, publications


@dataclass(frozen=True, slots=True)
class Again:
    """When a row is tried again, and why then."""

    publication_id: int
    attempts: int
    next_attempt_at: Instant
    reason: str
    is_dead: bool
    """Past the limit: a dead letter, kept for a person."""


def retry_later(
    connection: Connection,
    rows: Sequence[Again],
    error: RetryLater,
    now: Instant,
) -> None:
    """Rows are tried again at a time; or, past the limit, are dead letters."""
    shared = {"unsure": error.unknown, **told_of(error)}
    bulk.change(
        connection,
        publications,
        (
            *("attempts", "next_attempt_at", "delay_reason", "failed_at"),
            *shared,
        ),
        [
            (one.attempts, one.next_attempt_at, one.reason)
            + (now if one.is_dead else None, *shared.values(), one.publication_id)
            for one in sorted(rows, key=lambda one: one.publication_id)
        ],
    )


_ARM = """
UPDATE publications SET attempts = 0, next_attempt_at = {lane}, failed_at = NULL,
  delay_reason = NULL, discarded_at = NULL, misses = 0,
  wanted_version = CASE WHEN wanted_version = accepted_version
    THEN wanted_version + 1 ELSE wanted_version END
WHERE id {among} RETURNING channel_id
"""


def arm(
    connection: Connection, ids: Sequence[int], lane: Instant | None = None
) -> set[str]:
    """Make rows due at once; return the keys of their channels.

    Many at once are bulk work, unless `lane` says whose turn they wait for. Who
    retries a contradiction has looked: ours counts.
    """
    if lane is None:
        lane = FIRST_LANE if len(ids) < MANY else BULK_LANE
    statement = _ARM.replace("{lane}", str(lane))
    marked = bulk.select(connection, statement, sorted(ids), "bigint")
    found = bulk.select(
        connection,
        "SELECT key FROM channels WHERE id {among}",
        sorted({row[0] for row in marked}),
        "bigint",
    )
    return {row[0] for row in found}


_SETTLED = "accepted IS NOT NULL AND wanted_version = accepted_version"
_BEHIND = "CASE WHEN wanted_version < {given} THEN {given} - wanted_version ELSE 0 END"
_DOUBT = f"""
UPDATE publications SET unsure = unsure OR accepted IS NOT NULL,
  wanted_at = CASE WHEN {_SETTLED} THEN {{given}} ELSE wanted_at END,
  next_attempt_at = CASE WHEN {_SETTLED} THEN {BULK_LANE} ELSE next_attempt_at END,
  wanted_version = wanted_version + {_BEHIND} + CASE WHEN {_SETTLED} THEN 1 ELSE 0 END,
  accepted_version = accepted_version + {_BEHIND}
WHERE id {{among}} RETURNING accepted
"""


def doubt_accepted(
    connection: Connection, after: int, limit: int, now: Instant
) -> tuple[int, int]:
    """Make accepted numbers unsure: read back or sent again; what failed stays for a
    person. Versions go on from the time, above those that channels may have seen and we
    no longer know.

    `after` is the last id of the portion before. Returns this one's, 0 when there are
    no more, and how many of its numbers were accepted.
    """
    publication = publications.c.id
    found = connection.execute(
        sa.select(publication)
        .where(publication > after)
        .order_by(publication)
        .limit(limit)
    )
    ids = list(found.scalars())
    lock(connection, ids)
    given = (now,) * _DOUBT.count("{given}")
    done = bulk.select(connection, _DOUBT, ids, "bigint", given)
    return ids[-1] if ids else 0, sum(row[0] is not None for row in done)


def stamp(connection: Connection, channel_id: int, at: Instant) -> None:
    """Let the next writes to a channel be later than all that nobody remembers."""
    connection.execute(
        publications.update()
        .where(publications.c.channel_id == channel_id, publications.c.stamp < at)
        .values(stamp=at)
    )


def hasten(connection: Connection, channel_id: int) -> None:
    """Let what waits for its next try on a channel be tried now: numbers and reads."""
    connection.execute(
        inbox.update()
        .where(
            inbox.c.channel_id == channel_id,
            inbox.c.state == "waiting",
            inbox.c.next_attempt_at > 0,
        )
        .values(next_attempt_at=0)
    )
    connection.execute(
        publications.update()
        .where(
            publications.c.channel_id == channel_id,
            publications.c.wanted_version > publications.c.accepted_version,
            publications.c.next_attempt_at > BULK_LANE,
            publications.c.attempts > 0,
            publications.c.failed_at.is_(None),
        )
        .values(next_attempt_at=BULK_LANE + 1, delay_reason=None)
    )


def discard(connection: Connection, ids: Sequence[int], now: Instant) -> int:
    """Forget what is not delivered; the next change of stock is a new wish."""
    changed = connection.execute(
        publications.update()
        .where(
            publications.c.id.in_(list(ids)),
            publications.c.wanted_version > publications.c.accepted_version,
        )
        .values(discarded_at=now, failed_at=None, next_attempt_at=0, attempts=0)
    )
    return int(changed.rowcount)

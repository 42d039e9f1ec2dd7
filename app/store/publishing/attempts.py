"""Push attempts: written before the call, finished after it."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain import channels as words
from app.domain.channels import Wish
from app.domain.instants import DAY, Instant
from app.store import bulk, driver
from app.store.tables import publications, push_attempt_items, push_attempts
from app.store.tables.publishing import HAS_NOT_ENDED_WELL

SENDING = "sending"
ACCEPTED = "accepted"
PARTLY = "partly"
REFUSED = "refused"
RETRY = "retry"
UNKNOWN = "unknown"

_BEGIN = f"""
INSERT INTO push_attempts (channel_id, key, variables_hash, started_at, result)
SELECT {{given}}, coalesce((
  SELECT key FROM push_attempts WHERE channel_id = {{given}}
  AND variables_hash = {{given}} AND {HAS_NOT_ENDED_WELL} AND started_at > {{given}}
  ORDER BY id DESC LIMIT 1), {{given}}), {{given}}, {{given}}, '{SENDING}'
RETURNING id, key
"""
_SAY = (
    "UPDATE push_attempt_items SET verdict = {given}, reason = {given} "
    "WHERE attempt_id = {given} AND publication_id {among}"
)


def begin(
    connection: Connection,
    channel_id: int,
    variables_hash: str,
    wishes: Sequence[Wish],
    now: Instant,
) -> tuple[int, str]:
    """Write an attempt down and mark its rows unsure; return its id and key.

    The key is bound to the exact variables: the same ones again, after an attempt that
    did not end well, go out under the same key.
    """
    given = (channel_id, variables_hash, now - DAY, str(uuid4()), variables_hash, now)
    begun = _BEGIN.replace("{given}", driver.slot(connection))
    ((attempt_id, key),) = driver.fetched(connection, begun, (channel_id, *given))
    bulk.insert(
        connection,
        push_attempt_items,
        ("attempt_id", "publication_id", "number", "expected", "version"),
        [
            (attempt_id, one.publication_id, one.available, one.expected, one.version)
            for one in wishes
        ],
    )
    unsure = sorted((wish.publication_id, wish.stamp or 0) for wish in wishes)
    bulk.change(
        connection,
        publications,
        ("unsure", "stamp"),
        [(True, stamp, publication_id) for publication_id, stamp in unsure],
    )
    return attempt_id, key


def last(
    connection: Connection,
    publication_id: int,
    moment: Instant | None = None,
    *,
    accepted: bool = False,
) -> sa.RowMapping | None:
    """The last attempt at a publication; by a moment, if one is given. `accepted`: that
    was taken."""
    query = (
        sa.select(
            push_attempts,
            push_attempt_items.c.number,
            push_attempt_items.c.verdict,
            push_attempt_items.c.reason,
        )
        .join(push_attempt_items, push_attempt_items.c.attempt_id == push_attempts.c.id)
        .where(push_attempt_items.c.publication_id == publication_id)
        .order_by(push_attempt_items.c.id.desc())
        .limit(1)
    )
    dated = push_attempts.c.started_at
    if accepted:
        query = query.where(push_attempt_items.c.verdict == words.ACCEPTED)
        dated = push_attempts.c.finished_at
    if moment is not None:
        query = query.where(dated <= moment)
    return connection.execute(query).mappings().first()


def finish(
    connection: Connection,
    attempt_id: int,
    result: str,
    now: Instant,
    *,
    error: str | None = None,
    error_class: str | None = None,
    delay_reason: str | None = None,
    verdicts: Mapping[int, tuple[str, str | None]] | None = None,
) -> None:
    """Write down how an attempt ended; verdicts are by publication id."""
    ended = {
        "result": result,
        "finished_at": now,
        "error": error,
        "error_class": error_class,
        "delay_reason": delay_reason,
    }
    bulk.change(
        connection, push_attempts, tuple(ended), [(*ended.values(), attempt_id)]
    )
    alike: dict[tuple[str, str | None], list[int]] = {}
    told = (verdicts or {}).items()
    for publication_id, said in told:
        alike.setdefault(said, []).append(publication_id)
    for (verdict, reason), ids in alike.items():
        given = (verdict, reason, attempt_id)
        bulk.update(connection, push_attempt_items, _SAY, ids, "bigint", given)

"""Push attempts: written before the call, finished after it."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain import channels as words
from app.domain.channels import Wish
from app.domain.instants import DAY, Instant
from app.store import bulk
from app.store.tables import publications, push_attempt_items, push_attempts

SENDING = "sending"
ACCEPTED = "accepted"
PARTLY = "partly"
REFUSED = "refused"
RETRY = "retry"
UNKNOWN = "unknown"

_SAME_KEY = (
    sa.select(push_attempts.c.key)
    .where(
        push_attempts.c.channel_id == sa.bindparam("channel"),
        push_attempts.c.variables_hash == sa.bindparam("hash"),
        push_attempts.c.result.in_((SENDING, RETRY, UNKNOWN)),
        push_attempts.c.started_at > sa.bindparam("after"),
    )
    .order_by(push_attempts.c.id.desc())
    .limit(1)
)
_FINISH = push_attempts.update().where(push_attempts.c.id == sa.bindparam("attempt"))
_SAY = push_attempt_items.update().where(
    push_attempt_items.c.attempt_id == sa.bindparam("attempt"),
    push_attempt_items.c.publication_id.in_(sa.bindparam("these", expanding=True)),
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
    key = _same_key(connection, channel_id, variables_hash, now) or str(uuid4())
    attempt_id = bulk.insert_one(
        connection,
        push_attempts,
        channel_id=channel_id,
        key=key,
        variables_hash=variables_hash,
        started_at=now,
        result=SENDING,
    )
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
    moment: Instant,
    *,
    accepted: bool = False,
) -> sa.RowMapping | None:
    """The last attempt at a publication by a moment; `accepted`: that was taken."""
    query = (
        sa.select(
            push_attempts,
            push_attempt_items.c.number,
            push_attempt_items.c.verdict,
            push_attempt_items.c.reason,
        )
        .join(push_attempt_items, push_attempt_items.c.attempt_id == push_attempts.c.id)
        .where(
            push_attempt_items.c.publication_id == publication_id,
            push_attempts.c.started_at <= moment,
        )
        .order_by(push_attempt_items.c.id.desc())
        .limit(1)
    )
    if accepted:
        query = query.where(
            push_attempt_items.c.verdict == words.ACCEPTED,
            push_attempts.c.finished_at <= moment,
        )
    return connection.execute(query).mappings().first()


def _same_key(
    connection: Connection, channel_id: int, variables_hash: str, now: Instant
) -> str | None:
    given = {"channel": channel_id, "hash": variables_hash, "after": now - DAY}
    return connection.execute(_SAME_KEY, given).scalar()


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
    connection.execute(_FINISH, {"attempt": attempt_id, **ended})
    alike: dict[tuple[str, str | None], list[int]] = {}
    told = (verdicts or {}).items()
    for publication_id, said in told:
        alike.setdefault(said, []).append(publication_id)
    for (verdict, reason), ids in alike.items():
        same = {"verdict": verdict, "reason": reason}
        connection.execute(_SAY, {"attempt": attempt_id, "these": ids, **same})

"""Bulk runs: begun in one statement, told portion by portion, forgotten when finished.

A row of a run is a dead letter like any other until its portion's turn: who cancels the
run leaves it exactly as it was.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import bulk
from app.store.publishing.publications import BULK_LANE, lock
from app.store.tables import bulk_rows, bulk_runs, channels, publications

RETRY: Final = "retry"
DISCARD: Final = "discard"

WAITS: Final = "waits"
SENT: Final = "sent"
DONE: Final = "done"
SKIPPED: Final = "skipped"
FAILED: Final = "failed"
RETRYING: Final = "retrying"
CANCELLED: Final = "cancelled"

Counts = Mapping[tuple[int, str], int]
"""Channel id and state → rows of a run."""


def begin(
    connection: Connection,
    action: str,
    actor: str,
    wanted: Mapping[str, Any],
    chosen: sa.Select[Any],
    now: Instant,
) -> tuple[int, int]:
    """Take down which rows a run is about: its id and how many those are.

    `chosen` selects ids of publications and their channels. One statement, however
    many rows: nothing about a delivery changes yet.
    """
    run_id = bulk.insert_one(
        connection,
        bulk_runs,
        action=action,
        actor=actor,
        wanted=json.dumps(dict(wanted)),
        asked_at=now,
    )
    found = chosen.subquery()
    rows = sa.select(sa.literal(run_id), found.c.id, found.c.channel_id)
    names = ["run_id", "publication_id", "channel_id"]
    connection.execute(bulk_rows.insert().from_select(names, rows))
    query = sa.select(sa.func.count()).where(bulk_rows.c.run_id == run_id)
    matched = connection.execute(query).scalar_one()
    connection.execute(
        bulk_runs.update().where(bulk_runs.c.id == run_id).values(matched=matched)
    )
    return run_id, matched


def run(connection: Connection, run_id: int) -> RowMapping | None:
    """One run, or None."""
    query = sa.select(bulk_runs).where(bulk_runs.c.id == run_id)
    return connection.execute(query).mappings().first()


def unfinished(connection: Connection) -> Sequence[RowMapping]:
    """Runs with something left to do, the first asked for first."""
    query = sa.select(bulk_runs).where(bulk_runs.c.finished_at.is_(None))
    return connection.execute(query.order_by(bulk_runs.c.id)).mappings().all()


def latest(connection: Connection, limit: int) -> Sequence[RowMapping]:
    """The newest runs."""
    query = sa.select(bulk_runs).order_by(bulk_runs.c.id.desc()).limit(limit)
    return connection.execute(query).mappings().all()


def counts(connection: Connection, run_id: int) -> Counts:
    """How far the rows of a run are, per channel."""
    row = bulk_rows.c
    query = (
        sa.select(row.channel_id, row.state, sa.func.count())
        .where(row.run_id == run_id)
        .group_by(row.channel_id, row.state)
    )
    return {(one[0], one[1]): one[2] for one in connection.execute(query)}


def by_state(told: Counts) -> dict[str, int]:
    """The same, of all channels together."""
    found: Counter[str] = Counter()
    for (_, state), rows in told.items():
        found[state] += rows
    return dict(found)


def waiting(
    connection: Connection, run_id: int, channel_id: int, limit: int
) -> Sequence[RowMapping]:
    """Publications of a run whose turn has not come; the most exposed first."""
    query = (
        sa.select(publications)
        .join(bulk_rows, bulk_rows.c.publication_id == publications.c.id)
        .where(
            bulk_rows.c.run_id == run_id,
            bulk_rows.c.channel_id == channel_id,
            bulk_rows.c.state == WAITS,
        )
        .order_by(publications.c.exposure.desc(), publications.c.id)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def move(connection: Connection, run_id: int, ids: Collection[int], state: str) -> None:
    """Say how far these rows of a run are."""
    bulk.select(
        connection,
        f"UPDATE bulk_rows SET state = '{state}' WHERE run_id = {int(run_id)} "
        "AND publication_id {among} RETURNING publication_id",
        sorted(ids),
        "bigint",
    )


_LEARN = sa.text(f"""
UPDATE bulk_rows SET state = CASE
  WHEN p.failed_at IS NOT NULL THEN '{FAILED}'
  WHEN p.discarded_at IS NOT NULL THEN '{CANCELLED}'
  WHEN p.wanted_version > p.accepted_version AND p.attempts > 0 THEN '{RETRYING}'
  ELSE '{DONE}' END
FROM publications p
WHERE bulk_rows.run_id = :run_id AND bulk_rows.state = '{SENT}'
  AND p.id = bulk_rows.publication_id
  AND (p.failed_at IS NOT NULL OR p.discarded_at IS NOT NULL OR p.attempts > 0
    OR p.accepted_at >= :asked_at
    OR (p.wanted_version = p.accepted_version AND NOT p.unsure))
""")


_GONE = sa.text(f"""
UPDATE bulk_rows SET state = '{SKIPPED}'
WHERE run_id = :run_id AND state IN ('{WAITS}', '{SENT}') AND NOT EXISTS (
  SELECT 1 FROM publications p WHERE p.id = bulk_rows.publication_id)
""")


def learn(connection: Connection, run_id: int, asked_at: Instant) -> None:
    """Read off the deliveries what became of the rows that were sent on; those that are
    published no more need nothing."""
    connection.execute(_LEARN, {"run_id": run_id, "asked_at": asked_at})
    connection.execute(_GONE, {"run_id": run_id})


def cancel(connection: Connection, run_id: int, actor: str, now: Instant) -> bool:
    """Let nothing more of a run be sent; False when it is over already.

    What was sent on and has not been tried yet is a dead letter again.
    """
    changed = connection.execute(
        bulk_runs.update()
        .where(
            bulk_runs.c.id == run_id,
            bulk_runs.c.finished_at.is_(None),
            bulk_runs.c.cancelled_at.is_(None),
        )
        .values(cancelled_at=now, cancelled_by=actor)
    )
    if not changed.rowcount:
        return False
    connection.execute(
        bulk_rows.update()
        .where(bulk_rows.c.run_id == run_id, bulk_rows.c.state == WAITS)
        .values(state=CANCELLED)
    )
    back = _untried(connection, run_id)
    lock(connection, back)
    connection.execute(
        publications.update()
        .where(publications.c.id.in_(back), *_IS_UNTRIED)
        .values(failed_at=now, next_attempt_at=0)
    )
    move(connection, run_id, back, CANCELLED)
    return True


_IS_UNTRIED: Final = (
    publications.c.next_attempt_at == BULK_LANE,
    publications.c.attempts == 0,
    publications.c.wanted_version > publications.c.accepted_version,
    publications.c.error_class.is_not(None),
    publications.c.failed_at.is_(None),
)


def _untried(connection: Connection, run_id: int) -> list[int]:
    query = (
        sa.select(publications.c.id)
        .join(bulk_rows, bulk_rows.c.publication_id == publications.c.id)
        .where(bulk_rows.c.run_id == run_id, bulk_rows.c.state == SENT, *_IS_UNTRIED)
        .order_by(publications.c.id)
    )
    return list(connection.execute(query).scalars())


def finish(
    connection: Connection, run_id: int, result: Mapping[str, int], now: Instant
) -> None:
    """Keep what came of a run, and forget its rows."""
    connection.execute(
        bulk_runs.update()
        .where(bulk_runs.c.id == run_id)
        .values(finished_at=now, result=json.dumps(dict(result)))
    )
    connection.execute(bulk_rows.delete().where(bulk_rows.c.run_id == run_id))


def keys(connection: Connection, channel_ids: Collection[int]) -> dict[int, str]:
    """Channel id → its key."""
    query = sa.select(channels.c.id, channels.c.key)
    found = connection.execute(query.where(channels.c.id.in_(list(channel_ids))))
    return {row[0]: row[1] for row in found}

"""Running: what a person set off for many deliveries, a portion at a time.

The run is accepted in one statement; the scheduler then lets so many of its rows go as
a channel can soon be told, in the bulk lane, behind first deliveries and retries. So a
run of any length can be watched, and cancelled at any moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine, RowMapping

from app.domain.instants import Instant
from app.pipeline.publishing.marking import mark_all
from app.store.engine import reading, writing
from app.store.people import deeds
from app.store.publishing import publications as rows, retries, runs as store

IN_THE_AIR: Final = 2000
"""Rows of one run that a channel has before it at once."""
PORTION: Final = 500
"""Rows changed in one transaction: others write in between."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that was accepted."""

    id: int
    matched: int


def begin(
    engine: Engine,
    action: str,
    actor: str,
    wanted: Mapping[str, Any],
    chosen: sa.Select[Any],
    now: Instant,
) -> Begun:
    """Accept a run over the chosen publications, and write down who asked for it."""
    with writing(engine) as connection:
        begun = Begun(*store.begin(connection, action, actor, wanted, chosen, now))
        told = {**wanted, "rows": begun.matched}
        deeds.note(connection, actor, action, f"run {begun.id}", now, told)
    return begun


def cancel(engine: Engine, run_id: int, actor: str, now: Instant) -> bool:
    """Stop a run; what it has not sent stays a dead letter. False: it is over."""
    with writing(engine) as connection:
        if not store.cancel(connection, run_id, actor, now):
            return False
        deeds.note(connection, actor, "cancel", f"run {run_id}", now)
    return True


def advance(engine: Engine, now: Instant) -> set[str]:
    """Take every run a step further; return the lanes to wake."""
    with reading(engine) as connection:
        unfinished = store.unfinished(connection)
    woken: set[str] = set()
    for run in unfinished:
        woken |= _advance(engine, run, now)
    return woken


def _advance(engine: Engine, run: RowMapping, now: Instant) -> set[str]:
    run_id = run["id"]
    with writing(engine, durable=False) as connection:
        store.learn(connection, run_id, run["asked_at"])
        told = store.counts(connection, run_id)
    waiting = {channel for channel, state in told if state == store.WAITS}
    if not waiting and not any(state == store.SENT for _, state in told):
        _finish(engine, run, store.by_state(told), now)
        return set()
    if run["action"] == store.DISCARD:
        mark_all(engine, now)
    woken: set[str] = set()
    for channel_id in sorted(waiting):
        room = IN_THE_AIR - told.get((channel_id, store.SENT), 0)
        while room > 0:
            portion = min(PORTION, room)
            moved, keys = _portion(engine, run, channel_id, portion, now)
            woken |= {f"outbound:{key}" for key in keys}
            room -= portion
            if moved < portion:
                break
    return woken


def _portion(
    engine: Engine, run: RowMapping, channel_id: int, limit: int, now: Instant
) -> tuple[int, set[str]]:
    """Move one portion on: how many rows, and the channels that got work."""
    with writing(engine) as connection:
        found = store.waiting(connection, run["id"], channel_id, limit)
        ids = sorted(row["id"] for row in found)
        rows.lock(connection, ids)
        if run["action"] == store.DISCARD:
            retries.discard(connection, ids, now)
            store.move(connection, run["id"], ids, store.DONE)
            return len(ids), set()
        over = {row["id"] for row in found if _is_over(row, run["asked_at"])}
        going = {row["id"] for row in found if _goes_by_itself(row)} - over
        store.move(connection, run["id"], over, store.SKIPPED)
        store.move(connection, run["id"], set(ids) - over, store.SENT)
        armed = sorted(set(ids) - over - going)
        keys = retries.arm(connection, armed, rows.BULK_LANE) if armed else set()
    return len(ids), keys


def _is_over(row: RowMapping, asked_at: Instant) -> bool:
    """Whether it was delivered or discarded since somebody asked."""
    is_settled = row["wanted_version"] == row["accepted_version"] and not row["unsure"]
    was_taken = is_settled and (row["accepted_at"] or 0) >= asked_at
    return was_taken or (row["discarded_at"] or 0) >= asked_at


def _goes_by_itself(row: RowMapping) -> bool:
    """Whether a sale has made it due meanwhile: it keeps its better place."""
    return (
        row["wanted_version"] > row["accepted_version"]
        and row["failed_at"] is None
        and row["discarded_at"] is None
        and row["next_attempt_at"] == rows.FIRST_LANE
    )


def _finish(
    engine: Engine, run: RowMapping, result: Mapping[str, int], now: Instant
) -> None:
    with writing(engine) as connection:
        store.finish(connection, run["id"], result, now)
        action = f"{run['action']} finished"
        deeds.note(connection, run["actor"], action, f"run {run['id']}", now, result)


def progress(run: RowMapping, told: Mapping[str, int]) -> float:
    """The share of a run that needs nothing more, from 0 to 1."""
    if run["finished_at"] is not None or not run["matched"]:
        return 1.0
    left = told.get(store.WAITS, 0) + told.get(store.SENT, 0)
    return 1 - left / int(run["matched"])

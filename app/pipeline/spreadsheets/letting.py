"""Letting in: what a spreadsheet says happens a hundred lines at a time, and is undone
so, the last lines first.

Whoever presses the button waits for some seconds at most; the scheduler goes on with the
rest. A portion that was cut off is done again, and changes nothing twice.
"""

import json
import time
from typing import Any, Final

import structlog
from sqlalchemy.engine import Engine, RowMapping
from sqlalchemy.exc import IntegrityError

from app.domain.errors import HubError
from app.domain.instants import Instant
from app.pipeline.acts.facts import Waker, wake_all
from app.pipeline.spreadsheets import undoing
from app.pipeline.spreadsheets.importing import Imported, Work
from app.pipeline.spreadsheets.sheet import Sheet
from app.pipeline.spreadsheets.sheets import KINDS, sheet_of
from app.store.engine import applying, reading, writing
from app.store.people import deeds, sheets as store

PORTION: Final = 100
"""Rows that are undone in one transaction."""
PATIENCE: Final = 5.0
"""Seconds after which no other portion is begun by a person's press."""
TURN: Final = 1.0
"""The same for the scheduler, which has other things to do."""
MOVED: Final = "its stock moved at this very moment; try again"

log = structlog.get_logger(__name__)


def let_in(
    engine: Engine, sheet_id: int, *, actor: str, now: Instant, wakes: Waker
) -> None:
    """Change what a file says; pressed twice, it happens once."""
    with writing(engine) as connection:
        store.begin(connection, sheet_id, actor, now)
    _go_on(engine, sheet_id, now, wakes, PATIENCE)


def undo(
    engine: Engine, sheet_id: int, *, actor: str, now: Instant, wakes: Waker
) -> None:
    """Take back what a file changed; a portion wholly or not at all.

    Raises NotReversible and IntegrityError where some of it has moved on since: then
    that portion and those before it stay.
    """
    with writing(engine) as connection:
        store.begin_undo(connection, sheet_id, actor, now)
    _go_on(engine, sheet_id, now, wakes, PATIENCE)


def advance(engine: Engine, now: Instant, wakes: Waker) -> None:
    """Take every file that is in hand some portions further."""
    with reading(engine) as connection:
        ids = store.in_hand(connection)
    for sheet_id in ids:
        try:
            _go_on(engine, sheet_id, now, wakes, TURN)
        except (HubError, IntegrityError) as error:
            log.warning("undoing_stopped", sheet=sheet_id, error=type(error).__name__)


def _go_on(
    engine: Engine, sheet_id: int, now: Instant, wakes: Waker, seconds: float
) -> None:
    ends = time.monotonic() + seconds
    while _step(engine, sheet_id, now, wakes) and time.monotonic() < ends:
        pass


def _step(engine: Engine, sheet_id: int, now: Instant, wakes: Waker) -> bool:
    """One portion; False when there was none."""
    with reading(engine) as connection:
        row = store.one(connection, sheet_id)
    if row is None or row["undone_at"] is not None:
        return False
    if row["undoing_at"] is not None:
        _take_back(engine, row, now, wakes)
    elif row["applied_at"] is not None and row["finished_at"] is None:
        _let_in(engine, row, now, wakes)
    else:
        return False
    return True


def _let_in(engine: Engine, row: RowMapping, now: Instant, wakes: Waker) -> None:
    kind, sheet, done = KINDS[row["kind"]], sheet_of(row), row["done"]
    began = row["applied_at"]
    facts = kind.facts(sheet, began)
    end = len(sheet.rows) if kind.is_whole else min(done + PORTION, len(sheet.rows))
    piece = Sheet(sheet.rows[done:end], [] if done else list(sheet.problems))
    with writing(engine) as connection:
        had = store.before(connection, row["id"])
        if len(had) == done // PORTION:
            had.append(undoing.before(connection, row["kind"], piece, now))
            store.remember(connection, row["id"], had)
    work = Work(engine, wakes, began, actor=row["asked_by"])
    imported = kind.load(work, piece, facts, row["id"])
    told = _adding(json.loads(row["result"]), imported)
    finished = {"finished_at": now} if end == len(sheet.rows) else {}
    with writing(engine) as connection:
        result = json.dumps(told)
        if store.move(connection, row, end, result=result, **finished) and finished:
            lines = {"lines": told["loaded"], "left out": len(told["problems"])}
            deeds.note(
                connection,
                row["asked_by"],
                f"let in {row['kind']}",
                _named(row),
                now,
                lines,
            )


def _adding(told: dict[str, Any], imported: Imported) -> dict[str, Any]:
    return {
        "loaded": told.get("loaded", 0) + imported.loaded - imported.unchanged,
        "unchanged": told.get("unchanged", 0) + imported.unchanged,
        "problems": [*told.get("problems", []), *imported.problems],
    }


def _take_back(engine: Engine, row: RowMapping, now: Instant, wakes: Waker) -> None:
    kind, sheet, done = KINDS[row["kind"]], sheet_of(row), row["done"]
    before = json.loads(row["before"])
    # What was let in at once is undone at once.
    number = max(0, done - 1) // PORTION if len(before) > 1 else 0
    begin = number * PORTION
    rows = sheet.rows[begin:done]
    lines = {one.line for one in rows}
    facts = [one for one in kind.facts(sheet, row["applied_at"]) if one.line in lines]
    told = undoing.Told(
        row["kind"], Sheet(rows, []), facts, row["id"], row["applied_at"]
    )
    over = {} if begin else {"undone_at": now}
    had, actor = before[number], row["asked_by"]
    try:
        with applying(engine) as connection:
            if not store.move(connection, row, begin, **over):
                return
            woken = undoing.undo(connection, told, had, actor=actor, now=now)
            if over:
                deeds.note(connection, actor, f"undo {row['kind']}", _named(row), now)
    except (HubError, IntegrityError) as error:
        words = MOVED if isinstance(error, IntegrityError) else str(error)
        with writing(engine) as connection:
            store.stop_undo(connection, row, words)
        raise
    wake_all(wakes, woken)


def _named(row: RowMapping) -> str:
    return f"spreadsheet {row['id']}, {row['name']}"

"""Spreadsheets on the dashboard: brought, looked at, let in, undone.

A file is kept as it was read, with the numbers its reader was shown, so that what is
let in is what was looked at; a number that changed meanwhile keeps its line out.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.instants import Instant
from app.pipeline import (
    adjusting,
    bundling,
    counting,
    importing,
    previewing,
    undoing,
)
from app.pipeline.adjusting import ADJUSTMENTS
from app.pipeline.bundling import RECIPES
from app.pipeline.facts import Waker, wake_all
from app.pipeline.importing import LISTINGS, Imported, Work
from app.pipeline.previewing import Plan
from app.pipeline.sheet import COUNTS, SKUS, Problem, Row, Sheet, read_sheet
from app.store import sheets as store
from app.store.engine import applying, writing
from app.store.people import ADMIN, OPERATOR
from app.store.sheets import Brought

MOST_ROWS: Final = 1_000
"""On a page; the command line takes as many as there are."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a spreadsheet may hold."""

    title: str
    columns: tuple[str, ...]
    needed: int
    """How many of the columns, from the first, have to be there."""
    role: str
    plan: Callable[[Connection, Sheet, Instant], Plan]
    load: Callable[[Work, Sheet, int], Imported]
    has_places: bool = False


def _counts(work: Work, sheet: Sheet, _: int) -> Imported:
    return counting.import_counts(work, sheet, counting.read_counts(sheet, work.now))


def _adjustments(work: Work, sheet: Sheet, sheet_id: int) -> Imported:
    told = adjusting.read_adjustments(sheet)
    return adjusting.import_adjustments(work, sheet, told, str(sheet_id))


KINDS: Final = {
    "counts": Kind(
        "Counts", COUNTS, 3, OPERATOR, previewing.plan_counts, _counts, has_places=True
    ),
    "adjustments": Kind(
        "Adjustments",
        ADJUSTMENTS,
        4,
        OPERATOR,
        previewing.plan_adjustments,
        _adjustments,
        has_places=True,
    ),
    "skus": Kind(
        "SKUs",
        SKUS,
        1,
        ADMIN,
        previewing.plan_skus,
        lambda work, sheet, _: importing.import_skus(work, sheet),
    ),
    "recipes": Kind(
        "Recipes of kits",
        RECIPES,
        3,
        ADMIN,
        bundling.plan_recipes,
        lambda work, sheet, _: bundling.import_recipes(work, sheet),
    ),
    "listings": Kind(
        "Listings",
        LISTINGS,
        3,
        ADMIN,
        previewing.plan_listings,
        lambda work, sheet, _: importing.import_listings(work, sheet),
    ),
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as somebody chose it."""

    name: str
    content: bytes
    location: str = ""
    """Where, for lines that name no location."""


def bring(engine: Engine, kind: str, file: File, *, actor: str, now: Instant) -> int:
    """Read a file and keep it to be looked at; return its id.

    Raises BadConfiguration for a file that cannot be read at all.
    """
    what = KINDS[kind]
    sheet = read_sheet(file.content, what.columns, what.columns[: what.needed])
    previewing.check_file(sheet, MOST_ROWS)
    with writing(engine) as connection:
        if what.has_places:
            previewing.name_places(connection, sheet, file.location)
            sheet.rows = previewing.with_seen(connection, sheet, now)
        digest = sha256(file.content).hexdigest()
        rows = [(row.line, dict(row.values)) for row in sheet.rows]
        brought = Brought(kind, file.name, digest, sheet.source, rows, sheet.problems)
        return store.put(connection, brought, actor, now)


def plan(connection: Connection, row: RowMapping, now: Instant) -> Plan:
    """What letting a file in would change now."""
    found = KINDS[row["kind"]].plan(connection, sheet_of(row), now)
    found.problems.sort()
    return found


def sheet_of(row: RowMapping) -> Sheet:
    """A file that was kept, as it was read."""
    rows = [Row(line, values) for line, values in json.loads(row["rows"])]
    problems = [Problem(line, words) for line, words in json.loads(row["problems"])]
    return Sheet(rows, problems, row["source"])


def let_in(
    engine: Engine, row: RowMapping, *, actor: str, now: Instant, wakes: Waker
) -> Imported:
    """Change what a file says; pressed twice, or once more after a crash, it happens
    once."""
    kind, sheet = KINDS[row["kind"]], sheet_of(row)
    with writing(engine) as connection:
        before = undoing.before(connection, row["kind"], sheet, now)
        began = store.begin(connection, row["id"], now, before)
    imported = kind.load(Work(engine, wakes, began, actor=actor), sheet, row["id"])
    result: dict[str, Any] = {
        "loaded": imported.loaded - imported.unchanged,
        "unchanged": imported.unchanged,
        "problems": imported.problems,
    }
    with writing(engine) as connection:
        store.finish(connection, row["id"], result)
    return imported


def undo(
    engine: Engine, row: RowMapping, *, actor: str, now: Instant, wakes: Waker
) -> bool:
    """Take back what a file changed, all of it or nothing; False when it was before.

    Raises NotReversible and IntegrityError where some of it has moved on since.
    """
    told = undoing.Told(row["kind"], sheet_of(row), row["id"], row["applied_at"])
    with applying(engine) as connection:
        if not store.undo(connection, row["id"], now):
            return False
        before = json.loads(row["before"])
        woken = undoing.undo(connection, told, before, actor=actor, now=now)
    wake_all(wakes, woken)
    return True

"""Spreadsheets on the dashboard: what they may hold; brought, and looked at.

A file is kept as it was read, with the numbers its reader was shown, so that what is
let in (by `letting`) is what was looked at; a number that changed meanwhile keeps its
line out.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.instants import Instant
from app.pipeline.spreadsheets import (
    adjusting,
    bundling,
    counting,
    importing,
    previewing,
)
from app.pipeline.spreadsheets.adjusting import ADJUSTMENTS
from app.pipeline.spreadsheets.bundling import RECIPES
from app.pipeline.spreadsheets.importing import LISTINGS, Imported, Work
from app.pipeline.spreadsheets.previewing import Plan
from app.pipeline.spreadsheets.sheet import (
    COUNTS,
    SKUS,
    Problem,
    Row,
    Sheet,
    read_sheet,
)
from app.store.engine import writing
from app.store.people import sheets as store
from app.store.people.people import ADMIN, OPERATOR
from app.store.people.sheets import Brought

MOST_ROWS: Final = 10_000
"""On a page; the command line takes as many as there are."""
MOST_WHOLE: Final = 1_000
"""Of what can only be let in whole."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a spreadsheet may hold."""

    columns: tuple[str, ...]
    needed: int
    """How many of the columns, from the first, have to be there."""
    role: str
    plan: Callable[[Connection, Sheet, Instant], Plan]
    load: Callable[[Work, Sheet, Sequence[Any], int], Imported]
    """Of some rows, with the facts of the whole file."""
    facts: Callable[[Sheet, Instant], Sequence[Any]] = lambda _sheet, _at: ()
    """What all rows say; adds what is wrong to the sheet's problems."""
    has_places: bool = False
    is_whole: bool = False
    """Its rows belong together: they are let in and undone at once."""

    @property
    def most(self) -> int:
        """Rows that are taken on a page."""
        return MOST_WHOLE if self.is_whole else MOST_ROWS


KINDS: Final = {
    "counts": Kind(
        COUNTS,
        3,
        OPERATOR,
        previewing.plan_counts,
        lambda work, sheet, facts, _: counting.import_counts(work, sheet, facts),
        counting.read_counts,
        has_places=True,
    ),
    "adjustments": Kind(
        ADJUSTMENTS,
        4,
        OPERATOR,
        previewing.plan_adjustments,
        lambda work, sheet, facts, sheet_id: adjusting.import_adjustments(
            work, sheet, facts, str(sheet_id)
        ),
        lambda sheet, _: adjusting.read_adjustments(sheet),
        has_places=True,
    ),
    "skus": Kind(
        SKUS,
        1,
        ADMIN,
        previewing.plan_skus,
        lambda work, sheet, *_: importing.import_skus(work, sheet),
    ),
    "recipes": Kind(
        RECIPES,
        3,
        ADMIN,
        bundling.plan_recipes,
        lambda work, sheet, *_: bundling.import_recipes(work, sheet),
        is_whole=True,
    ),
    "listings": Kind(
        LISTINGS,
        3,
        ADMIN,
        previewing.plan_listings,
        lambda work, sheet, *_: importing.import_listings(work, sheet),
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
    previewing.check_file(sheet, what.most)
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

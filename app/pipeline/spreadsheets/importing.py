"""Importing SKUs and listings from spreadsheets, a hundred lines at a time.

A bad line is told with its number and the rest still loads; see `sheet` for reading
them, `counting` for counts and `bundling` for recipes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError

from app.domain.errors import BadConfiguration, HubError
from app.domain.instants import Instant
from app.pipeline.acts.facts import Waker, wake_all
from app.pipeline.configuring.listings import (
    add_sku,
    lanes,
    publish_listings,
    save_listing,
)
from app.pipeline.configuring.parked import unpark
from app.pipeline.configuring.toml import id_problem
from app.pipeline.house import read_house
from app.pipeline.spreadsheets.sheet import SKUS, Problem, Row, Sheet
from app.store.engine import applying

LINES_A_TRANSACTION = 100

LISTINGS = ("channel", "sku", "external_id", "external_parent_id")

T = TypeVar("T")
Step = Callable[[int], None]
"""Hears how many more lines are done."""


@dataclass(slots=True)
class Imported:
    """What became of a file."""

    loaded: int = 0
    unchanged: int = 0
    """Lines that said what was known already; they are among the loaded."""
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """What an import works with."""

    engine: Engine
    wakes: Waker
    now: Instant
    step: Step = lambda _: None
    actor: str = "file"
    """Who is named for it in the ledger."""


@dataclass(slots=True)
class Written:
    """What one transaction brought."""

    woken: set[str] = field(default_factory=set)
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


def import_skus(work: Work, sheet: Sheet) -> Imported:
    """Insert SKUs, or change the name and barcode of known ones."""

    def write(connection: Connection, rows: Sequence[Row]) -> Written:
        written = Written()
        for row in rows:
            sku, name, barcode = (row.values[column] for column in SKUS)
            if not sku:
                written.problems.append(Problem(row.line, "sku is blank"))
                continue
            add_sku(connection, sku, name, barcode or None)
        return written

    imported = in_transactions(work, sheet, write)
    _apply_what_waited(work)
    return imported


def import_listings(work: Work, sheet: Sheet) -> Imported:
    """Say which item of a channel is which SKU."""

    def write(connection: Connection, rows: Sequence[Row]) -> Written:
        written, ids = Written(), []
        for row in rows:
            try:
                ids.append(_listing(connection, row))
            except HubError as error:
                written.problems.append(Problem(row.line, str(error)))
        house = read_house(connection)
        woken = publish_listings(connection, house, work.now, ids)
        written.woken = lanes(house, woken)
        return written

    imported = in_transactions(work, sheet, write)
    _apply_what_waited(work)
    return imported


def check_listing(row: Row) -> None:
    """Raise BadConfiguration for a line that names no item of a channel."""
    for name in LISTINGS[:3]:
        if not row.values[name]:
            raise BadConfiguration(f"{name} is blank")
    for problem in (id_problem(row.values[name]) for name in LISTINGS[2:]):
        if problem:
            raise BadConfiguration(problem)


def _listing(connection: Connection, row: Row) -> int:
    check_listing(row)
    channel, sku, external_id, parent = (row.values[name] for name in LISTINGS)
    saved = save_listing(connection, channel, sku, external_id, parent or None)
    return int(saved["id"])


def _apply_what_waited(work: Work) -> None:
    """What was parked for a name that is known now applies by itself."""
    with applying(work.engine) as connection:
        house = read_house(connection)
        woken = lanes(house, unpark(connection, house, work.now))
    wake_all(work.wakes, woken)


def in_transactions(
    work: Work,
    sheet: Sheet,
    write: Callable[[Connection, Sequence[Row]], Written],
) -> Imported:
    """Write all lines; where some spoil their transaction, line by line."""
    imported = Imported(problems=list(sheet.problems))
    for rows in portions(sheet.rows, LINES_A_TRANSACTION):
        try:
            _one_transaction(work, imported, rows, write)
        except (HubError, IntegrityError, DataError):
            for row in rows:
                _alone(work, imported, row, write)
        work.step(len(rows))
    imported.problems.sort()
    return imported


def _one_transaction(
    work: Work,
    imported: Imported,
    rows: Sequence[Row],
    write: Callable[[Connection, Sequence[Row]], Written],
) -> None:
    with applying(work.engine) as connection:
        written = write(connection, rows)
    wake_all(work.wakes, written.woken)
    imported.loaded += len(rows) - len(written.problems)
    imported.unchanged += written.unchanged
    imported.problems += written.problems


def _alone(
    work: Work,
    imported: Imported,
    row: Row,
    write: Callable[[Connection, Sequence[Row]], Written],
) -> None:
    try:
        _one_transaction(work, imported, [row], write)
    except HubError as error:
        imported.problems.append(Problem(row.line, str(error)))
    except (IntegrityError, DataError) as error:
        words = str(error.orig).splitlines()[0]
        imported.problems.append(Problem(row.line, f"the database refuses it: {words}"))


def portions(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces."""
    return (rows[at : at + size] for at in range(0, len(rows), size))

"""`onecount import WHAT FILE`: what there is, from a spreadsheet."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.engine import Connection

from app.cli import ACTOR, database
from app.domain.errors import BadConfiguration
from app.domain.instants import Instant, now
from app.pipeline.spreadsheets import (
    adjusting,
    bundling,
    counting,
    importing,
    previewing,
)
from app.pipeline.spreadsheets.counting import Change
from app.pipeline.spreadsheets.importing import Imported, Work
from app.pipeline.spreadsheets.previewing import Plan
from app.pipeline.spreadsheets.sheet import COUNTS, SKUS, Problem, Sheet, read_sheet
from app.queues import Wakes
from app.store.engine import writing
from app.store.people import deeds
from config.settings import Settings

SHOWN_FROM_LINES = 500
"""Shorter files are done before a bar could be read."""

sheet_file = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
)
dry_run = click.option(
    "--dry-run", is_flag=True, help="Show what each line would change; change nothing."
)
at_location = click.option(
    "--location", default="", help="Where, for lines that name no location."
)
large = click.option(
    "--yes", is_flag=True, help="Also when much of what was counted changes."
)


@click.group()
def command() -> None:
    """Take SKUs, recipes, listings, counts or adjustments from a spreadsheet.

    CSV in UTF-8 or an Excel workbook (.xlsx); the first line names the columns. A bad
    line is named with its number, and the rest still loads; the exit status is 0 only
    when every line was good. Inventory files of Shopify, Square and WooCommerce are
    known by their columns.
    """


@command.command()
@sheet_file
@dry_run
@click.pass_obj
def skus(settings: Settings, file: Path, dry_run: bool) -> None:
    """Take SKUs: columns sku, name, barcode."""
    sheet = _read(file, SKUS, SKUS[:1])
    if dry_run:
        return _show(settings, sheet, previewing.plan_skus)
    with _work(settings, sheet) as work:
        imported = importing.import_skus(work, sheet)
        _note(work, "skus", file, imported)
    return _report(imported, "SKUs")


@command.command()
@sheet_file
@dry_run
@click.pass_obj
def recipes(settings: Settings, file: Path, dry_run: bool) -> None:
    """Take what kits are made of: columns kit, component, quantity.

    All lines of a kit together are its recipe, from now on; a kit that nobody knew is
    made. A pack of six has one component, six times.
    """
    sheet = _read(file, bundling.RECIPES, bundling.RECIPES)
    if dry_run:
        return _show(settings, sheet, bundling.plan_recipes)
    with _work(settings, sheet) as work:
        imported = bundling.import_recipes(work, sheet)
        _note(work, "recipes", file, imported)
    return _report(imported, "kits")


@command.command()
@sheet_file
@dry_run
@click.pass_obj
def listings(settings: Settings, file: Path, dry_run: bool) -> None:
    """Take listings: columns channel, sku, external_id, external_parent_id."""
    sheet = _read(file, importing.LISTINGS, importing.LISTINGS[:3])
    if dry_run:
        return _show(settings, sheet, previewing.plan_listings)
    with _work(settings, sheet) as work:
        imported = importing.import_listings(work, sheet)
        _note(work, "listings", file, imported)
    return _report(imported, "listings")


@command.command()
@sheet_file
@dry_run
@at_location
@large
@click.pass_obj
def counts(
    settings: Settings, file: Path, dry_run: bool, location: str, yes: bool
) -> None:
    """Take counts: columns sku, location, quantity, counted_at, was.

    An empty counted_at means now; a blank quantity is refused. A line whose `was` is no
    longer true is named and changes nothing. A file that would change more than 30 % of
    the SKUs counted so far needs --yes.
    """
    sheet = _read(file, COUNTS, COUNTS[:3])
    with _work(settings, sheet) as work:
        with work.engine.connect() as connection:
            previewing.name_places(connection, sheet, location)
            if dry_run:
                return _tell(previewing.plan_counts(connection, sheet, work.now))
            read = counting.read_counts(sheet, work.now)
            if not yes:
                _ask(counting.change_of(connection, read))
        imported = counting.import_counts(work, sheet, read)
        _note(work, "counts", file, imported)
    return _report(imported, "counts")


@command.command()
@sheet_file
@dry_run
@at_location
@click.pass_obj
def adjustments(settings: Settings, file: Path, dry_run: bool, location: str) -> None:
    """Take adjustments: columns sku, location, change, reason, to, was.

    A line without a change is left out. The same file loaded twice happened once.
    """
    sheet = _read(file, adjusting.ADJUSTMENTS, adjusting.ADJUSTMENTS[:4])
    with _work(settings, sheet) as work:
        with work.engine.connect() as connection:
            previewing.name_places(connection, sheet, location)
            if dry_run:
                return _tell(previewing.plan_adjustments(connection, sheet, work.now))
        told = adjusting.read_adjustments(sheet)
        name = sha256(file.read_bytes()).hexdigest()[:16]
        imported = adjusting.import_adjustments(work, sheet, told, name)
        _note(work, "adjustments", file, imported)
    return _report(imported, "adjustments")


def _show(
    settings: Settings,
    sheet: Sheet,
    plan: Callable[[Connection, Sheet, Instant], Plan],
) -> None:
    with _work(settings, sheet) as work, work.engine.connect() as connection:
        _tell(plan(connection, sheet, work.now))


def _tell(plan: Plan) -> None:
    for line, subject, what, before, after in plan.changes:
        was = "nothing" if before in (None, "") else before
        click.echo(f"line {line}: {subject}, {what}: {was} -> {after}")
    click.echo(
        f"{len(plan.changes)} changes, {plan.unchanged} lines change nothing. "
        "This was a dry run."
    )
    _name(sorted(plan.problems), "would be left out")


def _ask(change: Change) -> None:
    if change.is_large:
        percent = round(100 * change.changed / change.counted)
        raise click.ClickException(
            f"this file would change {change.changed} of the {change.counted} SKUs "
            f"counted so far ({percent} %), {change.zeroed} of them to 0. Nothing was "
            "loaded; if that is right, load it again with --yes."
        )


def _read(file: Path, columns: tuple[str, ...], required: tuple[str, ...]) -> Sheet:
    try:
        sheet = read_sheet(file.read_bytes(), columns, required)
    except BadConfiguration as error:
        words = str(error)
        joint = ", " if words.startswith("line") else " "
        raise click.ClickException(f"{file.name}{joint}{words}") from error
    if sheet.source:
        click.echo(f"{file.name} is {sheet.source}.")
    return sheet


@contextmanager
def _work(settings: Settings, sheet: Sheet) -> Iterator[Work]:
    engine = database(settings)
    console = Console(stderr=True)
    is_hidden = len(sheet.rows) < SHOWN_FROM_LINES or not console.is_terminal
    with Progress(console=console, disable=is_hidden, transient=True) as progress:
        task = progress.add_task("Loading", total=len(sheet.rows))
        yield Work(
            engine,
            Wakes(settings.redis_url),
            now(),
            lambda lines: progress.advance(task, lines),
        )


def _note(work: Work, kind: str, file: Path, imported: Imported) -> None:
    lines = imported.loaded - imported.unchanged
    told = {"lines": lines, "left out": len(imported.problems)}
    with writing(work.engine) as connection:
        deeds.note(connection, ACTOR, f"let in {kind}", file.name, now(), told)


def _report(imported: Imported, what: str) -> None:
    known = f" ({imported.unchanged} known already)" if imported.unchanged else ""
    click.echo(f"{imported.loaded} {what} loaded{known}.")
    _name(imported.problems, "were left out")


def _name(problems: Sequence[Problem], became: str) -> None:
    for problem in problems:
        click.echo(f"line {problem.line}: {problem.words}", err=True)
    if problems:
        click.echo(f"{len(problems)} bad lines {became}.", err=True)
        sys.exit(1)

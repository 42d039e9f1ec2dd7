"""`onecount import skus|recipes|listings|counts FILE.csv`: what there is, from a spreadsheet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from app.domain.errors import BadConfiguration
from app.domain.instants import now
from app.pipeline import counting, importing
from app.pipeline.counting import Change
from app.pipeline.importing import Imported, Work
from app.pipeline.sheet import Sheet, read_sheet
from app.queues import Wakes
from app.store.engine import open_engine
from config.settings import Settings

SHOWN_FROM_LINES = 500
"""Shorter files are done before a bar could be read."""

csv_file = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
)


@click.group()
def command() -> None:
    """Take SKUs, recipes, listings or counts from a CSV file in UTF-8.

    The first line names the columns. A bad line is named with its number, and the
    rest still loads; the exit status is 0 only when every line was good.
    """


@command.command()
@csv_file
@click.pass_obj
def skus(settings: Settings, file: Path) -> None:
    """Take SKUs: columns sku, name, barcode."""
    sheet = _read(file, importing.SKUS, importing.SKUS[:1])
    with _work(settings, sheet) as work:
        imported = importing.import_skus(work, sheet)
    _report(imported, "SKUs")


@command.command()
@csv_file
@click.pass_obj
def recipes(settings: Settings, file: Path) -> None:
    """Take what kits are made of: columns kit, component, quantity.

    All lines of a kit together are its recipe, from now on; a kit that nobody knew is
    made. A pack of six has one component, six times.
    """
    sheet = _read(file, importing.RECIPES, importing.RECIPES)
    with _work(settings, sheet) as work:
        imported = importing.import_recipes(work, sheet)
    _report(imported, "kits")


@command.command()
@csv_file
@click.pass_obj
def listings(settings: Settings, file: Path) -> None:
    """Take listings: columns channel, sku, external_id, external_parent_id."""
    sheet = _read(file, importing.LISTINGS, importing.LISTINGS[:3])
    with _work(settings, sheet) as work:
        imported = importing.import_listings(work, sheet)
    _report(imported, "listings")


@command.command()
@csv_file
@click.option("--yes", is_flag=True, help="Also when much of what was counted changes.")
@click.pass_obj
def counts(settings: Settings, file: Path, yes: bool) -> None:
    """Take counts: columns sku, location, quantity, counted_at.

    An empty counted_at means now; a blank quantity is refused. A file that would
    change more than 30 % of the SKUs counted so far needs --yes.
    """
    sheet = _read(file, counting.COUNTS, counting.COUNTS[:3])
    with _work(settings, sheet) as work:
        read = counting.read_counts(sheet, work.now)
        if not yes:
            with work.engine.connect() as connection:
                _ask(counting.change_of(connection, read))
        imported = counting.import_counts(work, sheet, read)
    _report(imported, "counts")


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
        return read_sheet(file.read_bytes(), columns, required)
    except BadConfiguration as error:
        words = str(error)
        joint = ", " if words.startswith("line") else " "
        raise click.ClickException(f"{file.name}{joint}{words}") from error


@contextmanager
def _work(settings: Settings, sheet: Sheet) -> Iterator[Work]:
    engine = open_engine(settings.database_url)
    console = Console(stderr=True)
    is_hidden = len(sheet.rows) < SHOWN_FROM_LINES or not console.is_terminal
    try:
        with Progress(console=console, disable=is_hidden, transient=True) as progress:
            task = progress.add_task("Loading", total=len(sheet.rows))
            yield Work(
                engine,
                Wakes(settings.redis_url),
                now(),
                lambda lines: progress.advance(task, lines),
            )
    finally:
        engine.dispose()


def _report(imported: Imported, what: str) -> None:
    for problem in imported.problems:
        click.echo(f"line {problem.line}: {problem.words}", err=True)
    known = f" ({imported.unchanged} known already)" if imported.unchanged else ""
    click.echo(f"{imported.loaded} {what} loaded{known}.")
    if imported.problems:
        click.echo(f"{len(imported.problems)} bad lines were left out.", err=True)
        sys.exit(1)

"""`onecount export WHAT [FILE]`: what is known here, as a spreadsheet."""

import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import click

from app.cli import NewFile, database
from app.domain import instants
from app.pipeline.spreadsheets.exporting import EXPORTS, write_file
from app.pipeline.spreadsheets.sheet import write_sheet
from app.store.engine import snapshot
from app.store.stock.balances import When
from config.settings import Settings


def _instant(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    try:
        return None if given is None else instants.parse(given)
    except (ValueError, OverflowError) as error:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        raise click.BadParameter(f"not a time with its zone, like {now}") from error


@click.command()
@click.argument("what", type=click.Choice(list(EXPORTS)))
@click.argument("file", type=NewFile(), required=False)
@click.option("--at", callback=_instant, help="As it was at this time.")
@click.pass_obj
def command(settings: Settings, what: str, file: Path | None, at: int | None) -> None:
    """Write what is known as CSV, to a file or out; as a workbook to a file .xlsx.

    What `import` takes can be imported again: counts say what is there, at that time;
    adjustments are a form to fill in.
    """
    export, engine = EXPORTS[what], database(settings)
    with snapshot(engine) as connection:
        when = When(instants.now(), at)
        if file is None:
            lines = export.lines(connection, when)
            write_sheet(sys.stdout, export.columns, lines)
            return
        ending = "xlsx" if file.suffix.lower() == ".xlsx" else "csv"
        with TemporaryFile() as whole:
            count = write_file(whole, export, connection, when, ending)
            whole.seek(0)
            _put(whole, file)
    click.echo(f"{count} lines written to {file}.")


def _put(whole: IO[bytes], file: Path) -> None:
    """Half a file never takes the place of the one that was there, where a draft can be
    written beside it."""
    kept = file.resolve()
    if (file.exists() and not file.is_file()) or not os.access(kept.parent, os.W_OK):
        with file.open("wb") as out:
            shutil.copyfileobj(whole, out)
        return
    draft = kept.with_name(f".{kept.name}.draft")
    try:
        with draft.open("wb") as out:
            shutil.copyfileobj(whole, out)
        if kept.exists():
            shutil.copymode(kept, draft)
        draft.replace(kept)
    finally:
        draft.unlink(missing_ok=True)

"""`onecount audit`: does everything that says how much there is say the same?"""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import sqlalchemy as sa
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.engine import Connection

from app.cli import database
from app.domain.instants import now
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.proving.sealing import newest
from app.store.engine import snapshot
from app.store.tables import locations, skus
from config.settings import Settings


@click.command()
@click.option("--quick", is_flag=True, help="Do not tell all stock events again.")
@click.option("--seed", type=int, help="The order they are told in, to repeat one.")
@click.pass_obj
def command(settings: Settings, quick: bool, seed: int | None) -> None:
    """Check levels, holds, the ledger and its seals against each other.

    Then tell all stock events again, in another order and some of them twice, into an
    empty database: it must come to the same levels, and know the same of every order
    line and other fact, by which the next event is judged. Exit 1 when anything differs.

    What was quarantined is not told again: which of two contradicting reports stands
    was settled when they came. And the rules are today's: after a change of
    `ships_from`, `authority` or a custodian, lines that were judged before may differ;
    `onecount rebuild` judges them anew.
    """
    seed = random.randrange(10**6) if seed is None else seed
    with snapshot(database(settings)) as connection:
        found = differences(connection)
        if not quick:
            with shown() as progress:
                again = list(rehearse(connection, now(), seed, progress))
            if again:
                again.append(f"(told in the order of --seed {seed})")
            found += again
        _tell(connection, found)


@contextmanager
def shown() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, if that is a terminal."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("telling all stock events again")
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _tell(connection: Connection, found: list[str]) -> None:
    for sentence in found:
        click.echo(sentence, err=True)
    if found:
        ending = "" if len(found) == 1 else "s"
        click.echo(f"{len(found)} difference{ending}.", err=True)
        sys.exit(1)
    units = connection.execute(sa.select(sa.func.count(skus.c.id))).scalar_one()
    places = connection.execute(
        sa.select(sa.func.count(locations.c.id)).where(
            locations.c.unassigned_of.is_(None)
        )
    ).scalar_one()
    click.echo(f"{units} SKUs at {places} locations: right.")
    seal = newest(connection)
    if seal is not None:
        click.echo(f"The ledger is {seal}")

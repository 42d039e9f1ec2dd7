"""`onecount rebuild`: levels, lines and checkpoints anew from all stock events."""

import sys

import click

from app.cli import database
from app.commands.audit import shown
from app.domain.instants import now
from app.pipeline.repairing.rebuilding import Rebuilt, rebuild
from app.queues import Wakes
from config.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Make levels, order lines and counts anew from all stock events.

    For when `audit` finds a difference, or after a change of `ships_from`, `authority`
    or a custodian. Stop the workers first: it refuses to run while somebody applies,
    and on SQLite nothing can be written meanwhile. The ledger's entries stay as they
    are; where the events call for other levels, entries of the kind `rebuilt` are
    added, and what they change is published. Exit 0 only when everything agrees.
    """
    engine = database(settings)
    with shown() as progress:
        rebuilt = rebuild(engine, now(), progress)
    wakes = Wakes(settings.redis_url)
    for lane in sorted(rebuilt.lanes):
        wakes.wake(lane)
    _report(rebuilt)


def _report(rebuilt: Rebuilt) -> None:
    for title, sentences in (
        ("Before", rebuilt.before),
        ("Changed", [*rebuilt.levels, *rebuilt.cases]),
        ("Still so", rebuilt.after),
    ):
        for sentence in sentences:
            click.echo(f"{title}: {sentence}", err=title == "Still so")
    click.echo(
        f"{rebuilt.events} stock events told again: {len(rebuilt.levels)} numbers "
        f"changed, {rebuilt.entries} ledger entries added, {rebuilt.wanted} "
        "publications wanted."
    )
    if rebuilt.after:
        click.echo("That is nothing that stock events could mend.", err=True)
        sys.exit(1)

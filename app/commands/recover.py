"""`onecount recover --since T`: after a restore, find out what happened since."""

import click
from rich.console import Console
from rich.progress import Progress

from app.cli import ACTOR, database
from app.domain.instants import Instant, iso, now
from app.moments import Moment
from app.pipeline.repairing.recovering import Recovered, recover
from app.queues import Wakes
from config.settings import Settings


@click.command()
@click.option(
    "--since",
    type=Moment(),
    required=True,
    help="What the database still knows ends here, like 2026-11-23T10:00:00Z.",
)
@click.pass_obj
def command(settings: Settings, since: Instant) -> None:
    """Make up for what is missing after the database was restored from a backup.

    Every number that a channel took is unsure: it is read back or sent again. Every
    channel that can be asked is asked for all that changed since then, and publishes
    once that is in the ledger. Give the time of the backup, or one before it.
    """
    moment = now()
    if since > moment:
        raise click.BadParameter("that is not over yet", param_hint="--since")
    engine = database(settings)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("numbers", total=None)
        found = recover(
            *(engine, since, ACTOR, moment),
            progress=lambda done: bar.update(task, completed=done),
        )
    wakes = Wakes(settings.redis_url)
    for lane in sorted(found.lanes):
        wakes.wake(lane)
    _report(found, since)


def _report(found: Recovered, since: Instant) -> None:
    numbers = f"{found.numbers} number{'' if found.numbers == 1 else 's'}"
    click.echo(f"{numbers} that channels took: read back, or sent again.")
    if found.polled:
        click.echo(
            f"Asked for all that changed since {iso(since)}: {', '.join(found.polled)}. "
            "They publish once it is in the ledger."
        )
    if found.unpolled:
        click.echo(
            f"Cannot be asked: {', '.join(found.unpolled)}. Let them send anew what "
            f"they sent since {iso(since)}; what is known already changes nothing."
        )

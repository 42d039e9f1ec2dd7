"""`onecount replay`: stored messages are read again."""

from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from app.cli import ACTOR, database
from app.domain.instants import now
from app.moments import Moment
from app.pipeline.repairing.replaying import replay
from app.queues import Wakes
from app.store.configuration import channels
from app.store.engine import writing
from app.store.people import deeds
from config.settings import Settings

STATES = ("buried", "parked", "applied", "ignored")


@click.command()
@click.option("--channel", metavar="KEY", help="Only what this channel sent.")
@click.option("--since", type=Moment(), help="Only what came in then or later.")
@click.option("--until", type=Moment(), help="Only what came in then or before.")
@click.option("--sku", help="Only what told of this SKU.")
@click.option("--order", help="Only what told of this order, by its id or number.")
@click.option("--state", type=click.Choice(STATES), help="Only what ended like this.")
@click.pass_obj
def command(settings: Settings, /, **given: Any) -> None:
    """Read stored messages again: those that all options fit, or every one.

    For messages that were buried, once they can be understood. What was applied
    already changes nothing. Messages that were buried told of no SKU and no order.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    engine = database(settings)
    with writing(engine) as connection:
        if "channel" in wanted:
            channels.row(connection, wanted["channel"])
        deeds.note(connection, ACTOR, "replay", "inbox", now(), wanted)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("messages", total=None)
        matched = replay(
            engine,
            filter=wanted,
            progress=lambda done: bar.update(task, completed=done),
        )
    Wakes(settings.redis_url).wake("inbound")
    click.echo(f"{matched} message{'' if matched == 1 else 's'} will be read again.")

"""`onecount token …`: what programs come in with."""

import click

from app.cli import ACTOR, database
from app.domain.instants import now
from app.store.engine import writing
from app.store.people import deeds, people
from config.settings import Settings


@click.group()
def command() -> None:
    """Tokens for the API."""


@command.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(people.ROLES),
    required=True,
    help="viewer reads, operator also writes stock, admin may do everything.",
)
@click.pass_obj
def create(settings: Settings, name: str, role: str) -> None:
    """Make a token and print it, alone and for the only time."""
    engine = database(settings)
    with writing(engine) as connection:
        token = people.create_token(connection, name, role)
        deeds.note(connection, ACTOR, "make token", name, now(), {"role": role})
    click.echo(token)

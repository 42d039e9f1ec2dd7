"""`onecount user …`: people who may open the dashboard."""

import click

from app.cli import ACTOR, database
from app.domain.instants import now
from app.store.engine import writing
from app.store.people import deeds, people
from config.settings import Settings


@click.group()
def command() -> None:
    """Logins for the dashboard."""


@command.command()
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice(people.ROLES),
    default=people.ADMIN,
    show_default=True,
    help="viewer looks, operator also acts, admin may do everything.",
)
@click.password_option(help="Asked for when left out.")
@click.pass_obj
def create(settings: Settings, email: str, role: str, password: str) -> None:
    """Let a person log in to the dashboard."""
    engine = database(settings)
    with writing(engine) as connection:
        people.create_user(connection, email, password, role)
        deeds.note(connection, ACTOR, "add person", email, now(), {"role": role})
    click.echo(f"{email} can log in now, as {role}.")

"""`onecount migrate`: bring the database up to date, as each release's first step."""

import click

from app.prepare import prepare
from config.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Bring the database's schema up to date.

    Also makes the first login when ONECOUNT_ADMIN_EMAIL and ONECOUNT_ADMIN_PASSWORD
    are set and nobody can log in yet.
    """
    login = prepare(settings, invent_login=False)
    click.echo("The database is up to date.")
    if login is not None:
        click.echo(f"{login.email} can log in now.")

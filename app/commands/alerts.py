"""onecount alerts test: whether people would hear of trouble."""

import click

from app.messenger import Messenger
from config.settings import Settings


@click.group()
def command() -> None:
    """Who is told when something is wrong."""


@command.command()
@click.pass_obj
def test(settings: Settings) -> None:
    """Send a word to every address in ONECOUNT_ALERTS."""
    if not settings.alerts:
        raise click.ClickException(
            "ONECOUNT_ALERTS is empty: give one or several addresses, such as "
            "slack://… or mailto://… (https://appriseit.com/services/)"
        )
    failed = []
    for number, url in enumerate(settings.alerts, 1):
        try:
            heard = Messenger([url]).tell("Onecount", "This is a test: all is well.")
        except ValueError:
            heard = False
        click.echo(
            f"address {number} ({url.partition(':')[0]}): "
            f"{'told' if heard else 'could not be told'}"
        )
        failed += [] if heard else [number]
    if failed:
        raise click.ClickException("not everybody heard; see the lines above")

"""`onecount rekey`: the last step of putting another secret key in place."""

import click

from app.cli import ACTOR, database
from app.domain.instants import now
from app.pipeline.repairing.resealing import forget, reseal
from app.store.engine import writing
from app.store.people import deeds
from app.store.vault import Vault
from config.settings import Settings


@click.command()
@click.option(
    "--forget",
    "is_lost",
    is_flag=True,
    help="The former key is lost: let go of the secrets that no key opens. Their "
    "channels are paused until new ones are loaded, and who had a second factor logs "
    "in with the password alone.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(settings: Settings, is_lost: bool, yes: bool) -> None:
    """Seal everything with ONECOUNT_SECRET_KEY that a former key sealed.

    Before it every process has to run with both: the new key in ONECOUNT_SECRET_KEY, the
    former in ONECOUNT_SECRET_KEY_PREVIOUS. After it the former can be forgotten; who
    logged in under it logs in again.
    """
    if is_lost and not yes:
        click.confirm(
            "Is the former key lost? No later one opens them again", abort=True
        )
    engine, vault, moment = database(settings), Vault(settings.secret_keys), now()
    found = forget(engine, vault, moment) if is_lost else reseal(engine, vault)
    action = "forget secrets" if is_lost else "rekey"
    with writing(engine) as connection:
        deeds.note(connection, ACTOR, action, "secret key", moment, found)
    told = ", ".join(f"{count} {what}" for what, count in found.items())
    if is_lost:
        click.echo(f"Forgotten, because no key opens them: {told}.")
        click.echo(
            "Load the channels' secrets anew (`onecount load`), then resume them."
        )
        return
    click.echo(f"Sealed with ONECOUNT_SECRET_KEY: {told}.")
    click.echo(
        "Take the former keys out of ONECOUNT_SECRET_KEY_PREVIOUS and start everything "
        "again."
    )

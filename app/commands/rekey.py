"""`onecount rekey`: the last step of putting another secret key in place."""

import click

from app.cli import ACTOR, database
from app.domain.instants import now
from app.pipeline.repairing.resealing import reseal
from app.store.engine import writing
from app.store.people import deeds
from app.store.vault import Vault
from config.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Seal everything with ONECOUNT_SECRET_KEY that a former key sealed.

    Before it every process has to run with both: the new key in ONECOUNT_SECRET_KEY, the
    former in ONECOUNT_SECRET_KEY_PREVIOUS. After it the former can be forgotten; who
    logged in under it logs in again.
    """
    engine = database(settings)
    found = reseal(engine, Vault(settings.secret_keys))
    with writing(engine) as connection:
        deeds.note(connection, ACTOR, "rekey", "secret key", now(), found)
    told = ", ".join(f"{count} {what}" for what, count in found.items())
    click.echo(f"Sealed with ONECOUNT_SECRET_KEY: {told}.")
    click.echo(
        "Take the former keys out of ONECOUNT_SECRET_KEY_PREVIOUS and start everything "
        "again."
    )

"""`onecount load FILE.toml`: locations and channels as a file says."""

from pathlib import Path

import click

from app.cli import ACTOR, ENVIRON, database
from app.domain.errors import BadConfiguration
from app.domain.instants import now
from app.pipeline.configuring.loading import Loaded, load_in
from app.pipeline.configuring.wanted import Surroundings
from app.queues import Wakes
from app.store.engine import applying
from app.store.people import deeds
from app.store.vault import Vault
from config.settings import Settings


@click.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
)
@click.pass_obj
@click.pass_context
def command(ctx: click.Context, settings: Settings, file: Path) -> None:
    """Take locations and channels from a TOML file.

    Repeatable: what the file names becomes as the file says, all else stays. Nothing
    is changed when anything in it is wrong. Running processes follow within seconds.
    """
    around = Surroundings(ctx.meta[ENVIRON], file.resolve().parent)
    engine = database(settings)
    vault = Vault(settings.secret_keys)
    try:
        text, moment = file.read_bytes(), now()
        with applying(engine) as connection:
            loaded = load_in(connection, vault, text, around, moment)
            deeds.note(connection, ACTOR, "load", file.name, moment, _noted(loaded))
    except BadConfiguration as error:
        problems = str(error).replace("\n", "\n  ")
        raise click.ClickException(
            f"{file.name} is not loaded, nothing was changed:\n  {problems}"
        ) from error
    finally:
        engine.dispose()
    wakes = Wakes(settings.redis_url)
    for lane in sorted(loaded.lanes):
        wakes.wake(lane)
    _report(loaded)


def _report(loaded: Loaded) -> None:
    for words, names in (
        ("Locations", loaded.locations),
        ("New channels", loaded.added),
        ("Changed channels", loaded.changed),
        ("Unchanged channels", loaded.unchanged),
    ):
        if names:
            click.echo(f"{words}: {', '.join(names)}")
    for key, reason in loaded.paused.items():
        click.echo(
            f"{key} is still paused ({reason}); `onecount channels resume {key}` "
            "lets it go on."
        )


def _noted(loaded: Loaded) -> dict[str, object]:
    """What the audit log says of it: what became of whom."""
    told = {
        "locations": loaded.locations,
        "new channels": loaded.added,
        "changed channels": loaded.changed,
    }
    return {words: what for words, what in told.items() if what}

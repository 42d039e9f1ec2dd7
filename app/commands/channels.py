"""`onecount channels …`: how channels are doing; stop and start publishing to them."""

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import RowMapping

from app.cli import ACTOR, database
from app.domain.instants import Instant, iso, now
from app.pipeline.configuring import removing, switching
from app.pipeline.configuring.switching import Would
from app.pipeline.watching import checking
from app.pipeline.watching.checking import Checked
from app.queues import Wakes
from app.store.configuration import channels
from app.store.engine import applying, reading, writing
from app.store.people import deeds
from app.store.vault import Vault
from config.settings import Settings

key_argument = click.argument("key", required=False)
all_option = click.option("--all", "everyone", is_flag=True, help="Every channel.")


@click.group()
def command() -> None:
    """Look at channels, pause and resume publishing to them."""


@command.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """List every channel and how it is doing."""
    with database(settings).connect() as connection:
        rows = channels.rows(connection)
    if not rows:
        click.echo("There are no channels yet; `onecount load FILE.toml` adds some.")
        return
    table = Table("Channel", "Provider", "Publishes", "State", box=None)
    for row in rows:
        publishes = "yes" if row["publish"] else "no, it listens only"
        table.add_row(row["key"], row["provider"], publishes, state_of(row, now()))
    Console(soft_wrap=True).print(table)


def state_of(row: RowMapping, moment: Instant) -> str:
    """How a channel is doing, in words."""
    if row["disconnected_at"]:
        return f"disconnected: {row['last_error'] or 'it said good-bye'}"
    if row["paused_at"]:
        return f"paused: {row['paused_reason'] or 'by hand'}"
    if row["poll_from"] is not None:
        since = iso(row["poll_from"])
        return f"recovering: reads what changed there since {since}, then publishes"
    if row["tripped_at"] or (row["held_until"] or 0) > moment:
        why = row["held_reason"] or "it asked us to wait"
        return f"held until {iso(row['held_until'] or moment)}: {why}"
    if row["failures"]:
        return f"failing: {row['last_error']}"
    return "running"


@command.command()
@key_argument
@click.pass_obj
def check(settings: Settings, key: str | None) -> None:
    """Ask each channel something with its credentials: does it answer, may we?

    Nothing is changed there. Exit 1 when something is wrong with any of them.
    """
    engine = database(settings)
    vault = Vault(settings.secret_keys)
    with reading(engine) as connection:
        rows = [channels.row(connection, key)] if key else channels.rows(connection)
    are_fine = True
    for row in rows:
        found = checking.check(engine, vault, row, settings)
        _tell(found)
        are_fine &= not found.problems
    if not rows:
        click.echo("There are no channels yet; `onecount load FILE.toml` adds some.")
    if not are_fine:
        sys.exit(1)


def _tell(found: Checked) -> None:
    for problem in found.problems:
        click.echo(f"{found.key} ({found.title}): {problem}", err=True)
    if not found.problems:
        click.echo(f"{found.key} ({found.title}): fine.")
    if found.by_hand:
        click.echo(f"{found.key} has its webhooks set up by hand, to {found.by_hand}")
    if not found.is_polled:
        click.echo(
            f"{found.key} cannot be asked what changed there: what it could not "
            "deliver to us it must send again."
        )


@command.command()
@key_argument
@all_option
@click.option("--reason", default="by hand", show_default=True, help="Shown to others.")
@click.pass_obj
def pause(settings: Settings, key: str | None, everyone: bool, reason: str) -> None:
    """Stop publishing to a channel. Its webhooks are still taken in."""
    engine = database(settings)
    with writing(engine) as connection:
        moment = now()
        rows = channels.rows(connection)
        # Why a channel has been paused before stays to be read.
        known = [r["key"] for r in rows if not (everyone and r["paused_at"])]
        keys = _keys(known, key, everyone)
        for one in keys:
            channels.pause(connection, one, reason, moment)
            deeds.note(connection, ACTOR, "pause", one, moment, {"reason": reason})
    click.echo(f"Paused: {', '.join(keys) or 'nothing'}")


@command.command()
@key_argument
@all_option
@click.pass_obj
def resume(settings: Settings, key: str | None, everyone: bool) -> None:
    """Publish to a channel again, with the newest numbers; a held one, too."""
    engine = database(settings)
    with writing(engine) as connection:
        moment = now()
        keys = _keys([row["key"] for row in channels.rows(connection)], key, everyone)
        for one in keys:
            channels.resume(connection, one, moment)
            deeds.note(connection, ACTOR, "resume", one, moment)
    wakes = Wakes(settings.redis_url)
    for one in keys:
        wakes.wake(f"outbound:{one}")
        wakes.wake(f"fetch:{one}")
    click.echo(f"Resumed: {', '.join(keys) or 'nothing'}")


@command.command()
@click.argument("key")
@click.option("--buffer", type=click.IntRange(0), help="Units kept back.")
@click.option("--cap", type=click.IntRange(0), help="Never show more.")
@click.option("--share", type=click.IntRange(0, 100), help="Percent of it.")
@click.option("--dry-run", is_flag=True, help="Only show what would change there.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def publish(
    settings: Settings, /, key: str, dry_run: bool, yes: bool, **policy: int | None
) -> None:
    """Publish to a channel that only listened, after a look at what that changes."""
    engine = database(settings)
    vault = Vault(settings.secret_keys)
    wanted = {name: value for name, value in policy.items() if value is not None}
    found = switching.preview(engine, vault, settings, key, wanted, now())
    show_preview(key, found)
    if dry_run:
        return
    if not yes:
        click.confirm(f"Publish to {key} from now on?", abort=True)
    with applying(engine) as connection:
        moment = now()
        lanes = switching.switch_in(connection, key, wanted, now=moment, actor=ACTOR)
        deeds.note(connection, ACTOR, "publish", key, moment, wanted)
    wakes = Wakes(settings.redis_url)
    for lane in sorted(lanes):
        wakes.wake(lane)
    click.echo(
        f"{key} is published to. If it is loaded from a file, put `publish` into it, or "
        "loading that makes it listen only again."
    )


@command.command()
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(settings: Settings, key: str, yes: bool) -> None:
    """Remove a channel that was made by mistake: nothing has happened on it yet."""
    engine = database(settings)
    with reading(engine) as connection:
        channels.row(connection, key)
    if not yes:
        click.confirm(f"Remove {key}, its secrets and its listings?", abort=True)
    with applying(engine) as connection:
        removing.remove_in(connection, key, actor=ACTOR, now=now())
    click.echo(
        f"{key} is removed. If it is in a file, take it out of there, or loading that "
        "makes it again."
    )


def show_preview(key: str, found: Sequence[Would]) -> None:
    """Tell what publishing would change, number by number."""
    changed = [one for one in found if one.changes]
    click.echo(
        f"{key}: {len(found)} numbers compared, publishing would change {len(changed)}."
    )
    if not changed:
        return
    table = Table("SKU", "Place", "It shows", "It would show", box=None)
    for one in changed:
        theirs = "?" if one.theirs is None else str(one.theirs)
        table.add_row(one.sku, one.place or "", theirs, str(one.ours))
    Console(width=120).print(table)


def _keys(known: list[str], key: str | None, everyone: bool) -> list[str]:
    if (key is None) != everyone:
        raise click.UsageError("name one channel, or give --all")
    return known if key is None else [key]

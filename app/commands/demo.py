"""`onecount demo`: the story of the last blue jacket, on channels that are not real."""

import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console

from app.cli import ENVIRON
from app.demo import endless, hub
from app.demo.proof import watched
from app.demo.shop import NotADemo, opened
from app.demo.story import Teller, play
from config.settings import Settings


@click.command()
@click.option(
    "--once", "way", flag_value="once", default=True, help="Play it to its end."
)
@click.option(
    "--play",
    "way",
    flag_value="play",
    help="Play on and on beside this hub, as `onecount up --demo` does.",
)
@click.option(
    "--storm",
    "way",
    flag_value="storm",
    help="Let everything go wrong at once, then prove that every number is right.",
)
@click.option(
    "--seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(1, 86_400),
    help="How long the storm blows.",
)
@click.option("--seed", type=int, help="Blow a storm again: it names its seed.")
@click.pass_obj
@click.pass_context
def command(
    ctx: click.Context, settings: Settings, way: str, seconds: float, seed: int | None
) -> None:
    """Play the story of the last blue jacket.

    A hub of its own is started in a temporary folder, with a Shopify, a Square, a
    ShipStation and a warehouse that are not real. Your data is not touched. The exit
    status is 0 only when everything the story claims was true.

    --storm kills the hub's processes, its Valkey and its channels' manners at random
    while they sell, and ends with what has to be true all the same.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if way == "play":
        _play_on(settings)
        return
    console = Console(highlight=False)
    if way == "storm":
        drawn = secrets.randbelow(1_000_000) if seed is None else seed
        _storm(console, ctx.meta[ENVIRON], seconds, drawn)
        return
    console.print("Starting a hub and four channels that are not real …")
    teller = Teller(console)
    try:
        with hub.temporary(ctx.meta[ENVIRON]) as own, opened(own) as shop:
            console.print(
                f"Watch it at {own.public_url} as {own.admin_email}, "
                f"password {own.admin_password}"
            )
            play(shop, teller)
    except hub.NotStarted as error:
        raise click.ClickException(f"the hub did not start:\n{error}") from error
    if teller.failed:
        raise click.ClickException(f"{len(teller.failed)} claims were not true")
    console.print("\n[bold green]All of it was true.[/bold green]")


def _play_on(settings: Settings) -> None:
    try:
        with opened(settings) as shop:
            endless.play(shop)
    except NotADemo as error:
        click.echo(f"No demo: {error}", err=True)
        # Ending would only have us started again.
        threading.Event().wait()


def _storm(
    console: Console, environ: Mapping[str, str], seconds: float, seed: int
) -> None:
    console.print("Starting a hub and three channels that are not real …")
    try:
        with tempfile.TemporaryDirectory(prefix="onecount-storm-") as folder:
            untrue = watched(console, Path(folder), environ, seconds, seed)
    except hub.NotStarted as error:
        raise click.ClickException(f"the hub did not start:\n{error}") from error
    if untrue:
        again = f"--storm --seconds {seconds:g} --seed {seed}"
        raise click.ClickException(f"{untrue} claims were not true ({again})")
    console.print("\n[bold green]All of it was true.[/bold green]")

"""The storm watched by a person: what goes wrong, as it does, and what is true after."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.demo.field import Field, open_field
from app.demo.storm import Claim, Storm, Tell
from app.demo.watch import within

FURNISH_SECONDS = 60


def watched(
    console: Console,
    folder: Path,
    environ: Mapping[str, str],
    seconds: float,
    seed: int,
) -> int:
    """Let it blow over a hub in this folder; how many claims were not true.

    Raises NotStarted.
    """
    with open_field(Field, folder, environ) as field:
        storm = Storm(field, seed, _teller(console))
        within(FURNISH_SECONDS, storm.is_furnished)
        console.print(f"\n[bold]The storm, {seconds:g} s, seed {seed}[/bold]")
        storm.blow(seconds)
        happened = ", ".join(
            f"{n} × {what}" for what, n in storm.happened.most_common()
        )
        console.print(f"\n[bold]It is over[/bold]: {happened}.")
        console.print("Fair weather again; waiting until it is calm …")
        storm.wait_for_calm()
        claims = list(storm.claims())
    console.print(_table(claims))
    return sum(not claim.is_true for claim in claims)


def _teller(console: Console) -> Tell:
    began = time.monotonic()

    def tell(words: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] · {words}")

    return tell


def _table(claims: Sequence[Claim]) -> Table:
    table = Table(title="What must be true", title_justify="left")
    for heading in ("", "claim", "seen"):
        table.add_column(heading, overflow="fold")
    for claim in claims:
        sign = "[green]✓[/green]" if claim.is_true else "[red]✗[/red]"
        table.add_row(sign, claim.words, claim.seen)
    return table

"""Measure Onecount against its targets: `python -m tests.benchmarks` or `make bench`.

Each target is a ratio inside one run, so it says the same on a slower machine.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import click

from tests.benchmarks import (
    applying,
    claiming,
    growth,
    ingest,
    journey,
    pages,
    reconciling,
    report,
)
from tests.benchmarks.measure import Target

KINDS = ("sqlite", "postgresql")
QUIET = 0.1
"""The share of the machine that others may use while a picture is made."""
WHAT = (
    *("ingest", "applying", "growth", "claiming", "pages", "reconciling"),
    "journey",
)


@click.command()
@click.option("--quick", is_flag=True, help="Two short rounds; draws no picture.")
@click.option("--only", type=click.Choice(WHAT), multiple=True, help="Just these.")
@click.option("--on", "kinds", type=click.Choice(KINDS), multiple=True)
@click.option("--rounds", default=5, show_default=True)
def main(quick: bool, only: Sequence[str], kinds: Sequence[str], rounds: int) -> None:
    """Measure, print a table and draw docs/pictures/benchmarks.svg."""
    rounds, seconds = (2, 2.0) if quick else (rounds, 6.0)
    steps: dict[str, Callable[[str], list[Target]]] = {
        "ingest": partial(ingest.run, rounds=rounds),
        "applying": partial(applying.run, rounds=rounds),
        "growth": partial(growth.run, rounds=rounds),
        "claiming": partial(claiming.run, rounds=rounds),
        "pages": partial(pages.run, rounds=rounds),
        "reconciling": partial(reconciling.run, many=20_000 if quick else 100_000),
        "journey": partial(journey.run, rounds=rounds, seconds=seconds),
    }
    targets: list[Target] = []
    others = report.busy()
    if others > QUIET:
        click.echo(
            f"Others use {others:.0%} of this machine: try again later.", err=True
        )
    for name in only or WHAT:
        for kind in kinds or KINDS:
            click.echo(f"{name} on {kind} …", err=True)
            targets += steps[name](kind)
    later = report.busy()
    run = f"medians of {rounds} rounds; others used {others:.0%} before, "
    run += f"{later:.0%} after"
    report.show(targets, run)
    if max(others, later) > QUIET:
        click.echo("Not drawn: a busy machine bends even ratios.", err=True)
    elif not (quick or only or kinds):
        report.draw(targets, run)
        click.echo(f"Drawn: {report.PICTURE}")
    sys.exit(0 if all(one.met for one in targets) else 1)


if __name__ == "__main__":
    main()

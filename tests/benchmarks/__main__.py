"""Measure Onecount against its targets: `python -m tests.benchmarks` or `make bench`.

Each target is a ratio inside one run, so it says the same on a slower machine.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import click

from tests.benchmarks import applying, ingest, journey, report
from tests.benchmarks.measure import Target

KINDS = ("sqlite", "postgresql")
WHAT = ("ingest", "applying", "journey")


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
        "journey": partial(journey.run, rounds=rounds, seconds=seconds),
    }
    targets: list[Target] = []
    for name in only or WHAT:
        for kind in kinds or KINDS:
            click.echo(f"{name} on {kind} …", err=True)
            targets += steps[name](kind)
    report.show(targets, rounds)
    if not (quick or only or kinds):
        report.draw(targets, rounds)
        click.echo(f"Drawn: {report.PICTURE}")
    sys.exit(0 if all(one.met for one in targets) else 1)


if __name__ == "__main__":
    main()

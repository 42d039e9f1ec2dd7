"""`onecount reconcile [CHANNEL]`: hold what channels show against what they should."""

import time
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.engine import RowMapping

import adapters
from app.cli import database
from app.domain import drift
from app.domain.errors import HubError
from app.domain.instants import now
from app.pipeline.publish import Publisher
from app.pipeline.publishing import disputes
from app.pipeline.watching.comparing import Comparer, Page
from app.pipeline.watching.healing import Found
from app.queues import Wakes
from app.store.configuration import channels
from app.store.engine import writing
from app.store.vault import Vault
from app.store.watching import drifts
from config.settings import Settings

TAKE = {"ours": drift.OVERRIDE, "theirs": drift.ADOPT}

DONE = {
    drift.PUBLISH: ("ours is published", "ours would be published"),
    drift.TAKE: ("theirs is taken", "theirs would be taken"),
    drift.WAIT: ("waits for you", "would wait for you"),
    drift.NOTHING: ("done", "nothing to do"),
}


@click.command()
@click.argument("channel", required=False)
@click.option("--dry-run", is_flag=True, help="Only look.")
@click.option("--take", type=click.Choice(list(TAKE)), help="Instead of its policy.")
@click.pass_obj
def command(
    settings: Settings, channel: str | None, dry_run: bool, take: str | None
) -> None:
    """Read what channels show, say why it differs from ours, and put it right.

    Each channel's policy (`drift` in its configuration) says what is done about
    numbers that were changed there; without CHANNEL all that can be read are compared.
    """
    run = _Run(settings, take, is_dry=dry_run)
    failed = []
    for row in run.channels(channel):
        try:
            run.compare(row)
        except (HubError, click.ClickException) as error:
            failed.append(row["key"])
            click.echo(f"{row['key']}: {error}", err=True)
    if failed:
        raise click.ClickException(f"could not be compared: {', '.join(failed)}")


class _Run:
    """One run over some channels."""

    def __init__(self, settings: Settings, take: str | None, *, is_dry: bool) -> None:
        self._settings = settings
        self._take = take
        self._policy = TAKE.get(take or "")
        self._is_dry = is_dry
        self._engine = database(settings)
        vault = Vault(settings.secret_keys)
        self._publisher = Publisher(self._engine, vault, settings)
        self._comparer = Comparer(self._engine, self._publisher, settings)
        self._console = Console(soft_wrap=True)

    def channels(self, key: str | None) -> Sequence[RowMapping]:
        """The channel that was named, else all that are published to."""
        with self._engine.connect() as connection:
            if key is None:
                rows = channels.rows(connection)
            else:
                rows = [channels.row(connection, key)]
        for row in rows:
            if row["publish"] is None:
                self._console.print(f"{row['key']} listens only: nothing to compare.")
        return [row for row in rows if row["publish"] is not None]

    def compare(self, row: RowMapping) -> None:
        """Compare one channel and tell what was found."""
        key, found, compared = row["key"], list[Found](), 0
        with self._engine.connect() as connection:
            total = drifts.count(connection, row["id"])
        self._wait_for_lane(key)
        self._decide(key)
        try:
            with Progress(console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task(key, total=total)
                for page in self._pages(key):
                    found += page.found
                    compared += page.compared
                    progress.update(task, completed=compared)
        finally:
            self._publisher.release(key)
        if not self._is_dry:
            with writing(self._engine) as connection:
                drifts.move(connection, row["id"], 0, now())
            Wakes(self._settings.redis_url).wake(f"outbound:{key}")
        if adapters.get(row["provider"]).reads:
            _tell(self._console, key, compared, found, self._is_dry)
        else:
            self._console.print(f"{key} cannot be asked what it shows.")
        with self._engine.connect() as connection:
            waiting = drifts.waiting(connection, row["id"])
        if waiting:
            words = f"{waiting} wait" if waiting > 1 else "1 waits"
            way = f"`onecount reconcile {key} --take ours` (or theirs)"
            self._console.print(f"{key}: {words} for you: on the dashboard, or {way}.")

    def _decide(self, key: str) -> None:
        """Take a side in what a person was asked about before."""
        if self._take is None or self._is_dry:
            return
        decided = disputes.decide_all(
            self._engine, key, self._take, "onecount reconcile", now()
        )
        if decided:
            self._console.print(
                f"{key}: {self._take} is taken for {decided} that waited for you."
            )

    def _pages(self, key: str) -> Iterator[Page]:
        after: int | None = 0
        while after is not None:
            if not self._publisher.lease(key):
                raise click.ClickException(f"{key}: another worker took its lane over")
            page = self._comparer.page(
                key, after, policy=self._policy, heal=not self._is_dry
            )
            yield page
            after = page.last

    def _wait_for_lane(self, key: str) -> None:
        ends = time.monotonic() + self._settings.lease_seconds + 5
        while not self._publisher.lease(key):
            if time.monotonic() > ends:
                raise click.ClickException(
                    f"{key} is busy publishing; try again, or pause it first"
                )
            time.sleep(0.2)


def _tell(
    console: Console, key: str, compared: int, found: Sequence[Found], dry_run: bool
) -> None:
    words = "no difference" if not found else f"{len(found)} differ"
    console.print(f"{key}: {compared} numbers compared, {words}.")
    if not found:
        return
    table = Table(box=None)
    for title in ("SKU", "Place", "Theirs", "Ours", "Why", "Done"):
        table.add_column(title, no_wrap=True)
    for one in found:
        theirs = "none" if one.theirs is None else str(one.theirs)
        done = DONE[one.done][dry_run]
        why = drift.CAUSES[one.cause]
        table.add_row(one.sku, one.place, theirs, str(one.ours), why, done)
    # On a narrow terminal, or none, a line is longer rather than cut.
    Console(width=max(console.width, 160)).print(table)

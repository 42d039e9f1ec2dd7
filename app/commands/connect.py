"""`onecount connect PROVIDER`: look at a store or till, then take it over, step by step.

Nothing is written before a person has agreed, and nothing is published after it: the
channel listens only, until `onecount channels publish`.
"""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Engine

import adapters
from app.cli import ACTOR, ENVIRON, NewFile, database
from app.commands.channels import show_preview
from app.domain.connecting import TheirItem
from app.domain.instants import now
from app.pipeline.configuring import connecting
from app.pipeline.configuring.connecting import Asked, Proposal
from app.pipeline.configuring.matching import Matching, some
from app.pipeline.configuring.takeover import Takeover, as_file
from app.pipeline.configuring.wanted import Surroundings
from app.pipeline.watching import subscribing
from app.queues import Wakes
from app.store.engine import writing
from app.store.people import deeds
from app.store.vault import Vault
from config.settings import Settings

pair = "NAME=VALUE"


@click.command()
@click.argument(
    "provider",
    type=click.Choice([n for n in adapters.names() if adapters.get(n).connects]),
)
@click.option("--key", help="Its name here; the provider's unless given.")
@click.option("--set", "settings_", multiple=True, metavar=pair, help="A setting.")
@click.option(
    "--secret",
    "secrets_",
    multiple=True,
    metavar="NAME=env:VARIABLE",
    help="Where a secret is: env:VARIABLE or file:PATH, never the secret itself.",
)
@click.option("--base-url", help="Instead of the provider's own address.")
@click.option(
    "--location",
    "places",
    multiple=True,
    metavar="OURS=THEIRS",
    help="Which of our locations is which of theirs; proposed by name unless given.",
)
@click.option(
    "--opening",
    is_flag=True,
    help="Its numbers are right: unknown SKUs are added, its open orders and numbers "
    "become our promises and first counts.",
)
@click.option("--write", type=NewFile(), help="Keep it as a file.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@click.pass_context
def command(
    ctx: click.Context,
    settings: Settings,
    provider: str,
    key: str | None,
    settings_: Sequence[str],
    secrets_: Sequence[str],
    base_url: str | None,
    places: Sequence[str],
    opening: bool,
    write: Path | None,
    yes: bool,
) -> None:
    """Connect a store or till: check, match, take over, compare. Publishes nothing.

    Its credentials and scopes are checked, its locations and items are fitted to ours
    and shown; once you agree, the channel is loaded (it listens only), webhooks are
    registered, and what publishing would change is shown. May be run again; like
    loading its file, that puts back to their default what is not named.
    """
    asked = Asked(
        key or provider,
        provider,
        base_url,
        dict(map(_split, settings_)),
        _secrets(secrets_),
    )
    engine = database(settings)
    takeover = Takeover(
        *(engine, Vault(settings.secret_keys), settings, Wakes(settings.redis_url)),
        asked,
        Surroundings(ctx.meta[ENVIRON], Path.cwd()),
    )
    _Run(engine, takeover, settings).connect(
        dict(map(_split, places)), write, opening=opening, sure=yes
    )


def _split(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name and equals and value):
        raise click.UsageError(f"{given!r} is not {pair}")
    return name, value


def _secrets(given: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        name, _, value = one.partition("=")
        if not value.startswith(("env:", "file:")):
            # Not repeated: it may be the secret itself.
            raise click.UsageError(
                f"--secret {name}=… is not env:VARIABLE or file:PATH; a secret on a "
                "command line is seen by everybody on this machine"
            )
        found.setdefault(name, []).append(value)
    return found


class _Run:
    """One connecting, told while it happens."""

    def __init__(self, engine: Engine, takeover: Takeover, settings: Settings) -> None:
        self.engine = engine
        self.takeover = takeover
        self.asked = takeover.asked
        self.settings = settings

    def connect(
        self, given: dict[str, str], write: Path | None, *, opening: bool, sure: bool
    ) -> None:
        """All of it."""
        self._check()
        proposed, matching = self.takeover.look(given)
        _tell_places(proposed)
        for words in matching.sentences(with_new=opening):
            click.echo(words)
        if not sure:
            click.confirm("Connect it like that? It will listen only", abort=True)
        self._load(proposed, write, opening=opening)
        self._list(matching, opening=opening)
        self._subscribe()
        if opening:
            self._open(matching.pairs(with_new=True))
        self._compare()

    def _check(self) -> None:
        adapter = self.takeover.reach()
        if found := connecting.refusals(adapter):
            lines = "\n  ".join(words for told in found.values() for words in told)
            raise click.ClickException(
                f"{adapter.title} cannot be connected yet, nothing was changed:\n  {lines}"
            )
        click.echo(f"{adapter.title} answers, and we may do there what we have to.")

    def _load(
        self, proposed: Sequence[Proposal], write: Path | None, *, opening: bool
    ) -> None:
        self.takeover.load(proposed)
        places = {one.code: one.theirs.id for one in proposed}
        with writing(self.engine) as connection:
            told = {"locations": places, "opening": opening}
            deeds.note(connection, ACTOR, "connect", self.asked.key, now(), told)
        text = as_file(self.asked, proposed)
        click.echo(f"\n{self.asked.key} is connected and listens only. As a file:\n")
        click.echo(text)
        if write is not None:
            write.write_text(text, encoding="utf-8")

    def _list(self, matching: Matching, *, opening: bool) -> None:
        for what, imported in self.takeover.fit(matching, opening=opening):
            for problem in imported.problems:
                click.echo(f"{what}: {problem.words}", err=True)
            click.echo(f"{imported.loaded} {what}.")

    def _subscribe(self) -> None:
        address = subscribing.address(self.asked.key, self.settings)
        found = self.takeover.subscribe()
        if found is None:
            click.echo(
                f"Webhooks are not registered: {address} is no https address that the "
                "provider could reach. Set ONECOUNT_PUBLIC_URL; it is polled until then."
            )
            return
        click.echo(
            f"Webhooks to {address}: {len(found.mended)} registered"
            f"{'' if found.missing else ', all were there'}."
        )
        for words in (*found.refused, *found.problems):
            click.echo(f"  {words}", err=True)

    def _open(self, pairs: Sequence[tuple[str, TheirItem]]) -> None:
        done = self.takeover.open(pairs)
        click.echo(f"{done.orders} open orders and {done.counted} numbers taken over.")
        if done.restless:
            spots = [f"{sku} at {code}" for sku, code in done.restless]
            click.echo(f"  Sold all the while, so run it again for: {some(spots)}")
        if done.shared:
            click.echo(
                f"  Several of our locations are {some(done.shared)}: count there by "
                "hand, `onecount import counts`"
            )

    def _compare(self) -> None:
        show_preview(self.asked.key, self.takeover.compare())
        click.echo(
            f"Nothing was published. When that is right: `onecount channels publish "
            f"{self.asked.key}`"
        )


def _tell_places(proposed: Sequence[Proposal]) -> None:
    table = Table("Their location", "", "Ours", "", box=None)
    for one in proposed:
        kind = "new" if one.is_new else "known"
        table.add_row(one.theirs.name, one.theirs.id, one.code, kind)
    Console(width=120).print(table)
    if not proposed:
        click.echo("It has no active location: nothing can be mapped.")

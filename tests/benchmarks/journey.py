"""How long after a sale's webhook a channel hears of it, through the whole system.

Real processes: gunicorn, inbound, outbound, scheduler, and a channel whose API notes
each call. Every sale sells another SKU, so each has a push of its own to look for.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from app.domain.instants import iso, now
from app.procfile import processes
from app.store.vault import Vault
from config.settings import Settings
from tests.benchmarks import house as homes, servers
from tests.benchmarks.measure import Target, median, percentile
from tests.benchmarks.sender import Load, webhook

RATE = 200
SLOW_MILLISECONDS = 150
SHOP = "web"


@dataclass
class Round:
    """One round's figures, in seconds."""

    acknowledged: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    calls: int = 0


class System:
    """Everything running, seen from outside."""

    def __init__(self, port: int, channel_port: int, notes: Path) -> None:
        self._port = port
        self._channel = f"http://127.0.0.1:{channel_port}"
        self._notes = notes
        self._numbers = count(1)

    def slow_down(self, milliseconds: int) -> None:
        """Let the channel take its time for each call from now on."""
        url = f"{self._channel}/delay/{milliseconds}"
        urllib.request.urlopen(url, data=b"", timeout=5).close()

    def sell(self, seconds: float) -> Round:
        """Post sales at a steady rate; wait until the channel was told of each."""
        numbers = [next(self._numbers) for _ in range(int(RATE * seconds))]
        calls = len(self._calls())
        answers = Load(self._port, [self._sale(one) for one in numbers], RATE).send()
        due = dict(zip(numbers, sorted(one.due_at for one in answers), strict=True))
        names = {homes.sku_name(number): number for number in numbers}
        servers.until(
            lambda: names.keys() <= self._heard(calls).keys(), "every push", within=60
        )
        heard = self._heard(calls)
        return Round(
            [one.seconds for one in answers],
            [heard[name] - due[number] for name, number in names.items()],
            len(self._calls()) - calls,
        )

    def _sale(self, number: int) -> bytes:
        body = homes.sale_body(f"receipt-{number}", [number], iso(now()))
        return webhook(f"/webhooks/{homes.TILL}", f"msg_{number}", body)

    def _calls(self) -> list[dict[str, object]]:
        lines = self._notes.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def _heard(self, first: int) -> dict[str, float]:
        heard: dict[str, float] = {}
        for call in self._calls()[first:]:
            for sku in call["skus"]:
                heard.setdefault(sku, call["at"])
        return heard


def run(kind: str, rounds: int, seconds: float) -> list[Target]:
    """Measure with a quick channel and with a slow one."""
    with servers.folder() as folder, up(kind, folder) as system:
        system.sell(seconds=1)
        quick = [system.sell(seconds) for _ in range(rounds)]
        system.slow_down(SLOW_MILLISECONDS)
        slow = [system.sell(seconds) for _ in range(max(1, rounds // 2))]
    return [*_targets(servers.TITLES[kind], quick, slow)]


def _targets(name: str, quick: list[Round], slow: list[Round]) -> Iterator[Target]:
    answered = [percentile(one.acknowledged, 0.99) for one in quick]
    told = [percentile(one.told, 0.99) for one in quick]
    middle = median([percentile(one.told, 0.5) for one in quick])
    yield Target(
        f"p99 until a channel is called / p99 of the webhook's answer, "
        f"{RATE}/s, {name}",
        4,
        median([late / answer for late, answer in zip(told, answered, strict=True)]),
        f"called after p50 {middle * 1e3:.0f} ms, p99 {median(told) * 1e3:.0f} ms; "
        f"answered p99 {median(answered) * 1e3:.0f} ms",
        at_most=True,
    )
    slowly = median([percentile(one.told, 0.99) for one in slow])
    yield Target(
        f"Calls per sale to a channel that takes {SLOW_MILLISECONDS} ms, "
        f"{RATE}/s, {name}",
        0.05,
        median([one.calls / len(one.told) for one in slow]),
        f"called after p99 {slowly * 1e3:.0f} ms; "
        f"{sum(one.calls for one in slow)} calls for "
        f"{sum(len(one.told) for one in slow):,} sales",
        at_most=True,
    )


@contextmanager
def up(kind: str, folder: Path) -> Iterator[System]:
    """Start the whole system and its channel."""
    notes, channel_port = folder / "calls.jsonl", servers.free_port()
    notes.touch()
    channel = "tests.benchmarks.channel"
    command = (sys.executable, "-m", channel, str(channel_port), str(notes))
    with servers.database(kind) as engine, servers.valkey() as redis_url:
        home = homes.Build(engine, Vault([homes.SECRET_KEY]), shops=(SHOP,))
        home.furnish(f"http://127.0.0.1:{channel_port}/push")
        home.settle()
        settings = _settings(engine, redis_url, folder)
        env = {**os.environ, **settings.to_env()}
        argv = [process.argv for process in processes()]
        # The channel stops last: nobody shall miss its answer while stopping.
        with servers.running([command], env), servers.running(argv, env):
            servers.until_answers(settings.port, "/healthz")
            servers.until_answers(channel_port, "/delay/0")
            yield System(settings.port, channel_port, notes)


def _settings(engine: sa.Engine, redis_url: str, folder: Path) -> Settings:
    return Settings(
        database_url=engine.url.render_as_string(hide_password=False),
        redis_url=redis_url,
        data_dir=folder,
        secret_key=homes.SECRET_KEY,
        port=servers.free_port(),
        log_level="WARNING",
    )

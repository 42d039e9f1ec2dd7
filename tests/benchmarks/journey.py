"""How long after a sale's webhook a channel hears of it, through the whole system.

Real processes: gunicorn, inbound, outbound, scheduler, and a channel whose API notes
each call. Every sale sells another SKU, so each has a push of its own to look for.
Beside it, on the same gunicorn, database, Valkey and channel: a job for each webhook.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from app.demo.hub import free_port
from app.domain.instants import iso, now
from app.procfile import processes
from app.store.vault import Vault
from config.settings import Settings
from tests.benchmarks import house as homes, ingest, naive, servers
from tests.benchmarks.measure import Target, median, median_ratio, percentile
from tests.benchmarks.sender import Load, webhook

RATE = 200
CALM, BUSY = 50, 500
"""Sales a second of a quiet hour, and of the busiest."""
TIMES_BETTER = 50
"""Than a job for each webhook."""
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

    def __init__(self, port: int, naive: int, channel: int, notes: TextIO) -> None:
        self._port = port
        self._naive = naive
        self._channel = f"http://127.0.0.1:{channel}"
        self._notes = notes
        self._numbers = count(1)

    def slow_down(self, milliseconds: int) -> None:
        """Let the channel take its time for each call from now on."""
        url = f"{self._channel}/delay/{milliseconds}"
        urllib.request.urlopen(url, data=b"", timeout=5).close()

    def sell(self, seconds: float, rate: int = RATE, *, naively: bool = False) -> Round:
        """Post sales at a steady rate; wait until the channel was told of each."""
        numbers = [next(self._numbers) for _ in range(int(rate * seconds))]
        sales = [self._sale(one) for one in numbers]
        self._notes.readlines()
        answers = Load(self._naive if naively else self._port, sales, rate).send()
        due = dict(zip(numbers, sorted(one.due_at for one in answers), strict=True))
        names = {homes.sku_name(number): number for number in numbers}
        heard: dict[str, float] = {}
        calls = 0

        def is_told() -> bool:
            nonlocal calls
            calls += self._listen(heard)
            return names.keys() <= heard.keys()

        servers.until(is_told, "every push", within=120)
        return Round(
            [one.seconds for one in answers],
            [heard[name] - due[number] for name, number in names.items()],
            calls,
        )

    def _sale(self, number: int) -> bytes:
        body = homes.sale_body(f"receipt-{number}", [number], iso(now()))
        return webhook(f"/webhooks/{homes.TILL}", f"msg_{number}", body)

    def _listen(self, heard: dict[str, float]) -> int:
        """Add when each SKU was first told since the last look; how many calls."""
        lines = self._notes.readlines()
        for line in lines:
            call = json.loads(line)
            for sku in call["skus"]:
                heard.setdefault(sku, call["at"])
        return len(lines)


def run(kind: str, rounds: int, seconds: float) -> list[Target]:
    """Measure with a quick channel, at three rates and naively, and with a slow one."""
    few = max(1, rounds // 2)
    with servers.folder() as folder, up(kind, folder) as system:
        system.sell(1)
        system.sell(1, naively=True)
        quick = [system.sell(seconds) for _ in range(rounds)]
        calm, busy = list[Round](), list[Round]()
        for _ in range(rounds):
            calm.append(system.sell(seconds, CALM))
            busy.append(system.sell(seconds, BUSY))
        # Last, for what they leave in the database and in the machine's caches.
        naively = [system.sell(seconds, naively=True) for _ in range(few)]
        system.slow_down(SLOW_MILLISECONDS)
        slow = [system.sell(seconds) for _ in range(few)]
    title = servers.TITLES[kind]
    return [
        *_targets(title, quick, slow),
        *_beside(title, _p99(calm), _p99(quick), _p99(busy), _p99(naively)),
    ]


def _p99(rounds: list[Round]) -> list[float]:
    return [percentile(one.told, 0.99) for one in rounds]


def _beside(
    name: str,
    calm: list[float],
    usual: list[float],
    busy: list[float],
    naively: list[float],
) -> Iterator[Target]:
    yield Target(
        f"p99 until a channel is called at {BUSY}/s / at {CALM}/s, {name}",
        5,
        median_ratio(busy, calm),
        f"{median(busy) * 1e3:.0f} and {median(calm) * 1e3:.0f} ms",
        at_most=True,
    )
    yield Target(
        f"p99 of a job for each webhook (SimpleWorker) / ours, {RATE}/s, {name}",
        TIMES_BETTER,
        median(naively) / median(usual),
        f"{median(naively) * 1e3:,.0f} and {median(usual) * 1e3:.0f} ms",
    )


def _targets(name: str, quick: list[Round], slow: list[Round]) -> Iterator[Target]:
    answered = [percentile(one.acknowledged, 0.99) for one in quick]
    told = _p99(quick)
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
    slowly = median(_p99(slow))
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
    """Start the whole system, the naive one beside it, and their channel."""
    path, channel = folder / "calls.jsonl", free_port()
    path.touch()
    url = f"http://127.0.0.1:{channel}/push"
    command = (sys.executable, "-m", "tests.benchmarks.channel", str(channel))
    with ExitStack() as stack:
        notes = stack.enter_context(path.open())
        engine = stack.enter_context(servers.database(kind))
        redis_url = stack.enter_context(servers.valkey())
        home = homes.Build(engine, Vault([homes.SECRET_KEY]), shops=(SHOP,))
        home.furnish(url)
        home.settle()
        settings = _settings(engine, redis_url, folder)
        env = {**os.environ, **settings.to_env(), naive.CHANNEL: url}
        argv = [process.argv for process in processes()]
        # The channel stops last: nobody shall miss its answer while stopping.
        stack.enter_context(servers.running([(*command, str(path))], env))
        stack.enter_context(servers.running(argv, env))
        stack.enter_context(naive.worked(engine, env))
        beside = replace(settings, data_dir=folder / "naive", port=free_port())
        stack.enter_context(ingest.gunicorn(beside, naive.APP))
        servers.until_answers(settings.port, "/healthz")
        servers.until_answers(beside.port, "/")
        servers.until_answers(channel, "/delay/0")
        yield System(settings.port, beside.port, channel, notes)


def _settings(engine: sa.Engine, redis_url: str, folder: Path) -> Settings:
    return Settings(
        database_url=engine.url.render_as_string(hide_password=False),
        redis_url=redis_url,
        data_dir=folder,
        secret_key=homes.SECRET_KEY,
        port=free_port(),
        log_level="WARNING",
    )

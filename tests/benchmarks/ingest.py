"""How much of Flask's own speed is left when webhooks are verified, stored and woken.

Both applications run on the same gunicorn with the same configuration and take the
very same requests: 4 KB, each with an id and a signature of its own.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from redis import Redis

from app.demo.hub import free_port
from app.domain.instants import iso, now
from app.store.vault import Vault
from config.settings import Settings
from tests.benchmarks import house as homes, servers
from tests.benchmarks.measure import (
    Target,
    interleaved,
    median,
    median_ratio,
    percentile,
)
from tests.benchmarks.sender import Load, webhook

REQUESTS = 2_000
LINES = 62
"""Lines of a sale that weighs 4 KB."""
HELLO, OURS = "tests.benchmarks.hello:app", "app.factory:create_app()"


class Ingest:
    """Our web server and Flask's hello, both up, and requests to send them."""

    def __init__(self, hello: int, ours: int, engine: sa.Engine, redis: Redis) -> None:
        self._ports = {HELLO: hello, OURS: ours}
        self._engine = engine
        self._redis = redis
        self._numbers = count(1)
        self.late: list[float] = []

    def measure(self, what: str) -> float:
        """Requests per second, sixteen connections."""
        requests = [self._request() for _ in range(REQUESTS)]
        self._redis.delete("wake:inbound")
        stored = self._stored()
        answers = Load(self._ports[what], requests).send()
        began = min(one.due_at for one in answers)
        ended = max(one.due_at + one.seconds for one in answers)
        if what == OURS:
            assert self._stored() - stored == REQUESTS
            assert self._redis.exists("wake:inbound")
            self.late.append(percentile([one.seconds for one in answers], 0.99))
        return REQUESTS / (ended - began)

    def _request(self) -> bytes:
        number = next(self._numbers)
        body = homes.sale_body(f"receipt-{number}", range(LINES), iso(now()))
        return webhook(f"/webhooks/{homes.TILL}", f"msg_{number}", body)

    def _stored(self) -> int:
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM inbox")
            return int(found.scalar_one())


def run(kind: str, rounds: int) -> list[Target]:
    """Measure on one kind of database."""
    with servers.folder() as folder, servers.database(kind) as engine:
        homes.Build(engine, Vault([homes.SECRET_KEY])).furnish(stocked=False)
        with up(engine, folder) as ingest:
            for what in (HELLO, OURS):
                ingest.measure(what)
            ingest.late.clear()
            hello, ours = interleaved(
                rounds,
                lambda: ingest.measure(HELLO),
                lambda: ingest.measure(OURS),
            )
    return [
        Target(
            f"Webhooks stored and woken / hello-world Flask, {servers.TITLES[kind]}",
            0.28,
            median_ratio(ours, hello),
            f"{median(ours):,.0f} requests/s, p99 {median(ingest.late) * 1e3:.0f} ms; "
            f"Flask's hello: {median(hello):,.0f}/s",
        )
    ]


@contextmanager
def up(engine: sa.Engine, folder: Path) -> Iterator[Ingest]:
    """Start Valkey and both applications."""
    with servers.valkey() as redis_url, Redis.from_url(redis_url) as redis:
        settings = Settings(
            database_url=engine.url.render_as_string(hide_password=False),
            redis_url=redis_url,
            data_dir=folder / "ours",
            secret_key=homes.SECRET_KEY,
            port=free_port(),
            log_level="WARNING",
        )
        hello = replace(settings, data_dir=folder / "hello", port=free_port())
        with gunicorn(settings, OURS), gunicorn(hello, HELLO):
            servers.until_answers(settings.port, "/healthz")
            servers.until_answers(hello.port, "/")
            yield Ingest(hello.port, settings.port, engine, redis)


@contextmanager
def gunicorn(settings: Settings, what: str) -> Iterator[None]:
    """Serve an application as in production."""
    settings.data_dir.mkdir(exist_ok=True)
    command = (sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py")
    env = {**os.environ, **settings.to_env()}
    with servers.running([(*command, what)], env):
        yield

"""Claims on one hot SKU beside the stock function of a shop system many use.

Ours are whole claims: refused when short, written into the ledger, with their cause.
Beside the speed of both stands how many of their units were right: a fast wrong answer
is none.
"""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from operator import truediv
from pathlib import Path

import sqlalchemy as sa

from app.demo.hub import free_port
from app.domain.errors import ShortOfUnits
from app.domain.instants import now
from app.pipeline.acts import holding
from app.store.engine import writing
from app.store.people import people
from app.store.vault import Vault
from config.settings import Settings
from tests.benchmarks import house as homes, ingest, servers
from tests.benchmarks.measure import (
    Target,
    interleaved,
    median,
    median_ratio,
    stopwatch,
)
from tests.benchmarks.medusa import Medusa, NotHere, medusa
from tests.benchmarks.sender import asked

CLIENTS = (1, 8)
SECONDS = 2.0
BUYERS, UNITS = 200, 50
MUST = 3
HOT = homes.sku_name(1)
_fresh = count(2)
"""Numbers of SKUs that nobody has claimed yet."""
PEER = "Medusa's adjustInventory"
Claim = Callable[[str], bool]
"""Claim one unit of a SKU; whether it was granted."""
Way = Callable[[], Claim]
"""Makes one client's."""


class Ours:
    """Claims by one of our two ways in, by so many clients."""

    def __init__(self, engine: sa.Engine, way: Way) -> None:
        self._engine = engine
        self._way = way
        self.granted = self.lost = 0
        """Claims granted so far, and units of them that are not reserved."""

    def measure(self, clients: int) -> float:
        """Claims granted per second."""
        before = self._reserved(HOT)
        done, took = _done(self._way, clients)
        self.granted += done
        self.lost += done - (self._reserved(HOT) - before)
        return done / took

    def accepts(self) -> int:
        """How many of 200 buyers get one of the 50 units there are."""
        sku = homes.sku_name(next(_fresh))
        lines = [{"sku": sku, "quantity": homes.IN_STOCK - UNITS}]
        holding.hold(self._engine, lines, 90_000, actor="bench", now=now())
        with ThreadPoolExecutor(8) as pool:
            return sum(pool.map(lambda _: self._way()(sku), range(BUYERS)))

    def _reserved(self, sku: str) -> int:
        query = sa.text(
            "SELECT sum(reserved) FROM stock_levels l JOIN skus s ON s.id = l.sku_id "
            "WHERE s.sku = :sku"
        )
        with self._engine.connect() as connection:
            return int(connection.execute(query, {"sku": sku}).scalar_one())


def _done(way: Way, clients: int) -> tuple[int, float]:
    """How many claims that many clients were granted, and in how many seconds."""
    with ThreadPoolExecutor(clients) as pool, stopwatch() as seconds:

        def client(_: int) -> int:
            claim, done = way(), 0
            while seconds() < SECONDS:
                done += claim(HOT)
            return done

        return sum(pool.map(client, range(clients))), seconds()


def by_function(engine: sa.Engine) -> Claim:
    """The function that claims, called in this process."""

    def claim(sku: str) -> bool:
        lines = [{"sku": sku, "quantity": 1}]
        try:
            holding.hold(engine, lines, 90_000, actor="bench", now=now())
        except ShortOfUnits:
            return False
        return True

    return claim


def by_http(port: int, token: str, path: str = "/api/v1/holds") -> Claim:
    """One HTTP call per claim, on a connection that stays open.

    Python's own client would take a third of the time in which Flask says hello.
    """
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )

    def claim(sku: str) -> bool:
        body = json.dumps(
            {"lines": [{"sku": sku, "quantity": 1}], "expires_in": 90_000}
        )
        request = f"{head}{len(body)}\r\n\r\n{body}".encode()
        status, told = asked(connection, request)
        assert status in (200, 201, 409), told
        return status != 409

    return claim


def run(kind: str, rounds: int) -> list[Target]:
    """Compare on one kind of database; Medusa's is PostgreSQL in any case."""
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        engine = stack.enter_context(servers.database(kind))
        homes.Build(engine, Vault([homes.SECRET_KEY])).furnish()
        homes.stock_up(engine, HOT)
        holds, hello = stack.enter_context(_served(engine, folder))
        function = Ours(engine, lambda: by_function(engine))
        http = Ours(engine, holds)
        try:
            peer = stack.enter_context(medusa(stack.enter_context(servers.postgres())))
        except NotHere as missing:
            return [_missing(kind, str(missing))]
        return [
            target
            for clients in CLIENTS
            for target in _compared(kind, clients, rounds, function, http, hello, peer)
        ]


@contextmanager
def _served(engine: sa.Engine, folder: Path) -> Iterator[tuple[Way, Way]]:
    """Our web server on this database, and hello-world Flask on the same gunicorn: the
    most that any Flask application could do."""
    with writing(engine) as connection:
        token = people.create_token(connection, "bench", people.OPERATOR)
    with servers.valkey() as redis_url:
        settings = Settings(
            database_url=engine.url.render_as_string(hide_password=False),
            redis_url=redis_url,
            data_dir=folder / "ours",
            secret_key=homes.SECRET_KEY,
            port=free_port(),
            log_level="WARNING",
        )
        hello = replace(settings, data_dir=folder / "hello", port=free_port())
        with (
            ingest.gunicorn(settings, ingest.OURS),
            ingest.gunicorn(hello, ingest.HELLO),
        ):
            servers.until_answers(settings.port, "/healthz")
            servers.until_answers(hello.port, "/")
            yield (
                lambda: by_http(settings.port, token),
                lambda: by_http(hello.port, token, "/webhooks/hello"),
            )


def _compared(
    kind: str,
    clients: int,
    rounds: int,
    function: Ours,
    http: Ours,
    hello: Way,
    peer: Medusa,
) -> list[Target]:
    sides = (
        lambda: function.measure(clients),
        lambda: http.measure(clients),
        lambda: truediv(*_done(hello, clients)),
        lambda: peer.adjust(clients, SECONDS),
    )
    for side in sides:
        side()
    peer.done = peer.lost = function.granted = function.lost = 0
    http.granted = http.lost = 0
    called, asked, greeted, theirs = interleaved(rounds, *sides)
    beside = (
        f"Flask's hello: {median_ratio(greeted, theirs):.1f}. "
        f"{PEER}: {median(theirs):,.0f}/s, {peer.lost} of {peer.done} lost; "
        f"of {BUYERS} buyers for {UNITS} units it accepts "
        f"{peer.accepts(BUYERS, UNITS)}"
    )
    return [
        Target(
            f"{what}, {clients} at a time / {PEER}, {servers.TITLES[kind]}",
            MUST,
            median_ratio(figures, theirs),
            f"{median(figures):,.0f}/s, {ours.lost} of {ours.granted} lost, "
            f"{ours.accepts()} accepted. {beside}",
        )
        for what, ours, figures in (
            ("Claims by function", function, called),
            ("Holds by HTTP", http, asked),
        )
    ]


def _missing(kind: str, reason: str) -> Target:
    name = f"Claims and holds / {PEER}, {servers.TITLES[kind]}"
    return Target(name, MUST, None, f"not measured: {reason}")

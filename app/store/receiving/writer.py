"""The inbox's writer: webhooks put there durably before they are answered.

The request does this and nothing else with the database. Going through an engine and
its transaction would cost a third of the throughput; so a process has one connection of
its own for it, asked as directly as its driver allows. Webhooks that come while others
are stored are stored together next: one transaction and one wait for the disk for all
of them.
"""

import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from typing import Any, Final, Generic, NamedTuple, TypeVar

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from sqlalchemy.engine import Engine

from app.domain.instants import Instant
from app.store import bulk
from app.store.engine import PATIENCE, is_sqlite, prepare_sqlite
from app.store.gate import gate, gate_path
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
    f"INSERT INTO inbox ({', '.join(Row._fields)}, lane) {{}} "
    "ON CONFLICT (channel_id, delivery_id, body_hash) DO NOTHING "
    "RETURNING channel_id, delivery_id, body_hash, id"
)
_KNOWN: Final = (
    "SELECT id FROM inbox "
    "WHERE channel_id = {0} AND delivery_id = {0} AND body_hash = {0}"
)

Driver = TypeVar("Driver", sqlite3.Connection, psycopg.Connection[Any])


class InboxWriter(ABC, Generic[Driver]):
    """Used by many threads; one at a time writes, for all who wait."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together[Row, Put]()
        self._turn = threading.Lock()
        self._opened: Driver | None = None
        self._is_closed = False

    def put(self, row: Row) -> Put:
        """Store one webhook. Raises one of UNWRITABLE when it cannot be stored."""
        return self._together.served(row, self._serve)

    def close(self) -> None:
        """Close the connection after the write under way; who comes late is refused."""
        with self._turn:
            self._is_closed = True
            self._drop()

    def _serve(self, come: Come[Row]) -> list[Put]:
        with self._turn:
            return self._put_all(come)

    @abstractmethod
    def _put_all(self, come: Come[Row]) -> list[Put]:
        """Store all who have come, in one transaction."""

    @abstractmethod
    def _open(self, *arguments: Any, **keywords: Any) -> Driver:
        """Connect, as the engine would."""

    def _connection(self) -> Driver:
        if self._is_closed:
            raise OSError("the inbox is closed: this process is stopping")
        if self._opened is None:
            given = self._engine.dialect.create_connect_args(self._engine.url)
            self._opened = self._open(*given[0], **given[1])
        return self._opened

    def _drop(self) -> None:
        gone, self._opened = self._opened, None
        if gone is not None:
            gone.close()


def inbox_writer(engine: Engine) -> "InboxWriter[Any]":
    """The writer for this kind of database."""
    return _SqliteWriter(engine) if is_sqlite(engine) else _PostgresWriter(engine)


class _SqliteWriter(InboxWriter[sqlite3.Connection]):
    _insert = _INSERT.format(f"VALUES ({', '.join('?' * len(Row._fields))}, 'apply')")
    _known = _KNOWN.format("?")

    def _put_all(self, come: Come[Row]) -> list[Put]:
        connection = self._connection()
        with gate(gate_path(self._engine)):
            rows = come()
            connection.execute("BEGIN IMMEDIATE").close()
            with connection:
                return [self._put(connection, row) for row in rows]

    def _put(self, connection: sqlite3.Connection, row: Row) -> Put:
        made = connection.execute(self._insert, row).fetchone()
        if made is not None:
            return int(made[-1]), True
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


_ANSWERED: Final = (
    psycopg.errors.DiskFull,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.ProgramLimitExceeded,
)
_PUT: Final = b"put"
"""The name by which the connection knows the insert."""


class _PostgresWriter(InboxWriter[psycopg.Connection[Any]]):
    """A transaction is one statement, which is prepared and given to libpq itself: a
    cursor around it takes three times its time. See
    https://www.psycopg.org/psycopg3/docs/api/pq.html
    """

    _insert = _INSERT.format(
        "SELECT *, 'apply' FROM unnest($1::bigint[], $2::text[], $3::text[], "
        "$4::text[], $5::bytea[], $6::bigint[])"
    )
    _known = _KNOWN.format("%s")

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._away_until = 0.0

    def _put_all(self, come: Come[Row]) -> list[Put]:
        connection = self._connection()
        rows = come()
        try:
            return self._put(connection, rows)
        except _ANSWERED:
            # It was reached: a new connection might not even be let in.
            raise
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
            # The server may have been restarted since we last wrote, or another one
            # been made the first.
            self._drop()
        return self._put(self._connection(), rows)

    def _put(self, connection: psycopg.Connection[Any], rows: list[Row]) -> list[Put]:
        # In one order everywhere, or two that store the same ones wait for each other.
        columns = zip(*sorted(rows), strict=True)
        given = [bulk.array(column).encode() for column in columns]
        made = connection.pgconn.exec_prepared(_PUT, given)
        _check(connection, made)
        new = dict(_stored(made, number) for number in range(made.ntuples))
        return [
            (id_, True)
            if (id_ := new.pop(row[:3], None)) is not None
            else (self._id_of(connection, row), False)
            for row in rows
        ]

    def _id_of(self, connection: psycopg.Connection[Any], row: Row) -> int:
        """The one that was there already."""
        known = connection.execute(self._known, row[:3]).fetchone()
        assert known is not None  # noqa: S101 - it is what the insert ran into
        return int(known[0])

    def _open(self, *arguments: Any, **keywords: Any) -> psycopg.Connection[Any]:
        if time.monotonic() < self._away_until:
            raise OSError("the database could not be reached a moment ago")
        try:
            connection = psycopg.connect(*arguments, **keywords, autocommit=True)
        except psycopg.Error:
            # Else one after the other would wait for it, and senders not be told.
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise
        try:
            connection.execute(f"SET lock_timeout = '{PATIENCE}s'")
            prepared = connection.pgconn.prepare(_PUT, self._insert.encode())
            _check(connection, prepared)
        except psycopg.Error:
            connection.close()
            raise
        return connection


def _check(connection: psycopg.Connection[Any], result: pq.abc.PGresult) -> None:
    """Raise what psycopg would; it is libpq that knows of a lost connection."""
    if connection.pgconn.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
    if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        raise error_from_result(result)


def _stored(made: pq.abc.PGresult, number: int) -> tuple[tuple[int, str, str], int]:
    """What makes a webhook recognisable, and its id."""
    channel_id, delivery_id, digest, id_ = (
        made.get_value(number, column) or b"" for column in range(4)
    )
    return (int(channel_id), delivery_id.decode(), digest.decode()), int(id_)

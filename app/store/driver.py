"""The database's own driver, asked directly on the hot path.

SQLAlchemy's results around a small statement cost as much as the statement does. It
keeps what it is best at: connections, transactions, and what an error means.

A round trip to PostgreSQL costs more than what a small write does there. So a write
that nobody waits for stays here until something is asked or the transaction commits,
and goes out with those beside it as one statement.
"""

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

_CURSOR: Final = "cursor"
"""Each connection has one: what it says next is asked when this answer was read."""
_LATER: Final = "later"
"""What a connection has not said yet: table → statement and values."""


class _Impatient(psycopg.Connection[Any]):
    """A connection to PostgreSQL that is given up when no answer comes."""

    silence: float | None = None

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """Wait for an answer; raise OperationalError without one."""
        try:
            return super().wait(gen, interval, timeout or self.silence)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                # The answer may come yet, and would be taken for the next one's.
                self.close()
            raise


def give_up_after(engine: Engine, seconds: float) -> None:
    """Wait no longer than that for an answer of PostgreSQL. SQLite is no server.

    That its machine acknowledges what it is sent is no answer: the server may be stopped,
    or wait for a disk.
    """

    if engine.dialect.name == "sqlite":
        return

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, given: Any, named: Any) -> Any:
        made = _Impatient.connect(*given, **named)
        made.silence = seconds
        return made


def fetched(
    connection: Connection, statement: str, values: Sequence[Any] = ()
) -> Sequence[Any]:
    """The rows of a query, as the driver's own tuples."""
    rows: Sequence[Any] = executed(connection, statement, values).fetchall()
    return rows


def executed(
    connection: Connection, statement: str, values: Sequence[Any], *, many: bool = False
) -> Any:
    """The driver's cursor after a statement, or after `many`: one for each of `values`.

    Begins a transaction if there is none, but for a connection that only reads: what
    SQLAlchemy does around one costs as much as a small query. Raises what SQLAlchemy
    would, also for what was to be written `later`.
    """
    only_reads = connection.get_execution_options().get("begin") == ""
    if not only_reads and not connection.in_transaction():
        connection.begin()
    write_now(connection)
    return told(connection, statement, values, many=many)


def slot(connection: Connection) -> str:
    """What stands for a value in a statement."""
    return "?" if connection.dialect.name == "sqlite" else "%s"


def told(
    connection: Connection,
    statement: str,
    values: Sequence[Any] = (),
    *,
    many: bool = False,
) -> Any:
    """The same at once, whatever has been begun or waits; for this room alone."""
    cursor = connection.info.get(_CURSOR)
    if cursor is None:
        driver: Any = connection.connection.driver_connection
        cursor = connection.info[_CURSOR] = driver.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(statement, values)
    except connection.dialect.loaded_dbapi.Error as error:
        # As after its own statements: it names the error, and lets go of lost connections.
        connection._handle_dbapi_exception(error, statement, None, None, None)
    return cursor


def later(
    connection: Connection, table: str, statement: str, values: Sequence[Any]
) -> None:
    """Let PostgreSQL write to a table before anything else is asked, or by the commit.

    A savepoint's writes are not put off: it answers for its own errors.
    """
    if not connection.in_transaction():
        connection.begin()
    waiting = connection.info.setdefault(_LATER, {})
    if table in waiting:
        # The parts of one statement do not see what the others wrote.
        write_now(connection)
    waiting[table] = (statement, values)
    if connection.in_nested_transaction():
        write_now(connection)


def write_now(connection: Connection) -> None:
    """Write what waits, all in one statement; their order does not matter to it."""
    waiting = connection.info.get(_LATER)
    if not waiting:
        return
    *parts, (last, _) = waiting.values()
    named = ", ".join(f"w{n} AS ({text})" for n, (text, _) in enumerate(parts))
    values = [value for _, some in waiting.values() for value in some]
    waiting.clear()
    told(connection, f"WITH {named} {last}" if parts else last, values)


def forget(connection: Connection) -> None:
    """Drop what waits: its transaction is rolled back. A lost connection's is gone."""
    if not connection.invalidated:
        connection.info.pop(_LATER, None)

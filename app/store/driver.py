"""The database's own driver, asked directly on the hot path.

SQLAlchemy's results around a small statement cost as much as the statement does. It
keeps what it is best at: connections, transactions, and what an error means.
"""

from collections.abc import Sequence
from typing import Any, Final

from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

_CURSOR: Final = "cursor"
"""Each connection has one: what it says next is asked when this answer was read."""


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

    Begins a transaction if there is none. Raises what SQLAlchemy would.
    """
    if not connection.in_transaction():
        connection.begin()
    cursor = connection.info.get(_CURSOR)
    if cursor is None:
        driver: Any = connection.connection.driver_connection
        cursor = connection.info[_CURSOR] = driver.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(statement, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_raised(connection, statement, error) from error
    return cursor


def leads_elsewhere(error: BaseException) -> bool:
    """Whether a database's address leads to another server now, after a failover."""
    return isinstance(error, ReadOnlySqlTransaction)


def _as_raised(connection: Connection, statement: str, error: Any) -> Exception:
    """The error as SQLAlchemy raises it, without the values.

    As it does, too: where one connection is lost, all of them are made anew.
    """
    dialect, driver = connection.dialect, connection.connection.driver_connection
    is_lost = dialect.is_disconnect(error, driver, None) or leads_elsewhere(error)
    if is_lost:
        connection.invalidate(error)
        connection.engine.dispose()
    kind = dialect.loaded_dbapi.Error
    raised: Exception = DBAPIError.instance(
        statement, None, error, kind, True, is_lost, dialect
    )
    return raised

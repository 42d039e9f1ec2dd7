"""The database's own driver, asked directly on the hot path.

SQLAlchemy's results around a small statement cost as much as the statement does. It
keeps what it is best at: connections, transactions, and what an error means.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

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
        # As after its own statements: it names the error, and lets go of lost connections.
        connection._handle_dbapi_exception(error, statement, None, None, None)
    return cursor

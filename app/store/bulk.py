"""Many rows in one statement: arrays on PostgreSQL, executemany on SQLite.

A single row goes to PostgreSQL as it is: unpacking arrays costs half of its insert.

SQLAlchemy's own VALUES lists are three to four times slower there (measured with 100
rows a statement).
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.store import driver
from app.store.engine import is_sqlite

Rows = Sequence[Sequence[Any]]

_PLAIN = {int, bool, type(None)}
"""Values that are written the same in JSON and in an array."""
_TEXT = {str}
_json = msgspec.json.Encoder().encode
_AMONG_SQLITE = "IN (SELECT value FROM json_each(?))"


def insert(
    connection: Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Rows,
    *,
    or_ignore: bool = False,
) -> None:
    """Insert rows given as tuples in the order of `columns`, by the commit at the latest.

    `or_ignore` leaves out rows whose unique key is already there.
    """
    if not rows:
        return
    columns, filled = _filled(columns, rows)
    ending = " ON CONFLICT DO NOTHING" if or_ignore else ""
    statement = _insert_sql(table, columns, ending, _mark(connection, rows))
    _write(connection, table, statement, filled)


def add(
    connection: Connection, table: sa.Table, columns: tuple[str, ...], rows: Rows
) -> None:
    """Insert rows whose `columns` begin with the table's key, or add to what is there
    under it, by the commit at the latest."""
    if rows:
        statement = _insert_sql(table, columns, _adding(table), _mark(connection, rows))
        _write(connection, table, statement, rows)


def _filled(columns: tuple[str, ...], rows: Rows) -> tuple[tuple[str, ...], Rows]:
    """Leave out the columns that are NULL in every row: binding NULLs is not free."""
    listed = list(zip(*rows, strict=True))
    kept = [
        n
        for n, column in enumerate(listed)
        if column[0] is not None or column.count(None) < len(rows)
    ]
    if len(kept) == len(columns):
        return columns, rows
    told = list(zip(*(listed[n] for n in kept), strict=True))
    return tuple(columns[n] for n in kept), told


def change(
    connection: Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Rows,
    *,
    add: bool = False,
) -> None:
    """Set columns (or `add` to them) by id, by the commit at the latest; rows are
    `(*values, id)`."""
    if not rows:
        return
    statement = _change_sql(table, columns, add, _mark(connection, rows))
    _write(connection, table, statement, rows)


def select(
    connection: Connection,
    statement: str,
    values: Iterable[Any],
    kind: str = "text",
    given: tuple[Any, ...] = (),
) -> Sequence[Any]:
    """Run a query in which `{among}` stands for "is one of these values".

    `kind` is the values' PostgreSQL type: text or bigint. What is `given` is bound to
    `{given}`s before all of it: a text that is always the same is prepared only once.
    """
    listed = list(values)
    if not listed:
        return []
    return driver.fetched(
        connection, *_worded(connection, statement, listed, kind, given)
    )


def update(
    connection: Connection,
    table: sa.Table,
    statement: str,
    values: Iterable[Any],
    kind: str = "text",
    given: tuple[Any, ...] = (),
) -> None:
    """Run a change of a table worded as for `select`, by the commit at the latest."""
    if not (listed := list(values)):
        return
    text, bound = _worded(connection, statement, listed, kind, given)
    if is_sqlite(connection):
        driver.executed(connection, text, bound)
    else:
        driver.later(connection, table.name, text, bound)


def _worded(
    connection: Connection,
    statement: str,
    listed: list[Any],
    kind: str,
    given: tuple[Any, ...],
) -> tuple[str, tuple[Any, ...]]:
    bound: Any
    if is_sqlite(connection):
        among, bound = _AMONG_SQLITE, _json(listed).decode()
    elif len(listed) == 1:
        # With an array PostgreSQL would plan anew each time: it may hold any number.
        among, bound = f"= %s::{kind}", listed[0]
    else:
        among, bound = f"= ANY(%s::{kind}[])", array(listed)
    all_bound = (*given, *[bound] * statement.count("{among}"))
    text = statement.replace("{among}", among)
    return text.replace("{given}", driver.slot(connection)), all_bound


_ARRAYS_OF_THEM = ""


def _mark(connection: Connection, rows: Rows) -> str:
    """What stands for one value in a statement, or `_ARRAYS_OF_THEM`."""
    if is_sqlite(connection) or len(rows) == 1:
        return driver.slot(connection)
    return _ARRAYS_OF_THEM


def _write(connection: Connection, table: sa.Table, statement: str, rows: Rows) -> None:
    if is_sqlite(connection):
        driver.executed(connection, statement, list(rows), many=True)
    elif len(rows) == 1:
        driver.later(connection, table.name, statement, rows[0])
    else:
        columns = tuple(array(column) for column in zip(*rows, strict=True))
        driver.later(connection, table.name, statement, columns)


def insert_one(connection: Connection, table: sa.Table, **values: Any) -> int:
    """Insert one row away from the hot path; return its id."""
    made = connection.execute(table.insert(), values).inserted_primary_key
    if made is None:
        raise LookupError(f"{table.name} gave no id")
    return int(made[0])


def array(values: Iterable[Any]) -> str:
    """A PostgreSQL array as text, the form in which its driver sends lists too.

    The driver works out each element by regular expressions: a third of a batch.
    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    column = list(values)
    types = set(map(type, column))
    if types <= _PLAIN:
        return "{" + _json(column).decode()[1:-1] + "}"
    if types == _TEXT:
        # No text in PostgreSQL holds a NUL: escape all of them in one go.
        joined = "\0".join(column).replace("\\", "\\\\").replace('"', '\\"')
        return '{"' + joined.replace("\0", '","') + '"}'
    return "{" + ",".join(map(_element, column)) + "}"


def _element(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None:
        return "NULL"
    if isinstance(value, bytes | memoryview):
        return f'"\\\\x{value.hex()}"'
    return str(value)


@cache
def _insert_sql(
    table: sa.Table, columns: tuple[str, ...], ending: str, mark: str
) -> str:
    names = ", ".join(columns)
    if mark:
        marks = ", ".join([mark] * len(columns))
        return f"INSERT INTO {table.name} ({names}) VALUES ({marks}){ending}"
    arrays = ", ".join(_array(table, name) for name in columns)
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays}){ending}"


@cache
def _adding(table: sa.Table) -> str:
    key = ", ".join(column.name for column in table.primary_key)
    sums = ", ".join(
        f"{one} = {table.name}.{one} + excluded.{one}"
        for one in (column.name for column in table.columns)
        if one not in table.primary_key.columns
    )
    return f" ON CONFLICT ({key}) DO UPDATE SET {sums}"


@cache
def _change_sql(table: sa.Table, columns: tuple[str, ...], add: bool, mark: str) -> str:
    if mark:
        how = f"{{0}} = {{0}} + {mark}" if add else f"{{0}} = {mark}"
        sets = ", ".join(how.format(name) for name in columns)
        return f"UPDATE {table.name} SET {sets} WHERE id = {mark}"
    own = f"{table.name}."
    sets = ", ".join(
        f"{n} = {own}{n} + given.{n}" if add else f"{n} = given.{n}" for n in columns
    )
    arrays = ", ".join(_array(table, name) for name in (*columns, "id"))
    given = ", ".join((*columns, "id"))
    return (
        f"UPDATE {table.name} SET {sets} FROM unnest({arrays}) AS given({given}) "
        f"WHERE {own}id = given.id"
    )


_ARRAYS = {
    sa.BigInteger: "bigint",
    sa.Text: "text",
    sa.Boolean: "boolean",
    sa.LargeBinary: "bytea",
}


def _array(table: sa.Table, column: str) -> str:
    kind = table.c[column].type
    name = next(sql for known, sql in _ARRAYS.items() if isinstance(kind, known))
    return f"%s::{name}[]"

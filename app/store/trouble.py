"""Trouble: what is wrong with the database itself, in words, from what was raised.

A disk that is full or a database that only reads is nobody's message and nobody's
request: it is waited for, and a person is told which of them it is.
"""

import errno
import re
import sqlite3
from typing import Final

import psycopg
import sqlalchemy as sa
from psycopg.errors import (
    DataCorrupted,
    DiskFull,
    IndexCorrupted,
    ProgramLimitExceeded,
    ReadOnlySqlTransaction,
    UndefinedColumn,
    UndefinedTable,
)
from sqlalchemy.engine import Connection

from app.store.engine import PATIENCE, is_sqlite

FULL: Final = "the disk of the database is full"
READ_ONLY: Final = "the database can only be read"
BROKEN: Final = "the disk of the database reports errors"
DAMAGED: Final = "the database is damaged and has to be restored from a backup"
AWAY: Final = "the database does not answer"
REFUSED: Final = (sa.exc.IntegrityError, sa.exc.DataError)
"""No trouble: what the database is told cannot be so, like units fewer than none."""
OUTDATED: Final = (
    "the database was not brought up to this release: run `onecount migrate`"
)

_SQLITE: Final = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: BROKEN,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    # Its files cannot be made: on a full disk or a folder that only reads, as well.
    sqlite3.SQLITE_CANTOPEN: AWAY,
}
_SQLITE_LACKS: Final = re.compile(r"no such (table|column)|table \w+ has no column")
_SYSTEM: Final = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EIO: BROKEN,
}


def trouble(error: BaseException) -> str | None:
    """What is wrong with the database; None when it is not the database's fault."""
    if isinstance(error, sa.exc.TimeoutError):
        return AWAY
    if isinstance(error, sa.exc.DBAPIError):
        found = trouble(error.orig) if error.orig is not None else None
        is_away = isinstance(error, sa.exc.OperationalError)
        return found or (AWAY if is_away or error.connection_invalidated else None)
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        is_away = isinstance(error, sqlite3.OperationalError)
        if is_away and _SQLITE_LACKS.match(str(error)):
            return OUTDATED
        return _SQLITE.get(code, AWAY if is_away else None)
    if isinstance(error, psycopg.Error):
        return _postgres(error)
    if isinstance(error, OSError):
        return _SYSTEM.get(error.errno or 0)
    return None


_SPILL: Final = (
    "SELECT count(*) FROM (SELECT md5(n::text) AS line "
    "FROM generate_series(1, 3000) AS n ORDER BY line OFFSET 0) AS sorted"
)


def need_room(connection: Connection) -> None:
    """Raise the database's own error where PostgreSQL's disk is full.

    A small row goes into a page that is there already, so writing one proves little:
    this sorts more than the memory it is given, which takes a file for a moment.
    (What SQLite commits goes to the end of its log each time.)
    """
    if not is_sqlite(connection):
        connection.exec_driver_sql("SET LOCAL work_mem = '64kB'")
        connection.exec_driver_sql(_SPILL)


def be_impatient(connection: Connection) -> None:
    """Let this transaction wait for PostgreSQL's locks as for a locked SQLite file."""
    if not is_sqlite(connection):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")


def _postgres(error: psycopg.Error) -> str | None:
    if isinstance(error, DiskFull):
        return FULL
    if isinstance(error, ReadOnlySqlTransaction):
        return READ_ONLY
    if isinstance(error, DataCorrupted | IndexCorrupted):
        return DAMAGED
    if isinstance(error, UndefinedTable | UndefinedColumn):
        return OUTDATED
    if isinstance(error, ProgramLimitExceeded):
        # Something is too long for an index: it is what was asked for that is wrong.
        return None
    is_away = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return AWAY if is_away else None

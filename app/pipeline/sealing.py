"""Sealing: ranges of old ledger entries, each with a hash that the next one includes.

Whoever changes, removes or slips in an entry afterwards breaks the seal of its range, and
with it every later one. Sealed in the background: writing an entry costs nothing more.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.instants import SECOND, Instant
from app.store.engine import reading, writing
from app.store.tables import ledger, ledger_seals

PORTION = 1000
"""Entries behind one seal at most."""
AGE: Instant = 10 * SECOND
"""How long after it was written an entry may be sealed."""

_encode = msgspec.json.Encoder().encode


def seal(engine: Engine, now: Instant, portion: int = PORTION) -> int:
    """Seal what is old enough; return how many entries were."""
    sealed = 0
    while True:
        with reading(engine) as connection:
            after, known = _last(connection)
            rows = _entries(connection, after, now - AGE, portion)
        if not rows:
            return sealed
        with writing(engine) as connection:
            if _last(connection)[0] != after:
                return sealed  # somebody else sealed it meanwhile
            connection.execute(
                ledger_seals.insert().values(
                    first_id=after + 1,
                    last_id=rows[-1][0],
                    entries=len(rows),
                    hash=_hash(known, rows),
                    sealed_at=now,
                )
            )
        sealed += len(rows)


def broken(connection: Connection) -> Iterator[str]:
    """What is wrong with the seals, in sentences; nothing when they hold."""
    known, expected = "", 1
    for one in connection.execute(sa.select(ledger_seals).order_by(ledger_seals.c.id)):
        name = f"the ledger's entries {one.first_id} to {one.last_id}"
        if one.first_id != expected:
            yield f"{name} are not sealed where the range before ends ({expected - 1})"
        rows = _range(connection, one.first_id, one.last_id)
        if len(rows) != one.entries:
            yield f"{name} were {one.entries} when they were sealed, now {len(rows)}"
        elif _hash(known, rows) != one.hash:
            yield f"{name} are not what was sealed: one of them was changed"
        known, expected = one.hash, one.last_id + 1


def _last(connection: Connection) -> tuple[int, str]:
    newest = connection.execute(
        sa.select(ledger_seals.c.last_id, ledger_seals.c.hash)
        .order_by(ledger_seals.c.id.desc())
        .limit(1)
    ).first()
    return (0, "") if newest is None else (newest.last_id, newest.hash)


_COLUMNS = sorted(ledger.c, key=lambda column: (column.name != "id", column.name))


def _entries(
    connection: Connection, after: int, until: Instant, portion: int
) -> Sequence[sa.Row[Any]]:
    """The next entries that are old enough, without a gap of younger ones."""
    found = connection.execute(
        sa.select(*_COLUMNS)
        .where(ledger.c.id > after)
        .order_by(ledger.c.id)
        .limit(portion)
    ).all()
    place = [column.name for column in _COLUMNS].index("recorded_at")
    old = next((n for n, row in enumerate(found) if row[place] > until), len(found))
    return found[:old]


def _range(connection: Connection, first: int, last: int) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(*_COLUMNS)
        .where(ledger.c.id >= first, ledger.c.id <= last)
        .order_by(ledger.c.id)
    ).all()


def _hash(before: str, rows: Sequence[sa.Row[Any]]) -> str:
    told = hashlib.sha256(before.encode())
    for row in rows:
        told.update(_encode(tuple(row)) + b"\n")
    return told.hexdigest()

"""Sealing: ranges of old ledger entries, each with a hash that the next one includes.

Whoever changes, removes or slips in an entry afterwards breaks the seal of its range, and
with it every later one. Sealed in the background: writing an entry costs nothing more.
"""

import hashlib
import json
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
PORTIONS = 20
"""Seals per round: what else the scheduler does must not wait for a long ledger."""
AGE: Instant = 10 * SECOND
"""How long after it was written an entry may be sealed."""

_encode = msgspec.json.Encoder().encode


def seal(engine: Engine, now: Instant, portion: int = PORTION) -> int:
    """Seal what is old enough, some of it; return how many entries were."""
    sealed = 0
    for _ in range(PORTIONS):
        with reading(engine) as connection:
            after, known = _last(connection)
            rows = _entries(connection, after, now - AGE, portion)
        if not rows:
            break
        with writing(engine) as connection:
            if _last(connection)[0] != after:
                break  # somebody else sealed it meanwhile
            connection.execute(
                ledger_seals.insert().values(
                    first_id=after + 1,
                    last_id=rows[-1][0],
                    entries=len(rows),
                    hash=_hash(known, rows),
                    previous=known,
                    marks=json.dumps(_marks(rows)),
                    sealed_at=now,
                )
            )
        sealed += len(rows)
    return sealed


def broken(connection: Connection) -> Iterator[str]:
    """What is wrong with the seals, in sentences; nothing when they hold."""
    known, expected = "", 1
    for one in connection.execute(
        sa.select(ledger_seals).order_by(ledger_seals.c.first_id)
    ):
        name = f"the ledger's entries {one.first_id} to {one.last_id}"
        if one.first_id != expected:
            yield f"{name} are not sealed where the range before ends ({expected - 1})"
        elif one.previous != known:
            yield f"{name} were sealed after another seal than the one before them now"
        rows = _range(connection, one.first_id, one.last_id)
        if _hash(one.previous, rows) != one.hash or len(rows) != one.entries:
            yield f"{name} are not what was sealed: {_blamed(one, rows)}"
        known, expected = one.hash, one.last_id + 1


def newest(connection: Connection) -> str | None:
    """The newest seal, in words: whoever keeps them elsewhere can prove the ledger."""
    last, hashed = _last(connection)
    return f"sealed up to ledger entry {last}: {hashed}" if last else None


_NAMED = 10
"""Entries named per range at most."""


def _blamed(seal: sa.Row[Any], rows: Sequence[sa.Row[Any]]) -> str:
    """Which entries it is, by their own marks."""
    then, now = json.loads(seal.marks), _marks(rows)
    both = [id_ for id_ in now if id_ in then]
    blamed = [
        f"{word} {', '.join(ids[:_NAMED])}{' …' if len(ids) > _NAMED else ''}"
        for word, ids in (
            ("changed:", [id_ for id_ in both if now[id_] != then[id_]]),
            ("gone:", [id_ for id_ in then if id_ not in now]),
            ("slipped in:", [id_ for id_ in now if then and id_ not in then]),
        )
        if ids
    ]
    return "; ".join(blamed) or f"{seal.entries} entries then, {len(rows)} now"


def _last(connection: Connection) -> tuple[int, str]:
    newest = connection.execute(
        sa.select(ledger_seals.c.last_id, ledger_seals.c.hash)
        .order_by(ledger_seals.c.first_id.desc())
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


def _marks(rows: Sequence[sa.Row[Any]]) -> dict[str, str]:
    return {
        str(row[0]): hashlib.sha256(_encode(tuple(row))).hexdigest()[:8] for row in rows
    }


def _hash(before: str, rows: Sequence[sa.Row[Any]]) -> str:
    told = hashlib.sha256(before.encode())
    for row in rows:
        told.update(_encode(tuple(row)) + b"\n")
    return told.hexdigest()

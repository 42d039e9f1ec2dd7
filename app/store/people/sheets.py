"""Spreadsheets that people brought to the dashboard, and what became of each."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import sheets


class Brought(NamedTuple):
    """A file as it was read; `rows` and `problems` begin with the line's number."""

    kind: str
    name: str
    digest: str
    source: str
    rows: Sequence[Any]
    problems: Sequence[Any]


def put(connection: Connection, brought: Brought, actor: str, now: Instant) -> int:
    """Keep a file that was read; return its id."""
    return bulk.insert_one(
        connection,
        sheets,
        at=now,
        actor=actor,
        kind=brought.kind,
        name=brought.name,
        digest=brought.digest,
        source=brought.source,
        rows=json.dumps(brought.rows),
        problems=json.dumps(brought.problems),
    )


def one(connection: Connection, sheet_id: int) -> RowMapping | None:
    """A file by its id."""
    found = connection.execute(sa.select(sheets).where(sheets.c.id == sheet_id))
    return found.mappings().first()


def latest(connection: Connection, limit: int) -> Sequence[RowMapping]:
    """The newest files first, without their rows."""
    columns = [
        one for one in sheets.c if one.name not in ("rows", "problems", "before")
    ]
    query = sa.select(*columns).order_by(sheets.c.id.desc()).limit(limit)
    return connection.execute(query).mappings().all()


def same(connection: Connection, row: RowMapping) -> Instant | None:
    """When the very same file was let in before, if that still stands."""
    query = sa.select(sa.func.max(sheets.c.applied_at)).where(
        sheets.c.digest == row["digest"],
        sheets.c.kind == row["kind"],
        sheets.c.id != row["id"],
        sheets.c.undone_at.is_(None),
    )
    return connection.execute(query).scalar()


def begin(connection: Connection, sheet_id: int, by: str, now: Instant) -> None:
    """Say that a file is to be let in; pressed again, it is the time of the first."""
    stands = sheets.c.id == sheet_id, sheets.c.applied_at.is_(None)
    connection.execute(
        sheets.update().where(*stands).values(applied_at=now, asked_by=by)
    )


def begin_undo(connection: Connection, sheet_id: int, by: str, now: Instant) -> bool:
    """Say that a file is to be undone; False when that was said, or it is not in."""
    stands = (
        sheets.c.id == sheet_id,
        sheets.c.finished_at.is_not(None),
        sheets.c.undoing_at.is_(None),
    )
    asked = sheets.update().where(*stands).values(undoing_at=now, asked_by=by)
    return connection.execute(asked).rowcount == 1


def in_hand(connection: Connection) -> Sequence[int]:
    """Files that are being let in or undone."""
    query = sa.select(sheets.c.id).where(
        sheets.c.applied_at.is_not(None),
        sheets.c.undone_at.is_(None),
        sheets.c.finished_at.is_(None) | sheets.c.undoing_at.is_not(None),
    )
    return connection.execute(query.order_by(sheets.c.id)).scalars().all()


def before(connection: Connection, sheet_id: int) -> list[Any]:
    """What there was before each portion; nobody else adds to it meanwhile."""
    query = sa.select(sheets.c.before).where(sheets.c.id == sheet_id)
    found: list[Any] = json.loads(
        connection.execute(query.with_for_update()).scalar_one()
    )
    return found


def remember(connection: Connection, sheet_id: int, had: Sequence[Any]) -> None:
    """Keep what there was before each portion."""
    here = sheets.update().where(sheets.c.id == sheet_id)
    connection.execute(here.values(before=json.dumps(had)))


def move(connection: Connection, row: RowMapping, done: int, **values: Any) -> bool:
    """Say how far a file has got since it was read; False when somebody else did."""
    stands = (
        sheets.c.id == row["id"],
        sheets.c.done == row["done"],
        sheets.c.finished_at.is_not_distinct_from(row["finished_at"]),
        sheets.c.undone_at.is_(None),
    )
    moved = sheets.update().where(*stands).values(done=done, **values)
    return connection.execute(moved).rowcount == 1


def stop_undo(connection: Connection, row: RowMapping, words: str) -> None:
    """Undo no more of a file, and say why."""
    told = json.loads(row["result"]) | {"stopped": words}
    values = {"undoing_at": None, "result": json.dumps(told)}
    connection.execute(sheets.update().where(sheets.c.id == row["id"]).values(**values))


def prune(connection: Connection, before: Instant) -> None:
    """Forget files that are old; what they changed stays."""
    connection.execute(sheets.delete().where(sheets.c.at < before))

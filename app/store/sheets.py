"""Spreadsheets that people brought to the dashboard, and what became of each."""

import json
from collections.abc import Mapping, Sequence
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


def begin(
    connection: Connection, sheet_id: int, now: Instant, before: Sequence[Any]
) -> Instant:
    """Say that a file is let in, and what there was before; pressed again, it is the
    time of the first press."""
    stands = sheets.c.id == sheet_id, sheets.c.applied_at.is_(None)
    values = {"applied_at": now, "before": json.dumps(before)}
    connection.execute(sheets.update().where(*stands).values(**values))
    query = sa.select(sheets.c.applied_at).where(sheets.c.id == sheet_id)
    return int(connection.execute(query).scalar_one())


def finish(connection: Connection, sheet_id: int, result: Mapping[str, Any]) -> None:
    """Keep what became of a file, the first time."""
    stands = sheets.c.id == sheet_id, sheets.c.result == "{}"
    told = json.dumps(result)
    connection.execute(sheets.update().where(*stands).values(result=told))


def undo(connection: Connection, sheet_id: int, now: Instant) -> bool:
    """Say that a file is undone; False when somebody else was first."""
    stands = sheets.c.id == sheet_id, sheets.c.undone_at.is_(None)
    done = connection.execute(sheets.update().where(*stands).values(undone_at=now))
    return done.rowcount == 1


def prune(connection: Connection, before: Instant) -> None:
    """Forget files that are old; what they changed stays."""
    connection.execute(sheets.delete().where(sheets.c.at < before))

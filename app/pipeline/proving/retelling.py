"""Retelling: the stock events of a database, told again into an empty one beside it.

With the same configuration, and with what each name meant when it was told first. What
was superseded is told again too, for it must lose again; not so where a note says why
its arrival mattered. What waits, and what was quarantined, has moved nothing.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.errors import MalformedPayload
from app.domain.events import WHOLE
from app.domain.instants import Instant
from app.pipeline.apply import apply
from app.pipeline.applying.told import (
    POSTED,
    SUPERSEDED,
    Meant,
    Told,
    event_of,
    whole_of,
)
from app.pipeline.house import read_house
from app.store.engine import open_engine, writing
from app.store.tables import (
    channel_locations,
    channels,
    listings,
    locations,
    metadata,
    recipes,
    sku_aliases,
    skus,
    stock_events,
)

BATCH = 100
_CONFIGURATION = (
    channels,
    locations,
    channel_locations,
    skus,
    sku_aliases,
    recipes,
    listings,
)

Progress = Callable[[int, int], None]
"""How many events are told, of how many."""


def tellable(connection: Connection) -> list[int]:
    """Ids of the stock events that are to be told again, as they were told first."""
    verdict, note = stock_events.c.verdict, stock_events.c.note
    lost = sa.and_(verdict == SUPERSEDED, note.is_(None))
    found = connection.execute(
        sa.select(stock_events.c.id)
        .where(sa.or_(verdict == POSTED, lost))
        .order_by(stock_events.c.id)
    )
    return list(found.scalars())


@contextmanager
def told_again(
    connection: Connection,
    ids: Sequence[int],
    now: Instant,
    progress: Progress | None = None,
) -> Iterator[Engine]:
    """A temporary database in which these events were told, in this order."""
    with _empty() as engine:
        with writing(engine, durable=False) as copy:
            _copy_configuration(connection, copy)
            house = read_house(copy)
        for first in range(0, len(ids), BATCH):
            told = _told(connection, ids[first : first + BATCH])
            with writing(engine, durable=False) as copy:
                apply(copy, house, told, now)
            if progress is not None:
                progress(first + len(told), len(ids))
        yield engine


@contextmanager
def _empty() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="onecount-") as folder:
        file = Path(folder) / "retelling.db"
        with closing(sqlite3.connect(file)) as new:
            new.executescript(_schema())
        engine = open_engine(f"sqlite:///{file}")
        sa.event.listen(engine, "connect", _let_pass)
        try:
            yield engine
        finally:
            engine.dispose()


@cache
def _schema() -> str:
    """Every table and index: to word them takes longer than to tell a hundred events."""
    script: list[str] = []

    def write(ddl: Any, *_: Any, **__: Any) -> None:
        script.append(str(ddl.compile(dialect=worder.dialect)))

    worder = sa.create_mock_engine("sqlite://", write)
    metadata.create_all(worder, checkfirst=False)
    return ";\n".join(script)


def _let_pass(connection: Any, _entry: object) -> None:
    """Told in another order, units may be judged before they came back."""
    connection.execute("PRAGMA ignore_check_constraints=ON").close()


def _copy_configuration(here: Connection, there: Connection) -> None:
    """Channels refer to locations and the other way round: check when all is there."""
    there.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    for table in _CONFIGURATION:
        rows = [dict(row) for row in here.execute(sa.select(table)).mappings()]
        if table is channels:
            rows = [{**row, "secrets": ""} for row in rows]
        if rows:
            there.execute(table.insert(), rows)


def _told(connection: Connection, ids: Sequence[int]) -> list[Told]:
    found = connection.execute(
        sa.select(stock_events).where(stock_events.c.id.in_(ids))
    )
    rows = {row.id: row for row in found}
    return [_readable(rows[id_]) for id_ in ids]


def _readable(row: Any) -> Told:
    try:
        return _retold(row)
    except (ValueError, TypeError, KeyError) as error:
        raise MalformedPayload(
            f"stock event {row.id} ({row.key}) cannot be told again: its details are "
            "not as they were written"
        ) from error


def _retold(row: Any) -> Told:
    # Never clamped again: that was done by the clock of the first time.
    received_at = max(row.recorded_at, row.version, row.occurred_at)
    if row.kind == WHOLE:
        order = whole_of(row)
        return Told(row.channel_id, (), received_at, (order,), actor=row.actor)
    meant = Meant(row.sku_id, row.location_id, row.to_location_id)
    return Told(
        row.channel_id, [event_of(row)], received_at, actor=row.actor, meant=[meant]
    )

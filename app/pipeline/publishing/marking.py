"""Marking: which publications are wanted, read off the ledger. Before step 5.

The ledger is the feed of changes: entries get their ids one applier at a time, so a
channel only remembers up to which entry its rows are marked. Applying costs the same
for two channels and for twenty; a mark cannot get lost, because it is the entry itself;
and ten sales that come while a channel is busy are one mark.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.instants import Instant
from app.store.configuration import channels
from app.store.engine import is_sqlite, reading, writing
from app.store.publishing import marks

PORTION = 500
"""Entries per transaction: others write in between."""


def mark_all(engine: Engine, now: Instant) -> set[str]:
    """Mark the rows of every channel that publishes; return the lanes to wake."""
    with reading(engine) as connection:
        rows, last = channels.rows(connection), marks.last_entry(connection)
    return {
        f"outbound:{channel['key']}"
        for channel in rows
        if channel["publish"] is not None and _mark_upto(engine, channel, last, now)
    }


def mark(engine: Engine, channel: RowMapping, now: Instant) -> bool:
    """Mark a channel's rows wanted for every entry since it was last marked.

    False when there was nothing new. Two who do it at once mark a row twice, which says
    nothing new; one of them moves the channel's mark.
    """
    with reading(engine) as connection:
        last = marks.last_entry(connection)
    return _mark_upto(engine, channel, last, now)


def _mark_upto(engine: Engine, channel: RowMapping, last: int, now: Instant) -> bool:
    after = channel["marked_to"]
    while after < last:
        upto = min(last, after + PORTION)
        with writing(engine, durable=False) as connection:
            if not _mark(connection, channel, after, upto, now):
                break
        after = upto
    return bool(after > channel["marked_to"])


@contextmanager
def marked(
    engine: Engine, channel: RowMapping, last: int, now: Instant
) -> Iterator[Connection]:
    """A write transaction in which a channel's rows are marked, up to the `last` entry
    at least.

    On SQLite they are marked in it: one wait for the gate instead of two. On PostgreSQL
    everybody locks rows in the order of their ids, and those that are sent next may
    come before those that are marked: so they are before it begins.
    """
    is_near = is_sqlite(engine) and last - channel["marked_to"] <= PORTION
    if not is_near:
        _mark_upto(engine, channel, last, now)
    with writing(engine, planned_once=True) as connection:
        if is_near:
            after, newest = channel["marked_to"], marks.last_entry(connection)
            if after < newest:
                _mark(connection, channel, after, newest, now)
        yield connection


def _mark(
    connection: Connection, channel: RowMapping, after: int, upto: int, now: Instant
) -> bool:
    """Mark for some entries; False when somebody else just did."""
    marks.mark_changed(connection, channel["id"], after, upto, now)
    return marks.move_mark(connection, channel["id"], after, upto)

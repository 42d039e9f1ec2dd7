"""Waiting: the messages of the inbox that are to be applied: found, claimed, settled."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.store import bulk, driver
from app.store.engine import is_sqlite
from app.store.tables import inbox

AGAIN: Final = "apply again"
"""The lane of what was read before: its turn is when nothing else waits."""
LANES: Final = ("apply", AGAIN)
"""The applier's lanes, in the order in which they have their turn."""


class Stored(NamedTuple):
    """A message as it lies in the inbox."""

    id: int
    channel_id: int
    topic: str | None
    headers: str
    body: bytes | None
    document: str | None
    fetched: str | None
    fetched_at: Instant | None
    received_at: Instant
    lane: str

    @property
    def is_read_again(self) -> bool:
        """Whether it was read before: it says nothing that is new."""
        return self.lane == AGAIN


# Written out, for the index of what waits: PostgreSQL finds it by the words alone.
_IS_OURS = f"state = 'waiting' AND lane IN {LANES}"
_OF_LANE = (
    "SELECT id FROM (SELECT id FROM inbox WHERE state = 'waiting' AND lane = '{lane}' "
    "ORDER BY id LIMIT {{given}}) AS {name}"
)
_LONGEST = " UNION ALL ".join(
    _OF_LANE.format(lane=lane, name=name)
    for lane, name in zip(LANES, ("first", "again"), strict=True)
)
_THESE = f"SELECT {', '.join(Stored._fields)} FROM inbox WHERE id {{among}}"
_SETTLED = (
    "state",
    "lane",
    "topic",
    "document",
    "wants",
    "error",
    "settled_at",
    "body",
)


def longest(connection: Connection, most: int) -> list[int]:
    """The ids of those that have waited for longest; then of those to be read again."""
    query = f"{_LONGEST} LIMIT {{given}}".replace("{given}", driver.slot(connection))
    return [id_ for (id_,) in driver.fetched(connection, query, (most,) * 3)]


def claim(connection: Connection, ids: Sequence[int]) -> list[Stored]:
    """Those of these that still wait, for this transaction alone."""
    query = f"{_THESE} AND {_IS_OURS} ORDER BY id"
    if not is_sqlite(connection):
        query += " FOR UPDATE SKIP LOCKED"
    return [Stored(*row) for row in bulk.select(connection, query, ids, "bigint")]


def let_go(connection: Connection, ids: Sequence[int]) -> None:
    """Forget messages that are nobody's."""
    if ids:
        connection.execute(inbox.delete().where(inbox.c.id.in_(ids)))


def message(connection: Connection, id_: int) -> Stored:
    """One message, whatever became of it."""
    (row,) = bulk.select(connection, _THESE, [id_], "bigint")
    return Stored(*row)


def settle(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write back claimed messages: rows in the order of `_SETTLED`, the id last."""
    bulk.change(connection, inbox, _SETTLED, rows)

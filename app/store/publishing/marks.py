"""Marks: how far a channel has read the ledger on, and which of its rows that changes.

Entries get their ids one applier at a time, so an id says what has been seen.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.domain.states import AVAILABLE
from app.store import driver
from app.store.engine import is_sqlite
from app.store.publishing.publications import MARK_SOLD
from app.store.tables import channels, kit_parts, ledger, publications

_MOVED = f"""
SELECT sku_id FROM ledger WHERE id > {{given}} AND id <= {{given}}
AND (from_state = '{AVAILABLE}' OR to_state = '{AVAILABLE}')
"""
_CHANGED = f"""
SELECT id FROM publications WHERE channel_id = {{given}} AND sku_id IN (
  {_MOVED} UNION SELECT kit_id FROM kit_parts WHERE sku_id IN ({_MOVED}))
"""
_MARK_CHANGED = MARK_SOLD.replace("{these}", f"id IN ({_CHANGED})")
_MARK_CHANGED_IN_ORDER = MARK_SOLD.replace(
    "{these}", f"id = ANY(ARRAY({_CHANGED} ORDER BY id FOR UPDATE))"
)
_NEWEST = "SELECT coalesce(max(id), 0) FROM ledger"
_MOVE_MARK = (
    "UPDATE channels SET marked_to = {given} WHERE id = {given} AND marked_to = {given}"
)


def last_entry(connection: Connection) -> int:
    """The id of the newest ledger entry, 0 before the first."""
    ((newest,),) = driver.fetched(connection, _NEWEST)
    return int(newest)


def mark_changed(
    connection: Connection, channel_id: int, after: int, upto: int, now: Instant
) -> None:
    """Say that a channel's rows may have changed whose SKUs these entries changed."""
    mark = _MARK_CHANGED if is_sqlite(connection) else _MARK_CHANGED_IN_ORDER
    _run(connection, mark, (now, channel_id, after, upto, after, upto))


def move_mark(connection: Connection, channel_id: int, after: int, upto: int) -> bool:
    """Note how far a channel's rows are marked; False when somebody else just did."""
    return bool(_run(connection, _MOVE_MARK, (upto, channel_id, after)).rowcount)


def _run(connection: Connection, statement: str, values: tuple[int, ...]) -> Any:
    text = statement.replace("{given}", driver.slot(connection))
    return driver.executed(connection, text, values)


def is_behind() -> sa.ColumnElement[bool]:
    """Whether an entry changed this row's SKU, or a component of it, that its channel
    has not marked yet.

    The few entries since are read once, not for every row.
    """
    row = sa.tuple_(publications.c.channel_id, publications.c.sku_id)
    return row.in_(_changed())


def behind() -> sa.Select[tuple[int]]:
    """The ids of all rows that are."""
    changed = _changed().subquery()
    return sa.select(publications.c.id).join(
        changed,
        sa.and_(
            publications.c.sku_id == changed.c.sku_id,
            publications.c.channel_id == changed.c.id,
        ),
    )


def _changed() -> sa.CompoundSelect[tuple[int, int]]:
    """Channel and SKU of what moved after the channel's mark, kits among them."""
    channel = channels.alias("behind")
    moved = (
        sa.select(channel.c.id, ledger.c.sku_id)
        .join(ledger, ledger.c.id > channel.c.marked_to)
        .where(
            channel.c.publish.is_not(None),
            sa.or_(ledger.c.from_state == AVAILABLE, ledger.c.to_state == AVAILABLE),
        )
        .cte()
    )
    return sa.union(
        sa.select(moved.c.id, moved.c.sku_id),
        sa.select(moved.c.id, kit_parts.c.kit_id).join(
            kit_parts, kit_parts.c.sku_id == moved.c.sku_id
        ),
    )

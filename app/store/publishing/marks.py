"""Marks: how far a channel has read the ledger on, and which of its rows that changes.

Entries get their ids one applier at a time, so an id says what has been seen.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.domain.states import AVAILABLE
from app.store.engine import is_sqlite
from app.store.publishing.publications import MARK_SOLD
from app.store.tables import channels, kit_parts, ledger, publications

_MOVED = f"""
SELECT sku_id FROM ledger WHERE id > :after AND id <= :upto
AND (from_state = '{AVAILABLE}' OR to_state = '{AVAILABLE}')
"""
_CHANGED = f"""
SELECT id FROM publications WHERE channel_id = :channel AND sku_id IN (
  {_MOVED} UNION SELECT kit_id FROM kit_parts WHERE sku_id IN ({_MOVED}))
"""
_MARK_THEN = MARK_SOLD.replace("{given}", ":now")
_MARK_CHANGED = sa.text(_MARK_THEN.replace("{these}", f"id IN ({_CHANGED})"))
_MARK_CHANGED_IN_ORDER = sa.text(
    _MARK_THEN.replace("{these}", f"id = ANY(ARRAY({_CHANGED} ORDER BY id FOR UPDATE))")
)
_NEWEST = sa.select(sa.func.coalesce(sa.func.max(ledger.c.id), 0))
_MOVE_MARK = sa.text(
    "UPDATE channels SET marked_to = :upto WHERE id = :channel AND marked_to = :after"
)


def last_entry(connection: Connection) -> int:
    """The id of the newest ledger entry, 0 before the first."""
    return int(connection.execute(_NEWEST).scalar_one())


def mark_changed(
    connection: Connection, channel_id: int, after: int, upto: int, now: Instant
) -> None:
    """Say that a channel's rows may have changed whose SKUs these entries changed."""
    mark = _MARK_CHANGED if is_sqlite(connection) else _MARK_CHANGED_IN_ORDER
    given = {"channel": channel_id, "after": after, "upto": upto, "now": now}
    connection.execute(mark, given)


def move_mark(connection: Connection, channel_id: int, after: int, upto: int) -> bool:
    """Note how far a channel's rows are marked; False when somebody else just did."""
    given = {"channel": channel_id, "after": after, "upto": upto}
    return bool(connection.execute(_MOVE_MARK, given).rowcount)


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

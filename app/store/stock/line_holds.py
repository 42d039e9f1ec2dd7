"""The holds that order lines are while they wait for their payment.

Rows of `holds` like any other, but made and ended by what their cases say.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.store import bulk, numbering
from app.store.stock.holds import ACTIVE
from app.store.tables import hold_lines, holds


class LineHold(NamedTuple):
    """What one order line holds."""

    line_key: str
    hold_id: str
    reference: str
    """The order's number, for people."""
    sku_id: int
    units: Mapping[int, int]
    """Location id → units; nothing when it has ended."""
    began: Instant
    until: Instant
    ended: str
    """The state in which it has ended, if it keeps no units."""
    at: Instant


_COLUMNS = ("state", "reference", "created_at", "expires_at", "ended_at")
_NEW = ("id", "hold_id", "line_key", *_COLUMNS)
_LINES = ("hold", "sku_id", "location_id", "quantity")


def keep(connection: Connection, wanted: Sequence[LineHold]) -> None:
    """Make these holds, change them, or end them."""
    keys = [one.line_key for one in wanted]
    known = {
        key: (id_, state, expires_at)
        for key, id_, state, expires_at in bulk.select(
            connection,
            "SELECT line_key, id, state, expires_at FROM holds WHERE line_key {among}",
            keys,
        )
    }
    new = [one for one in wanted if one.units and one.line_key not in known]
    ids = dict(
        zip(
            (one.line_key for one in new),
            numbering.next_ids(connection, holds, len(new)),
            strict=True,
        )
    )
    bulk.insert(
        connection,
        holds,
        _NEW,
        [(ids[one.line_key], one.hold_id, one.line_key, *_values(one)) for one in new],
    )
    changed = [
        (known[one.line_key][0], one)
        for one in wanted
        if one.line_key in known and (one.units or known[one.line_key][1] == ACTIVE)
    ]
    bulk.change(
        connection, holds, _COLUMNS, [(*_values(one), id_) for id_, one in changed]
    )
    ids |= {one.line_key: id_ for id_, one in changed if one.units}
    _set_lines(connection, [(ids[o.line_key], o) for o in wanted if o.line_key in ids])


def _values(one: LineHold) -> tuple[object, ...]:
    state, ended_at = (ACTIVE, None) if one.units else (one.ended, one.at)
    return state, one.reference, one.began, one.until, ended_at


def _set_lines(connection: Connection, holding: Sequence[tuple[int, LineHold]]) -> None:
    """What they hold now; those that ended keep what they held last."""
    ids = [id_ for id_, _ in holding]
    if not ids:
        return
    connection.execute(hold_lines.delete().where(hold_lines.c.hold.in_(ids)))
    rows = [
        (id_, one.sku_id, place, units)
        for id_, one in holding
        for place, units in sorted(one.units.items())
    ]
    bulk.insert(connection, hold_lines, _LINES, rows)


def forget(connection: Connection) -> None:
    """End all of them: who still holds something will be told anew."""
    connection.execute(
        holds.update()
        .where(holds.c.line_key.is_not(None), holds.c.state == ACTIVE)
        .values(state="released", ended_at=holds.c.expires_at)
    )

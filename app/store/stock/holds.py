"""Holds and their lines: found, made, ended exactly once.

Those of order lines that wait for their payment are made in `line_holds`.
"""

import json
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.store import bulk, numbering
from app.store.tables import hold_lines, holds, locations, skus, stock_events

ACTIVE: Final = "active"
COMMITTED: Final = "committed"
RELEASED: Final = "released"
EXPIRED: Final = "expired"


def _lines() -> sa.Select[Any]:
    return (
        sa.select(
            holds.c.id,
            holds.c.hold_id,
            holds.c.reference,
            holds.c.line_key,
            holds.c.created_at,
            holds.c.expires_at,
            hold_lines.c.id.label("line_id"),
            hold_lines.c.sku_id,
            hold_lines.c.quantity,
            skus.c.sku,
            locations.c.code.label("location"),
        )
        .join(hold_lines, hold_lines.c.hold == holds.c.id)
        .join(skus, skus.c.id == hold_lines.c.sku_id)
        .join(locations, locations.c.id == hold_lines.c.location_id)
        .order_by(holds.c.id, hold_lines.c.id)
    )


def _own_lines() -> sa.Select[Any]:
    """Lines as they were claimed: a kit is one, whatever it is made of."""
    return _lines().where(hold_lines.c.part_of.is_(None))


def _grouped(rows: Sequence[Any]) -> dict[int, list[Any]]:
    return {key: list(found) for key, found in groupby(rows, key=lambda row: row.id)}


def find(connection: Connection, hold_id: str) -> sa.RowMapping | None:
    """One hold by its public id."""
    found = connection.execute(sa.select(holds).where(holds.c.hold_id == hold_id))
    return found.mappings().first()


def lines(connection: Connection, hold: int) -> list[Any]:
    """What a hold holds."""
    return list(connection.execute(_own_lines().where(holds.c.id == hold)))


def standing(
    connection: Connection, sku_id: int, moment: Instant, limit: int
) -> Sequence[sa.RowMapping]:
    """The lines of holds that had begun by a moment and that nothing had ended yet.

    Those that had expired stand until somebody sweeps them up; newest first.
    """
    query = _lines().where(
        hold_lines.c.sku_id == sku_id,
        holds.c.created_at <= moment,
        sa.or_(holds.c.ended_at.is_(None), holds.c.ended_at > moment),
    )
    newest_first = query.order_by(None).order_by(hold_lines.c.id.desc())
    return connection.execute(newest_first.limit(limit)).mappings().all()


def referring(
    connection: Connection, references: Collection[str], now: Instant
) -> dict[int, list[Any]]:
    """Active holds for these references, with their lines."""
    found = bulk.select(connection, _REFERRING, references, given=(now,))
    if not found:
        return {}
    ids = [row[0] for row in found]
    return _grouped(connection.execute(_own_lines().where(holds.c.id.in_(ids))).all())


_REFERRING: Final = (
    f"SELECT id FROM holds WHERE expires_at > {{given}} AND state = '{ACTIVE}' "
    "AND line_key IS NULL AND reference {among}"
)
"""Nearly always none: so every batch of orders and sales asks the driver itself."""


def overdue(
    connection: Connection, now: Instant, sku_ids: Collection[int] | None = None
) -> dict[int, list[Any]]:
    """Active holds whose time is over, with all their lines."""
    if sku_ids is None:
        over: Any = sa.select(holds.c.id).where(
            holds.c.state == ACTIVE, holds.c.expires_at <= now
        )
    else:
        found = bulk.select(connection, _OVER, sku_ids, "bigint", (now,))
        over = [id_ for (id_,) in found]
        if not over:
            return {}
    return _grouped(connection.execute(_own_lines().where(holds.c.id.in_(over))).all())


_OVER = (
    "SELECT DISTINCT h.id FROM holds h JOIN hold_lines hl ON hl.hold = h.id "
    "WHERE h.state = 'active' AND h.expires_at <= {given} AND hl.sku_id {among}"
)


def known(
    connection: Connection, hold_ids: Collection[str]
) -> dict[str, tuple[str, Instant]]:
    """Those of these public ids that there are: their states, and when they expire."""
    query = "SELECT hold_id, state, expires_at FROM holds WHERE hold_id {among}"
    rows = bulk.select(connection, query, sorted(hold_ids))
    return {hold_id: (state, expires_at) for hold_id, state, expires_at in rows}


class New(NamedTuple):
    """An active hold to be made."""

    hold_id: str
    reference: str | None
    actor: str
    created_at: Instant
    expires_at: Instant


class Line(NamedTuple):
    """Units of one hold: what was claimed, or what a kit's line holds of a component."""

    hold: int
    sku_id: int
    location_id: int
    quantity: int
    part_of: int | None = None


def rows_of(made: int, lines: int, events: int) -> dict[sa.Table, int]:
    """The rows that so many new holds are, with their lines and stock events."""
    return {holds: made, hold_lines: lines, stock_events: events}


def make(
    connection: Connection,
    new: Sequence[New],
    lines: int,
    events: int,
    reserved: Sequence[Sequence[int]] = (),
) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Insert active holds, inside an `applying` transaction; return their ids, and ids
    for so many lines and stock events about to be inserted: those that were reserved
    for `rows_of` as many, if they are enough."""
    counts = rows_of(len(new), lines, events)
    ids, line_ids, event_ids = numbering.next_ids_of(connection, counts, reserved)
    columns = ("id", "state", *New._fields)
    rows = [(id_, ACTIVE, *one) for id_, one in zip(ids, new, strict=True)]
    bulk.insert(connection, holds, columns, rows)
    return ids, line_ids, event_ids


def add_lines(connection: Connection, new: Sequence[tuple[int, Line]]) -> None:
    """Insert lines with the ids that were reserved for them."""
    columns = ("id", *Line._fields)
    bulk.insert(connection, hold_lines, columns, [(id_, *line) for id_, line in new])


def part(connection: Connection, hold: int, lines: Collection[int]) -> int:
    """Let these lines of an active hold be one of their own; return its id.

    They can be ended then, and the others live on under the name that people know.
    """
    query = sa.select(holds).where(holds.c.id == hold)
    values = dict(connection.execute(query).mappings().one())
    del values["id"]
    values["hold_id"] += f"/{min(lines)}"
    new = bulk.insert_one(connection, holds, **values)
    connection.execute(
        hold_lines.update()
        .where(sa.or_(hold_lines.c.id.in_(lines), hold_lines.c.part_of.in_(lines)))
        .values(hold=new)
    )
    return new


def end(
    connection: Connection,
    hold: int,
    state: str,
    now: Instant,
    answer: dict[str, Any] | None = None,
) -> bool:
    """End an active hold; False when somebody else got there first."""
    changed = connection.execute(
        holds.update()
        .where(holds.c.id == hold, holds.c.state == ACTIVE)
        .values(
            state=state,
            ended_at=now,
            answer=None if answer is None else json.dumps(answer),
        )
    )
    return changed.rowcount == 1

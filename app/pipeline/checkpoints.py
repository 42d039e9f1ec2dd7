"""Counts are checkpoints: what was there at a time, whatever is told later.

The variance is what was counted minus on_hand as of that time. What happened before
but is told afterwards is absorbed where it is posted; see `posting`.
"""

from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.states import Movement
from app.pipeline.house import House
from app.pipeline.posting import Entry, post, scope_states, variance
from app.store import levels
from app.store.tables import checkpoints, ledger, stock_levels


class Judged(Protocol):
    """The part of a verdict that a count needs."""

    key: str
    verdict: str
    event_id: int | None


@dataclass(frozen=True, slots=True)
class Count:
    """One counted SKU at one location."""

    sku_id: int
    location_id: int
    event: StockEvent
    verdict: Judged
    channel_id: int | None
    actor: str | None


def count(
    connection: Connection,
    house: House,
    counted: Count,
    now: Instant,
    suspects: set[int],
) -> set[int]:
    """Post the variance of a count; return channels to wake (`suspects`: see `post`).

    Of two counts of one place at one time, the higher version (then key) counts.
    """
    spot = (counted.sku_id, counted.location_id)
    level = levels.lock(connection, [spot])[spot]
    event = counted.event
    if not _store(connection, counted, level):
        counted.verdict.verdict = "superseded"
        return set()
    states = scope_states(event.scope or "")
    here = levels.quantities(connection, level.id)
    then = sum(here[state] for state in states) - _since(
        connection, spot, states, event.occurred_at
    )
    change = event.quantity - then
    if change == 0:
        return set()
    at, place = event.occurred_at, counted.location_id
    cause = Entry(
        Movement(counted.sku_id, "", place, "", place, at),
        0,
        event.kind,
        counted.verdict.event_id or 0,
        counted.channel_id,
        counted.actor,
    )
    entry = variance(spot, change, at, cause, event.reason)
    return post(connection, house, [entry], now, suspects)


def _store(connection: Connection, counted: Count, level: levels.Level) -> bool:
    """Write the checkpoint down; False when a newer word on it is known."""
    event, key = counted.event, counted.verdict.key
    same = sa.and_(
        checkpoints.c.sku_id == counted.sku_id,
        checkpoints.c.location_id == counted.location_id,
        checkpoints.c.occurred_at == event.occurred_at,
    )
    known = connection.execute(sa.select(checkpoints).where(same)).first()
    if known is not None and (known.version, known.key) >= (event.version, key):
        return False
    connection.execute(checkpoints.delete().where(same))
    connection.execute(
        checkpoints.insert().values(
            sku_id=counted.sku_id,
            location_id=counted.location_id,
            occurred_at=event.occurred_at,
            scope=event.scope or "",
            counted=event.quantity,
            version=event.version,
            key=key,
        )
    )
    connection.execute(
        stock_levels.update()
        .where(stock_levels.c.id == level.id)
        .values(counted_at=max(level.counted_at or 0, event.occurred_at))
    )
    return True


def _since(
    connection: Connection,
    spot: levels.Spot,
    states: tuple[str, ...],
    at: Instant,
) -> int:
    """What later entries changed: few rows for a recent count, however long the
    ledger."""
    gained = sa.case(
        (
            (ledger.c.to_location_id == spot[1]) & ledger.c.to_state.in_(states),
            ledger.c.quantity,
        ),
        else_=0,
    )
    lost = sa.case(
        (
            (ledger.c.from_location_id == spot[1]) & ledger.c.from_state.in_(states),
            ledger.c.quantity,
        ),
        else_=0,
    )
    total = connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(gained - lost), 0)).where(
            ledger.c.sku_id == spot[0], ledger.c.occurred_at > at
        )
    ).scalar_one()
    return int(total)

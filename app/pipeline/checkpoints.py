"""Counts are checkpoints: what was there at a time, whatever is told later.

The variance is what was counted minus on_hand as of that time. What happened before
but is told afterwards is absorbed where it is posted; see `posting`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.states import Movement
from app.pipeline import flagging
from app.pipeline.house import House
from app.pipeline.posting import Entry, post, scope_states, variance
from app.pipeline.told import DUPLICATE, POSTED, QUARANTINED, SUPERSEDED, Verdict
from app.store import levels
from app.store.tables import checkpoints, ledger, stock_events, stock_levels


@dataclass(frozen=True, slots=True)
class Count:
    """One counted SKU at one location."""

    sku_id: int
    location_id: int
    event: StockEvent
    verdict: Verdict
    channel_id: int | None
    actor: str | None

    @property
    def spot(self) -> levels.Spot:
        """What was counted where."""
        return self.sku_id, self.location_id


def count_all(
    connection: Connection,
    house: House,
    counts: Sequence[Count],
    now: Instant,
    suspects: set[int],
) -> set[int]:
    """Post the variances of counts as they were told; return channels to wake
    (`suspects`: see `post`)."""
    woken: set[int] = set()
    settled: list[str] = []
    for number, counted in enumerate(counts):
        level = levels.lock(connection, [counted.spot])[counted.spot]
        if _judge(connection, counted, counts[:number], now):
            settled.append(counted.verdict.key)
        if counted.verdict.verdict == POSTED:
            _store(connection, counted, level)
            woken |= _post(connection, house, counted, level, now, suspects)
    flagging.settle(connection, settled, now)
    return woken


def _judge(
    connection: Connection, counted: Count, earlier: Sequence[Count], now: Instant
) -> bool:
    """Of counts of one place at one time, the higher version (then key) counts; return
    whether it has the higher version.

    Two keys are two counters, and one of them wins; one key that says two things in one
    version is a contradiction.
    """
    event, verdict = counted.event, counted.verdict
    known = connection.execute(sa.select(checkpoints).where(_same(counted))).first()
    if known is None or (known.version, known.key) < (event.version, verdict.key):
        return known is not None and known.version < event.version
    verdict.verdict = SUPERSEDED
    if known.version > event.version:
        return False
    if known.key == verdict.key:
        said = known.counted
        verdict.verdict = DUPLICATE
    else:
        said = _said_before(connection, counted, earlier)
    if said not in (None, event.quantity):
        numbers = (said, event.quantity)
        flagging.contradiction(connection, verdict, numbers, counted.channel_id, now)
    return False


def _same(counted: Count) -> sa.ColumnElement[bool]:
    return sa.and_(
        checkpoints.c.sku_id == counted.sku_id,
        checkpoints.c.location_id == counted.location_id,
        checkpoints.c.occurred_at == counted.event.occurred_at,
    )


def _said_before(
    connection: Connection, counted: Count, earlier: Sequence[Count]
) -> int | None:
    """What the same key said in the same version, although another's count stands."""
    event, verdict = counted.event, counted.verdict
    for one in earlier:
        if (
            (one.verdict.key, one.event.version) == (verdict.key, event.version)
            and (one.spot, one.event.occurred_at) == (counted.spot, event.occurred_at)
            and one.verdict.verdict != QUARANTINED
        ):
            return one.event.quantity
    return connection.execute(
        sa.select(stock_events.c.target)
        .where(
            stock_events.c.key == verdict.key,
            stock_events.c.version == event.version,
            stock_events.c.occurred_at == event.occurred_at,
            stock_events.c.verdict.in_((POSTED, SUPERSEDED)),
        )
        .order_by(stock_events.c.id)
        .limit(1)
    ).scalar()


def _post(
    connection: Connection,
    house: House,
    counted: Count,
    level: levels.Level,
    now: Instant,
    suspects: set[int],
) -> set[int]:
    event, spot = counted.event, counted.spot
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


def _store(connection: Connection, counted: Count, level: levels.Level) -> None:
    event = counted.event
    connection.execute(checkpoints.delete().where(_same(counted)))
    connection.execute(
        checkpoints.insert().values(
            sku_id=counted.sku_id,
            location_id=counted.location_id,
            occurred_at=event.occurred_at,
            scope=event.scope or "",
            counted=event.quantity,
            version=event.version,
            key=counted.verdict.key,
        )
    )
    connection.execute(
        stock_levels.update()
        .where(stock_levels.c.id == level.id)
        .values(counted_at=max(level.counted_at or 0, event.occurred_at))
    )


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

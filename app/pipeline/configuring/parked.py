"""Parked: what waits for a name applies once that is known, as if known before."""

from collections.abc import Sequence
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.pipeline.apply import apply
from app.pipeline.applying.told import NOT_STOCK, PARKED, QUARANTINED, Told, event_of
from app.pipeline.house import House
from app.store.tables import inbox, stock_events


def unpark(connection: Connection, house: House, now: Instant) -> set[int]:
    """Try again what waits for a name; return the channels to wake.

    One that the database refuses is quarantined alone; the others apply.
    """
    told = _parked(connection)
    woken: set[int] = set()
    try:
        with connection.begin_nested():
            woken = _apply_parked(connection, house, told, now)
    except _REFUSED:
        for one in told:
            try:
                with connection.begin_nested():
                    woken |= _apply_parked(connection, house, [one], now)
            except _REFUSED as error:
                _quarantine(connection, one, str(error.orig).splitlines()[0], now)
    _look_again(connection)
    return woken


_REFUSED = (sa.exc.IntegrityError, sa.exc.DataError)


def _parked(connection: Connection) -> list[Told]:
    rows = connection.execute(
        sa.select(stock_events)
        .where(stock_events.c.verdict == PARKED)
        .order_by(stock_events.c.inbox_id, stock_events.c.id)
    ).all()
    told = []
    for (channel_id, inbox_id, actor), group in groupby(
        rows, key=lambda row: (row.channel_id, row.inbox_id, row.actor)
    ):
        waiting = list(group)
        told.append(
            Told(
                channel_id,
                [event_of(row) for row in waiting],
                max(row.recorded_at for row in waiting),
                inbox_id=inbox_id,
                actor=actor,
                rows=[row.id for row in waiting],
            )
        )
    return told


def _apply_parked(
    connection: Connection, house: House, told: Sequence[Told], now: Instant
) -> set[int]:
    if not told:
        return set()
    applied = apply(connection, house, told, now)
    for one, verdicts in zip(told, applied.verdicts, strict=True):
        if all(verdict.verdict != PARKED for verdict in verdicts):
            notes = {v.note or "" for v in verdicts if v.verdict == NOT_STOCK}
            state = outcome(connection, one.inbox_id)
            _settle(connection, one, state, "; ".join(sorted(notes)) or None, now)
    return applied.wake


def outcome(connection: Connection, inbox_id: int | None) -> str:
    """The state of a message of which nothing waits any more."""
    told = stock_events.c.verdict.not_in((PARKED, NOT_STOCK))
    query = sa.select(stock_events.c.id).where(
        stock_events.c.inbox_id == inbox_id, told
    )
    return "applied" if connection.execute(query.limit(1)).first() else "ignored"


def _quarantine(connection: Connection, one: Told, words: str, now: Instant) -> None:
    connection.execute(
        stock_events.update()
        .where(stock_events.c.id.in_(one.rows))
        .values(verdict=QUARANTINED, note=words, waits_for=None)
    )
    _settle(connection, one, "buried", f"the database refused it: {words}", now)


def _settle(
    connection: Connection, one: Told, state: str, error: str | None, now: Instant
) -> None:
    connection.execute(
        inbox.update()
        .where(inbox.c.id == one.inbox_id, inbox.c.state == "parked")
        .values(state=state, error=error, settled_at=now)
    )


def _look_again(connection: Connection) -> None:
    """Let messages be processed again that only repeat what waited in another one."""
    waiting = sa.select(stock_events.c.inbox_id).where(
        stock_events.c.verdict == PARKED, stock_events.c.inbox_id.is_not(None)
    )
    connection.execute(
        inbox.update()
        .where(inbox.c.state == "parked", inbox.c.id.not_in(waiting))
        .values(state="waiting", error=None, settled_at=None)
    )

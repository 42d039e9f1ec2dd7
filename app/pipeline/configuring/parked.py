"""Parked: what waits for a name applies once that is known, as if known before."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.instants import Instant
from app.pipeline.apply import apply
from app.pipeline.applying.told import (
    NOT_STOCK,
    PARKED,
    POSTED,
    QUARANTINED,
    SUPERSEDED,
    Told,
    Verdict,
    event_of,
)
from app.pipeline.house import House
from app.pipeline.opened import words_of
from app.store.engine import applying, reading
from app.store.tables import inbox, stock_events
from app.store.trouble import REFUSED

SETTLED: Final = sa.case(
    (
        sa.exists().where(
            stock_events.c.inbox_id == inbox.c.id, stock_events.c.waits_for.is_(None)
        ),
        "applied",
    ),
    else_="ignored",
)
"""The state of a message of which nothing waits any more: what is no stock, and what
was dismissed, goes on naming what it waited for."""


def unpark(connection: Connection, house: House, now: Instant) -> set[int]:
    """Try again what waits for a name; return the channels to wake.

    A line that the database refuses is quarantined alone; the others apply.
    """
    told = _parked(connection)
    woken: set[int] = set()
    try:
        with connection.begin_nested():
            woken = _apply_parked(connection, house, told, now)
    except REFUSED:
        for one in told:
            try:
                with connection.begin_nested():
                    woken |= _apply_parked(connection, house, [one], now)
            except REFUSED:
                woken |= _apply_line_by_line(connection, house, one, now)
    _look_again(connection)
    return woken


def drop_outdated(engine: Engine, now: Instant) -> None:
    """What waits for a name is outdated once its sender tells of the same anew."""
    with reading(engine) as connection:
        found = connection.scalars(_OUTDATED).all()
    if not found:
        return
    with applying(engine) as connection:
        told = connection.scalars(
            stock_events.update()
            .where(stock_events.c.id.in_(found), stock_events.c.verdict == PARKED)
            .values(verdict=SUPERSEDED, note="told anew since", waits_for=None)
            .returning(stock_events.c.inbox_id)
        ).all()
        still = sa.select(stock_events.c.inbox_id).where(
            stock_events.c.inbox_id.in_(told), stock_events.c.verdict == PARKED
        )
        over = inbox.c.id.in_(told), inbox.c.id.not_in(still), inbox.c.state == "parked"
        values = {"state": SETTLED, "error": None, "settled_at": now}
        connection.execute(inbox.update().where(*over).values(values))


_newer = stock_events.alias("newer")
_OUTDATED: Final = (
    sa.select(stock_events.c.id)
    .where(
        stock_events.c.verdict == PARKED,
        sa.exists().where(
            _newer.c.key == stock_events.c.key,
            _newer.c.version > stock_events.c.version,
            _newer.c.verdict == POSTED,
        ),
    )
    .limit(500)
)


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
        _settle(connection, one, verdicts, now)
    return applied.wake


def _apply_line_by_line(
    connection: Connection, house: House, one: Told, now: Instant
) -> set[int]:
    """Apply what the database lets pass of a message that it refused."""
    woken: set[int] = set()
    verdicts: list[Verdict] = []
    refused = []
    for event, row in zip(one.events, one.rows, strict=True):
        line = replace(one, events=[event], rows=[row])
        try:
            with connection.begin_nested():
                applied = apply(connection, house, [line], now)
        except REFUSED as error:
            words, name = words_of(error), event.line or event.item
            _quarantine(connection, row, words)
            refused.append(f"line {name} cannot be applied: {words}")
        else:
            woken |= applied.wake
            verdicts += applied.verdicts[0]
    if refused:
        refused += ["the other lines are taken"] if verdicts else []
        _close(connection, one, "buried", "; ".join(refused), now)
    else:
        _settle(connection, one, verdicts, now)
    return woken


def _quarantine(connection: Connection, row_id: int, words: str) -> None:
    connection.execute(
        stock_events.update()
        .where(stock_events.c.id == row_id)
        .values(verdict=QUARANTINED, note=words, waits_for=None)
    )


def _settle(
    connection: Connection, one: Told, verdicts: Sequence[Verdict], now: Instant
) -> None:
    waits = [verdict for verdict in verdicts if verdict.verdict == PARKED]
    reasons = waits or [v for v in verdicts if v.verdict == NOT_STOCK]
    why = "; ".join(sorted({verdict.note or "" for verdict in reasons})) or None
    _close(connection, one, "parked" if waits else SETTLED, why, now)


def _close(
    connection: Connection,
    one: Told,
    state: str | sa.ColumnElement[str],
    error: str | None,
    now: Instant,
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

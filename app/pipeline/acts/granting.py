"""Granting holds: whoever asks while one transaction is being written is served by the
next, together with all others who have come by the time it begins.

A hot SKU has one row that every claim must change, so claims on it can only follow one
another; what they can share is everything around that: the look at what is free, the
statements and the wait for the disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.errors import HubError
from app.domain.events import StockEvent
from app.domain.instants import SECOND, Instant, iso
from app.pipeline.acts.claims import Claims, Lines, Taken
from app.pipeline.apply import apply
from app.pipeline.applying.told import Meant, Prepared, Told
from app.pipeline.configuring.listings import lanes
from app.store.engine import applying
from app.store.stock import holds
from app.store.together import Come, Together


@dataclass(frozen=True, slots=True)
class Ask:
    """Units that somebody asks for, for `expires_in` seconds."""

    lines: Lines
    expires_in: int
    reference: str | None
    actor: str
    now: Instant
    hold_id: str | None = None
    """The caller's own: asked again, it is the same hold."""


def answer_of(hold_id: str, state: str, expires_at: Instant) -> dict[str, Any]:
    """A hold as people are told of it."""
    return {"id": hold_id, "state": state, "expires_at": iso(expires_at)}


Answer = tuple[dict[str, Any], set[str]]
"""The hold made, and the lanes to wake."""


def ask(engine: Engine, asked: Ask) -> Answer:
    """Hold the units, or raise ShortOfUnits or UnknownName."""
    queue = _queues.setdefault(engine, Together())
    return queue.served(asked, partial(_serve, engine))


_queues: "WeakKeyDictionary[Engine, Together[Ask, Answer]]" = WeakKeyDictionary()


def _serve(engine: Engine, come: Come[Ask]) -> list[Answer | HubError]:
    """Answer all who have come once it is our turn to write."""
    with applying(engine) as connection:
        made, woken = grant(connection, come())
        return [one if isinstance(one, HubError) else (one, woken) for one in made]


def grant(
    connection: Connection, asks: Sequence[Ask]
) -> tuple[list[dict[str, Any] | HubError], set[str]]:
    """Serve those who ask in their order, inside an `applying` transaction.

    Returns the hold or the refusal of each, and the lanes to wake.
    """
    now = max(asked.now for asked in asks)
    known = holds.known(connection, {a.hold_id for a in asks if a.hold_id})
    lines = [line for asked in asks for line in asked.lines]
    rows = holds.rows_of(len(asks), len(lines), len(lines))
    claims = Claims(connection, lines, now, rows)
    answers: list[dict[str, Any] | HubError] = []
    granted: list[tuple[holds.New, list[Taken]]] = []
    for asked in asks:
        hold_id = asked.hold_id or uuid4().hex
        if hold_id not in known:
            try:
                taken = claims.claim(asked.lines)
            except HubError as refusal:
                answers.append(refusal)
                continue
            until = asked.now + asked.expires_in * SECOND
            known[hold_id] = holds.ACTIVE, until
            new = holds.New(hold_id, asked.reference, asked.actor, asked.now, until)
            granted.append((new, taken))
        answers.append(answer_of(hold_id, *known[hold_id]))
    told, event_ids = _written(connection, claims, granted)
    prepared = Prepared(claims.levels, event_ids)
    applied = apply(connection, claims.house, told, now, prepared)
    return answers, lanes(claims.house, applied.wake)


def _written(
    connection: Connection,
    claims: Claims,
    granted: Sequence[tuple[holds.New, list[Taken]]],
) -> tuple[list[Told], Sequence[int]]:
    """Write the holds down; return what moves their units, and its events' ids."""
    all_taken = [one for _, taken in granted for one in taken]
    count = sum(1 + len(one.parts) for one in all_taken)
    made, lines, event_ids = holds.make(
        connection, [new for new, _ in granted], count, len(all_taken), claims.ids
    )
    ids = iter(lines)
    rows: list[tuple[int, holds.Line]] = []
    told = []
    for id_, (new, taken) in zip(made, granted, strict=True):
        events, meant = [], []
        for one in taken:
            place, line = one.location_id, next(ids)
            rows.append((line, holds.Line(id_, one.sku_id, place, one.quantity)))
            # A kit's line stands beside what it holds of every component.
            for part, each in one.parts.items():
                units = each * one.quantity
                rows.append((next(ids), holds.Line(id_, part, place, units, line)))
            events.append(_held(new, line, one, claims.house.names[place]))
            meant.append(Meant(one.sku_id, place))
        told.append(
            Told(
                None,
                events,
                new.created_at,
                actor=new.actor,
                meant=meant,
                is_first=True,
            )
        )
    holds.add_lines(connection, rows)
    return told, event_ids


def _held(new: holds.New, line: int, taken: Taken, place: str) -> StockEvent:
    return StockEvent(
        kinds.HELD,
        taken.quantity,
        new.created_at,
        new.created_at - 1,
        sku=taken.sku,
        place=place,
        fact=new.hold_id,
        line=str(line),
    )

"""The stock events of one batch, on their way into `stock_events`.

The table is append-only: a row's facts never change, only its verdict when what it
waited for became known.
"""

import json
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.pipeline.told import DUPLICATE, POSTED, Told, Verdict
from app.store import bulk
from app.store.tables import stock_events


@dataclass(slots=True)
class Noted:
    """An event that goes into stock_events, or whose row there changes."""

    told: Told
    event: StockEvent
    verdict: Verdict
    waits_for: str | None = None
    is_new: bool = False


class EventLog:
    """Collects events, numbers them, writes them at the end."""

    def __init__(self, connection: Connection, now: Instant) -> None:
        self._connection = connection
        self._now = now
        self._noted: list[Noted] = []

    def note(self, noted: Noted) -> None:
        """Take an event in. With an `event_id` it is a row that is there already."""
        self._noted.append(noted)

    def number(self) -> None:
        """Give the new events their ids, so that ledger entries can name them."""
        new = [noted for noted in self._noted if noted.verdict.event_id is None]
        ids = bulk.next_ids(self._connection, stock_events, len(new))
        for noted, event_id in zip(new, ids, strict=True):
            noted.verdict.event_id = event_id
            noted.is_new = True

    def write(self) -> None:
        """Insert the new events; change the verdicts of those that were parked."""
        new = [self._row(noted) for noted in self._noted if noted.is_new]
        bulk.insert(self._connection, stock_events, _COLUMNS, new, or_ignore=True)
        revised = [_revised(noted) for noted in self._noted if not noted.is_new]
        columns = ("verdict", "note", "waits_for")
        bulk.change(self._connection, stock_events, columns, revised)

    def _row(self, noted: Noted) -> tuple[object, ...]:
        verdict, event = noted.verdict, noted.event
        return (
            verdict.event_id,
            noted.told.channel_id,
            verdict.key,
            event.kind,
            event.quantity,
            event.version,
            event.occurred_at,
            self._now,
            verdict.verdict,
            verdict.note,
            noted.waits_for,
            noted.told.inbox_id,
            noted.told.actor,
            _details(event),
        )


def _revised(noted: Noted) -> tuple[object, ...]:
    verdict = noted.verdict
    word = verdict.verdict if verdict.verdict != DUPLICATE else POSTED
    return (word, verdict.note, noted.waits_for, verdict.event_id)


_COLUMNS = (
    "id",
    "channel_id",
    "key",
    "kind",
    "target",
    "version",
    "occurred_at",
    "recorded_at",
    "verdict",
    "note",
    "waits_for",
    "inbox_id",
    "actor",
    "details",
)
_REST = tuple(
    name
    for name in StockEvent.__slots__
    if name not in ("kind", "quantity", "version", "occurred_at")
)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _details(event: StockEvent) -> str:
    told = {
        name: value for name in _REST if (value := getattr(event, name)) is not None
    }
    return _encode(told)

"""The stock events of one batch, on their way into `stock_events`.

The table is append-only: a row's facts never change, only its verdict when what it
waited for became known.
"""

from collections.abc import Collection, Sequence
from operator import attrgetter

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.events import WHOLE, StockEvent, WholeOrder, key_of
from app.domain.instants import Instant
from app.pipeline.applying.hearing import Said
from app.pipeline.applying.told import (
    DUPLICATE,
    NOT_YET,
    PARKED,
    POSTED,
    SUPERSEDED,
    Meant,
    Told,
    event_of,
)
from app.store import bulk, numbering
from app.store.engine import is_sqlite
from app.store.tables import stock_events


class EventLog:
    """Collects events, numbers them, writes them at the end."""

    def __init__(self, connection: Connection, now: Instant) -> None:
        self._connection = connection
        self._now = now
        self._new: list[tuple[Said, str | None]] = []
        self._known: list[tuple[Said, str | None]] = []
        self._whole: list[tuple[Told, str, WholeOrder]] = []

    def note(self, said: Said, waits_for: str | None = None) -> None:
        """Take an event in. With an `event_id` it is a row that is there already."""
        known = said.verdict.event_id is not None
        (self._known if known else self._new).append((said, waits_for))

    def standing(self, keys: Collection[str]) -> list[StockEvent]:
        """What stands under these keys and names its item, of this batch or written
        before; not for the hot path."""
        noted = [said for said, _ in (*self._new, *self._known)]
        stands = [
            said.event
            for said in noted
            if said.verdict.key in keys and said.verdict.verdict == POSTED
        ]
        query = sa.select(stock_events).where(
            stock_events.c.key.in_(keys), stock_events.c.verdict == POSTED
        )
        stands += map(event_of, self._connection.execute(query))
        return [event for event in stands if event.item is not None]

    def note_whole(self, told: Told, channel: str, order: WholeOrder) -> None:
        """Take in which lines an order has: what a later word about others is worth."""
        self._whole.append((told, channel, order))

    def number(self, ids: Sequence[int] = ()) -> None:
        """Give the new events their ids, so that ledger entries can name them: those
        that were reserved for them, if they are as many."""
        self._leave_out_what_is_over()
        if len(ids) != len(self._new):
            ids = numbering.next_ids(self._connection, stock_events, len(self._new))
        for (said, _), event_id in zip(self._new, ids, strict=True):
            said.verdict.event_id = event_id

    def _leave_out_what_is_over(self) -> None:
        """What waited before and was dismissed, or told anew, waits no more: a provider
        tells it again, and so does each poll."""
        waits = [said for said, _ in self._new if said.verdict.verdict == PARKED]
        if not waits:
            return
        names = ("key", "apart", "version", "target")
        query = sa.select(*(stock_events.c[name] for name in names)).where(
            stock_events.c.key.in_({said.verdict.key for said in waits}),
            stock_events.c.verdict == SUPERSEDED,
        )
        over = {tuple(row) for row in self._connection.execute(query)}
        for said in waits:
            verdict, event = said.verdict, said.event
            if (verdict.key, verdict.apart, event.version, event.quantity) in over:
                verdict.verdict = DUPLICATE
        self._new = [one for one in self._new if one[0].verdict.verdict != DUPLICATE]

    def write(self) -> None:
        """Insert the new events; change the verdicts of those that were parked."""
        rows = [self._row(said, waits_for) for said, waits_for in self._new]
        ids = numbering.next_ids(self._connection, stock_events, len(self._whole))
        if is_sqlite(self._connection):
            # There the ids of the rows above are not taken yet.
            ids = [id_ + len(self._new) for id_ in ids]
        whole = zip(ids, self._whole, strict=True)
        rows += [self._row_of_whole(id_, *noted) for id_, noted in whole]
        bulk.insert(self._connection, stock_events, _COLUMNS, rows, or_ignore=True)
        revised = [_revised(said, waits_for) for said, waits_for in self._known]
        columns = ("verdict", "note", "waits_for", *Meant._fields)
        bulk.change(self._connection, stock_events, columns, revised)

    def _row(self, said: Said, waits_for: str | None) -> tuple[object, ...]:
        told, event, verdict = said.told, said.event, said.verdict
        return (
            verdict.event_id,
            told.channel_id,
            verdict.key,
            event.kind,
            event.quantity,
            event.version,
            event.occurred_at,
            self._now,
            verdict.verdict,
            verdict.note,
            waits_for,
            told.inbox_id,
            told.actor,
            _details(event),
            *verdict.meant,
            verdict.apart,
        )

    def _row_of_whole(
        self, event_id: int, told: Told, channel: str, order: WholeOrder
    ) -> tuple[object, ...]:
        named = StockEvent(WHOLE, 0, 0, 0, order=order.order)
        details = {"order": order.order, "lines": order.lines}
        if order.order_number is not None:
            details["order_number"] = order.order_number
        return (
            event_id,
            told.channel_id,
            f"{channel}:{key_of(named)}",
            WHOLE,
            len(order.lines),
            order.version,
            order.occurred_at,
            self._now,
            POSTED,
            None,
            None,
            told.inbox_id,
            told.actor,
            _encode(details).decode(),
            *NOT_YET,
            "",
        )


def _revised(said: Said, waits_for: str | None) -> tuple[object, ...]:
    verdict = said.verdict
    word = verdict.verdict if verdict.verdict != DUPLICATE else POSTED
    return (word, verdict.note, waits_for, *verdict.meant, verdict.event_id)


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
    *Meant._fields,
    "apart",
)
_REST = tuple(
    name
    for name in StockEvent.__slots__
    if name not in ("kind", "quantity", "version", "occurred_at")
)
_rest_of = attrgetter(*_REST)
_Rest = msgspec.defstruct(
    "_Rest", [(name, str | int | None, None) for name in _REST], omit_defaults=True
)
_encode = msgspec.json.Encoder().encode


def _details(event: StockEvent) -> str:
    """The rest of the event, as the source told it: JSON of what is not None."""
    return _encode(_Rest(*_rest_of(event))).decode()

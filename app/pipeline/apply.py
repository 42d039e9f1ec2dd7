"""Apply: stock events → cases → ledger, levels and marks, in one transaction.

Journey: inbound worker → **here** → outbound worker. No HTTP happens here. Events of
many messages are applied together; a message that cannot be applied makes the whole
batch fail, and the inbound step splits it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.case import difference, movements
from app.domain.events import StockEvent, WholeOrder, key_of
from app.domain.instants import Instant
from app.domain.targets import UNLINKED, Rules, Target
from app.pipeline import checkpoints, observing
from app.pipeline.casebook import ORDER_KINDS, Casebook, fact_name
from app.pipeline.house import House, Place
from app.pipeline.names import Names, look_up, missing_location, missing_sku
from app.pipeline.posting import Entry, post
from app.store import bulk, cases, holds, incidents
from app.store.cases import Case
from app.store.tables import stock_events

POSTED = "posted"
SUPERSEDED = "superseded"
QUARANTINED = "quarantined"
PARKED = "parked"
DUPLICATE = "duplicate"
OBSERVED = "observed"

_FROM_HOLDS = (kinds.PLACED, kinds.ROUTED)
NEEDS_PLACE = {
    kinds.RETURNED,
    kinds.RECEIVED,
    kinds.EXPECTED,
    kinds.TRANSFERRED,
    kinds.ADJUSTED,
    kinds.INSPECTED,
    kinds.COUNTED,
    kinds.HELD,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What one message, call or file says."""

    channel_id: int | None
    events: Sequence[StockEvent]
    received_at: Instant
    orders: Sequence[WholeOrder] = ()
    inbox_id: int | None = None
    actor: str | None = None
    rows: Sequence[int] = ()
    """Ids of the stock events' rows, when they were parked and are tried again."""


@dataclass(slots=True)
class Verdict:
    """What became of one event."""

    key: str
    verdict: str
    note: str | None = None
    event_id: int | None = None


@dataclass(slots=True)
class Applied:
    """What became of a batch: verdicts per `Told`, and the channels to wake."""

    verdicts: list[list[Verdict]] = field(default_factory=list)
    wake: set[int] = field(default_factory=set)


def apply(
    connection: Connection, house: House, batch: Sequence[Told], now: Instant
) -> Applied:
    """Apply a batch inside the caller's `applying` transaction."""
    return _Batch(connection, house, batch, now).run()


@dataclass(slots=True)
class _Noted:
    """An event that goes into stock_events, or whose row there changes."""

    told: Told
    event: StockEvent
    verdict: Verdict
    waits_for: str | None = None
    is_new: bool = False


class _Batch:
    def __init__(
        self,
        connection: Connection,
        house: House,
        batch: Sequence[Told],
        now: Instant,
    ) -> None:
        self.connection = connection
        self.house = house
        self.batch = batch
        self.now = now
        self.book = Casebook(connection, house)
        self.told = [(told.channel_id, told.events) for told in batch]
        self.names: Names = look_up(connection, house, self.told)
        self.noted: list[_Noted] = []
        self.causes: dict[int, tuple[Verdict, Told, StockEvent]] = {}
        self.counts: list[checkpoints.Count] = []
        self.seen: list[observing.Observation] = []

    def run(self) -> Applied:
        self.book.open(self.told)
        applied = Applied([self._told(told) for told in self.batch])
        self._consume_holds()
        self._number_events()
        entries = self._entries()
        cases.save(self.connection, list(self.book.changed.values()))
        applied.wake = post(self.connection, self.house, entries, self.now)
        for count in self.counts:
            applied.wake |= checkpoints.count(
                self.connection, self.house, count, self.now
            )
        applied.wake |= observing.observe(
            self.connection, self.house, self.seen, self.now
        )
        self._write_events()
        return applied

    def _told(self, told: Told) -> list[Verdict]:
        channel = self.house.channels.get(told.channel_id or 0)
        verdicts = [
            self._event(told, channel, event, told.rows[n] if told.rows else None)
            for n, event in enumerate(told.events)
        ]
        if channel is not None:
            for order in told.orders:
                self._whole(told, channel, order)
        return verdicts

    def _event(
        self, told: Told, channel: Place | None, event: StockEvent, row: int | None
    ) -> Verdict:
        event = _clamped(event, told.received_at)
        who = channel.key if channel is not None else "api"
        verdict = Verdict(f"{who}:{key_of(event)}", POSTED)
        waits = self._take(told, channel, event, verdict)
        verdict.event_id = row
        if verdict.verdict != DUPLICATE or row is not None:
            self.noted.append(_Noted(told, event, verdict, waits))
        return verdict

    def _take(
        self, told: Told, channel: Place | None, event: StockEvent, verdict: Verdict
    ) -> str | None:
        """Decide an event; return what it waits for when it must be parked."""
        if event.order_channel and event.order_channel not in self.house.by_key:
            return _park(verdict, f"channel:{event.order_channel}")
        if event.kind == kinds.OBSERVED:
            return self._observe(channel, event, verdict)
        found = self.book.find(channel, event)
        exact = [case for case in found if case.line == event.line]
        known = exact[0].sku_id if exact else None
        sku_id = known or self.names.sku_id(channel, event)
        if sku_id is None:
            return _park(verdict, missing_sku(channel, event))
        location, waits = self._location(channel, event)
        if waits is not None:
            return _park(verdict, waits)
        if event.kind == kinds.COUNTED and location is not None:
            self.counts.append(
                checkpoints.Count(
                    sku_id, location, event, verdict, told.channel_id, told.actor
                )
            )
            return None
        same = [case for case in found if case.sku_id == sku_id]
        self._target(told, channel, event, verdict, exact or same, sku_id, location)
        return None

    def _location(
        self, channel: Place | None, event: StockEvent
    ) -> tuple[int | None, str | None]:
        if event.place is not None:
            found = self.names.location_id(channel, event.place)
            if found is None:
                return None, missing_location(channel, event.place)
            return found, None
        if event.kind == kinds.PLACED and channel is not None:
            return channel.promise_place, None
        if event.kind not in NEEDS_PLACE and event.scope != kinds.AT_ONCE:
            return None, None
        own = _only_place(self.house, channel)
        return own, None if own is not None else missing_location(channel, None)

    def _target(
        self,
        told: Told,
        channel: Place | None,
        event: StockEvent,
        verdict: Verdict,
        found: list[Case],
        sku_id: int,
        location: int | None,
    ) -> None:
        if (
            channel is not None
            and event.kind == kinds.PLACED
            and self.book.lacks(channel, event)
        ):
            verdict.verdict = SUPERSEDED
            return
        if event.version == 0 and event.kind in _FROM_HOLDS and found:
            # A hold's promise; the order's own channel has spoken since.
            verdict.verdict = SUPERSEDED
            return
        extra, waits = self._extra(channel, event)
        if waits is not None:
            _park(verdict, waits)
            return
        name = fact_name(event, self.house.source_of(told.channel_id))
        target = Target(
            event.quantity, event.version, location, event.occurred_at, extra
        )
        targets = found
        if not targets:
            made, adopted = self.book.make(channel, event, sku_id)
            for case in adopted:
                self.causes[id(case)] = (verdict, told, event)
            targets = [made]
        shares = _shared(targets, name, target)
        for case, share in zip(targets, shares, strict=True):
            self._set(told, event, verdict, case, name, share)

    def _extra(
        self, channel: Place | None, event: StockEvent
    ) -> tuple[str | int | None, str | None]:
        if event.kind == kinds.TRANSFERRED:
            found = self.names.location_id(channel, event.to_place or "")
            if found is None:
                return None, missing_location(channel, event.to_place)
            return found, None
        if event.kind == kinds.RECEIVED and event.of is not None:
            return f"{event.disposition or ''}|{event.of}", None
        if event.kind == kinds.RETURNED and event.order is None:
            return f"{event.disposition or kinds.SELLABLE}{UNLINKED}", None
        return event.disposition, None

    def _set(
        self,
        told: Told,
        event: StockEvent,
        verdict: Verdict,
        case: Case,
        name: str,
        target: Target,
    ) -> None:
        known = case.targets.get(name)
        if known is not None:
            if known.version > target.version:
                verdict.verdict = SUPERSEDED
                return
            if known.version == target.version:
                if known.quantity == target.quantity and known.extra == target.extra:
                    verdict.verdict = DUPLICATE
                    return
                verdict.verdict = QUARANTINED
                verdict.note = (
                    f"said {known.quantity} before and {target.quantity} now, "
                    f"with the same version"
                )
                self._contradiction(told, verdict)
                return
        case.targets[name] = target
        if case.order_number is None and event.kind in ORDER_KINDS:
            case.order_number = event.order_number
        self.book.touch(case)
        self.causes[id(case)] = (verdict, told, event)

    def _contradiction(self, told: Told, verdict: Verdict) -> None:
        incidents.open_incident(
            self.connection,
            "contradiction",
            verdict.key,
            f"{verdict.key} {verdict.note}: a person must decide",
            channel_id=told.channel_id,
            now=self.now,
        )

    def _observe(
        self, channel: Place | None, event: StockEvent, verdict: Verdict
    ) -> str | None:
        verdict.verdict = OBSERVED
        if channel is None:
            return None
        word = event.external_id or event.sku or ""
        self.seen.append(
            observing.Observation(
                channel.id,
                word,
                self.names.sku_id(channel, event),
                event.place or "",
                event.quantity,
                event.version,
            )
        )
        return None

    def _whole(self, told: Told, channel: Place, order: WholeOrder) -> None:
        version = min(order.version, told.received_at)
        if order.order and self.book.tell_whole(channel, order):
            for case in self.book.lines(channel, order.order):
                placed = case.targets.get(kinds.PLACED)
                if placed is None or case.line in order.lines:
                    continue
                if placed.version < version and placed.quantity:
                    event = StockEvent(
                        kinds.PLACED,
                        0,
                        placed.occurred_at,
                        version,
                        order=order.order,
                        order_number=case.order_number,
                        line=case.line,
                    )
                    verdict = Verdict(f"{channel.key}:{key_of(event)}", POSTED)
                    target = placed._replace(quantity=0, version=version)
                    self._set(told, event, verdict, case, kinds.PLACED, target)
                    self.noted.append(_Noted(told, event, verdict))

    def _consume_holds(self) -> None:
        """An order whose id is a hold's reference ends that hold."""
        orders = {
            event.order
            for told in self.batch
            for event in told.events
            if event.kind == kinds.PLACED and event.order and told.inbox_id
        }
        for hold, held in holds.referring(self.connection, orders, self.now).items():
            holds.end(self.connection, hold, holds.COMMITTED, self.now)
            told = Told(None, released(held, self.now), self.now, actor="order")
            self.book.open([(None, told.events)])
            self.names.skus |= {row.sku: row.sku_id for row in held}
            self._told(told)

    # -- writing -------------------------------------------------------------

    def _number_events(self) -> None:
        new = [noted for noted in self.noted if noted.verdict.event_id is None]
        ids = bulk.next_ids(self.connection, stock_events, len(new))
        for noted, event_id in zip(new, ids, strict=True):
            noted.verdict.event_id = event_id
            noted.is_new = True

    def _write_events(self) -> None:
        rows, revised = [], []
        for noted in self.noted:
            verdict, event = noted.verdict, noted.event
            if noted.is_new:
                rows.append(
                    (
                        verdict.event_id,
                        noted.told.channel_id,
                        verdict.key,
                        event.kind,
                        event.quantity,
                        event.version,
                        event.occurred_at,
                        self.now,
                        verdict.verdict,
                        verdict.note,
                        noted.waits_for,
                        noted.told.inbox_id,
                        noted.told.actor,
                        _details(event),
                    )
                )
            else:
                word = verdict.verdict if verdict.verdict != DUPLICATE else POSTED
                row = (word, verdict.note, noted.waits_for, verdict.event_id)
                revised.append(row)
        bulk.insert(self.connection, stock_events, _EVENT_COLUMNS, rows, or_ignore=True)
        columns = ("verdict", "note", "waits_for")
        bulk.change(self.connection, stock_events, columns, revised)

    def _entries(self) -> list[Entry]:
        entries: list[Entry] = []
        for case in self.book.changed.values():
            if case.sku_id is None:
                continue
            owner = self.house.channels.get(case.channel_id or 0)
            rules = owner.rules if owner is not None else Rules()
            wanted = movements(case.sku_id, case.targets, rules)
            change = difference(wanted, case.posted)
            case.posted = wanted
            cause = self.causes.get(id(case))
            if not change or cause is None:
                continue
            verdict, told, event = cause
            entries += [
                Entry(
                    movement,
                    quantity,
                    event.kind,
                    verdict.event_id or 0,
                    told.channel_id,
                    told.actor,
                    event.reason,
                )
                for movement, quantity in change.items()
            ]
        return entries


_EVENT_COLUMNS = (
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


def event_of(row: Any) -> StockEvent:
    """The stock event that a row of stock_events was written from."""
    return StockEvent(
        row.kind, row.target, row.occurred_at, row.version, **json.loads(row.details)
    )


def released(held: Sequence[Any], now: Instant) -> list[StockEvent]:
    """The events that end a hold; rows are from `holds`."""
    return [
        StockEvent(
            kinds.HELD,
            0,
            row.created_at,
            now,
            sku=row.sku,
            place=row.location,
            fact=row.hold_id,
            line=f"{row.line_id}",
        )
        for row in held
    ]


def _park(verdict: Verdict, waits_for: str) -> str:
    verdict.verdict = PARKED
    kind, _, rest = waits_for.partition(":")
    verdict.note = f"unknown {kind} {rest.split(':', 1)[-1] or '(none named)'}"
    return waits_for


def _clamped(event: StockEvent, received_at: Instant) -> StockEvent:
    """No source is from the future: a time ahead of arrival becomes the arrival."""
    if event.version <= received_at and event.occurred_at <= received_at:
        return event
    return replace(
        event,
        version=min(event.version, received_at),
        occurred_at=min(event.occurred_at, received_at),
    )


def _only_place(house: House, channel: Place | None) -> int | None:
    places = channel.mapped if channel is not None else ()
    places = places or house.physical
    return places[0] if len(places) == 1 else None


def _shared(found: Sequence[Case], name: str, target: Target) -> list[Target]:
    """Share a report about several lines of one SKU among them, in their order.

    Each line takes what it placed; what is left over goes to the last.
    """
    if len(found) == 1:
        return [target]
    left, shares = target.quantity, []
    for case in found:
        placed = case.targets.get(kinds.PLACED)
        others = sum(
            known.quantity
            for fact, known in case.targets.items()
            if fact != name and fact.rpartition(":")[0] == name.rpartition(":")[0]
        )
        room = max(0, (placed.quantity if placed else 0) - others)
        shares.append(target._replace(quantity=min(left, room)))
        left -= shares[-1].quantity
    shares[-1] = shares[-1]._replace(quantity=shares[-1].quantity + left)
    return shares

"""Deciding: what each event newly says, and to which case.

Newer than what is known: the case changes. Older: superseded. The same again: a
duplicate. The same version with another target: a person must decide. An unknown SKU,
place or channel: parked, and tried again once it is known.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.events import StockEvent, WholeOrder
from app.domain.instants import Instant
from app.domain.targets import Target
from app.pipeline.applying import checkpoints, copies, correcting, flagging, paying
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.eventlog import EventLog
from app.pipeline.applying.hearing import ORDER_KINDS, Said, fact_name, hear
from app.pipeline.applying.names import Names, missing_sku
from app.pipeline.applying.newer import is_past, judge, units
from app.pipeline.applying.placing import detail, shown_at, unseen, where
from app.pipeline.applying.sharing import share, shared, together
from app.pipeline.applying.told import (
    DUPLICATE,
    OBSERVED,
    QUARANTINED,
    SUPERSEDED,
    Meant,
    Told,
)
from app.pipeline.applying.ways import deal_ways
from app.pipeline.house import API, House, Place
from app.pipeline.watching import observing
from app.store.stock.cases import Case

_COMMITTED_LATE = "the order was known when its hold was committed"


class Decider:
    """Decides the events of one batch; collects what follows from them."""

    def __init__(
        self,
        connection: Connection,
        house: House,
        book: Casebook,
        names: Names,
        now: Instant,
    ) -> None:
        self._connection = connection
        self._house = house
        self._now = now
        self.book = book
        self.names = names
        self.log = EventLog(connection, now)
        self.causes: dict[int, Said] = {}
        """Case (by identity) → the last thing said that changed it."""
        self.counts: list[checkpoints.Count] = []
        self.seen: list[observing.Observation] = []
        self.settled: set[str] = set()
        """Keys of which a higher version is known now."""

    def decide(self, told: Told, heard: Sequence[Said]) -> None:
        """Decide every event of one message, and the orders it told whole."""
        for said in heard:
            waits = self._take(said)
            if said.verdict.verdict != DUPLICATE or said.verdict.event_id is not None:
                self.log.note(said, waits)
        channel = self._house.channels.get(told.channel_id or 0)
        if channel is not None:
            for order in told.orders:
                self._whole(told, channel, order)

    def _take(self, said: Said) -> str | None:
        """Decide an event; return what it waits for when it must be parked."""
        event = said.event
        whose = event.order_channel
        if whose not in (None, API) and whose not in self._house.by_key:
            return said.park(f"channel:{event.order_channel}")
        if event.kind == kinds.OBSERVED:
            return self._observe(said)
        if event.kind == kinds.IGNORED:
            self._ignore(said)
            return None
        return self._place(said)

    def _place(self, said: Said) -> str | None:
        """Find what an event is about; return what it waits for if that is unknown."""
        event, channel, meant = said.event, said.channel, said.verdict.meant
        sku_id = meant.sku_id or self.names.sku_id(channel, event)
        if said.by_sku:
            known = self.book, said, self._name(said)
            sku_id = correcting.reported(*known, sku_id, self.log)
        found = self.book.find(said, sku_id)
        exact = [] if said.by_sku else [c for c in found if c.line == event.line]
        if exact:
            sku_id = correcting.sku_of(said, exact[0], sku_id, self.log)
        if sku_id is None:
            return said.park(missing_sku(channel, event))
        location, waits = meant.location_id, None
        if location is None:
            location, waits = where(self._house, self.names, channel, event)
        if waits is not None:
            return said.park(waits)
        said.verdict.meant = Meant(sku_id, location, meant.to_location_id)
        same = exact or [case for case in found if case.sku_id == sku_id]
        return self._placed(said, same, sku_id, location)

    def _placed(
        self, said: Said, found: list[Case], sku_id: int, location: int | None
    ) -> str | None:
        """Decide an event whose SKU and place are known."""
        event = said.event
        if event.kind == kinds.COUNTED and self._house.is_kit(
            sku_id, event.occurred_at
        ):
            flagging.counted_kit(
                self._connection, said.verdict, said.told.channel_id, self._now
            )
            return None
        if event.kind == kinds.COUNTED and location is not None:
            who = said.told.channel_id, said.told.actor
            count = checkpoints.Count(sku_id, location, event, said.verdict, *who)
            self.counts.append(count)
            return None
        return self._target(said, found, sku_id, location)

    def _ignore(self, said: Said) -> None:
        """The order is a test or another system's copy, or it is none after all."""
        verdict, changed = copies.tell(self.book, said)
        said.verdict.verdict = verdict
        for case in changed:
            self._change(said, case)

    def _target(
        self, said: Said, found: list[Case], sku_id: int, location: int | None
    ) -> str | None:
        event, name = said.event, self._name(said)
        if is_past(self.book, said, found, name):
            said.verdict.verdict = SUPERSEDED
            by_hold = kinds.is_by_hold(event.version)
            said.verdict.note = _COMMITTED_LATE if by_hold else None
            return None
        extra, waits = self._detail(said)
        if waits is not None:
            return said.park(waits)
        told = units(self.book, said)
        target = Target(told, event.version, location, event.occurred_at, extra)
        others = correcting.others(self.book, said, found, name, sku_id)
        if others:
            known, skus = together(others, name), (others[0].sku_id or 0, sku_id)
            if not self._is_news(said, known, target, skus):
                return None
        found, gave = correcting.cases_of(self.book, said, found, sku_id)
        self.causes.update((id(case), said) for case in gave)
        if said.by_sku:
            self._report(said, found, others, name, target)
        else:
            for case, part in zip(found, shared(found, name, target), strict=True):
                self._set(said, case, name, part)
        copies.note(said, found)
        return None

    def _name(self, said: Said) -> str:
        source = self._house.source_of(said.told.channel_id)
        return fact_name(said.event, source, by_sku=said.by_sku)

    def _detail(self, said: Said) -> tuple[str | int | None, str | None]:
        """What else the target must keep; and what it waits for."""
        meant = said.verdict.meant
        if meant.to_location_id is not None:
            return meant.to_location_id, None
        extra, waits = detail(self.names, said.channel, said.event)
        if said.event.kind == kinds.TRANSFERRED and isinstance(extra, int):
            said.verdict.meant = meant._replace(to_location_id=extra)
        return extra, waits

    def _set(self, said: Said, case: Case, name: str, target: Target) -> None:
        if name in kinds.PAYMENT:
            if paying.take(self.book, said, case, name, target):
                self._change(said, case)
            return
        if self._is_news(said, case.targets.get(name), target):
            self.book.corrections.note(case, name, said)
            case.targets[name] = target
            if name == kinds.PLACED and not kinds.is_by_hold(target.version):
                case.forget_hold()
            self._change(said, case)

    def _report(
        self,
        said: Said,
        found: Sequence[Case],
        others: Sequence[Case],
        name: str,
        target: Target,
    ) -> None:
        """Take a report about all lines with a SKU; `share` deals it out to them."""
        if self._is_news(said, together(found, name), target):
            for case in (*found, *others):
                case.targets.pop(name, None)
                self._change(said, case)
            found[0].targets[name] = target

    def _is_news(
        self,
        said: Said,
        known: Target | None,
        target: Target,
        skus: tuple[int, ...] = (),
    ) -> bool:
        """Whether it is a later word; what is known may be of another of two SKUs."""
        if known is None:
            return True
        if known.version < target.version:
            self.settled.add(said.verdict.key)
            return True
        elsewhere = correcting.is_elsewhere(said, known, target, self.log)
        judge(said, known, target, is_another=bool(skus) or elsewhere)
        if said.verdict.verdict == QUARANTINED:
            numbers, who = (known.quantity, target.quantity), said.told.channel_id
            flagging.contradiction(
                self._connection, said, numbers, who, self._now, skus
            )
        return False

    def _change(self, said: Said, case: Case) -> None:
        if said.event.kind in ORDER_KINDS:
            for one in self.book.named(case, said):
                self.causes[id(one)] = said
        self.book.touch(case)
        self.causes[id(case)] = said

    def share(self) -> None:
        """Deal reports by SKU out to the lines they may mean, by all that is known."""
        if self.book.ways:
            deal_ways(self._connection, self._house, self.book, self.causes)
        for case in list(self.book.changed.values()):
            said = self.causes.get(id(case))
            among = self.book.sharing(case) if said is not None else []
            if len(among) < 2 or said is None:
                continue
            for changed in share([one.targets for one in among]):
                self.book.touch(among[changed])
                self.causes.setdefault(id(among[changed]), said)

    def _observe(self, said: Said) -> str | None:
        """What a channel shows, where it is one of ours and shown somewhere of ours."""
        said.verdict.verdict = OBSERVED
        event, channel = said.event, said.channel
        if channel is None:
            return None
        sku_id = self.names.sku_id(channel, event)
        place = shown_at(self.names, channel, event)
        if waits := unseen(channel, event, sku_id, place):
            return said.park(waits)
        if place is not None:
            self.seen.append(
                observing.Observation(
                    channel.id,
                    self.names.listing(channel, event),
                    sku_id,
                    place,
                    event.quantity,
                    max(event.version, event.occurred_at),
                )
            )
        return None

    def _whole(self, told: Told, channel: Place, order: WholeOrder) -> None:
        """Lines that an order told whole does not have (any more) are not ordered."""
        version = min(order.version, self._house.behind.latest(told.received_at))
        order = replace(order, version=version)
        if not order.order or not self.book.tell_whole(channel, order):
            return
        self.log.note_whole(told, channel.key, order)
        for case in self.book.lines(channel, order.order):
            placed = case.targets.get(kinds.PLACED)
            if placed is None or case.line in order.lines or not placed.quantity:
                continue
            if placed.version >= version:
                continue
            event = StockEvent(
                kinds.PLACED,
                0,
                placed.occurred_at,
                version,
                order=order.order,
                order_number=case.order_number,
                line=case.line,
            )
            said = hear(self._house, replace(told, events=[event], rows=(), meant=()))[
                0
            ]
            said.verdict.meant = Meant(case.sku_id, placed.location)
            target = placed._replace(quantity=0, version=version)
            self._set(said, case, kinds.PLACED, target)
            self.log.note(said)

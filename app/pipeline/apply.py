"""Apply: stock events → cases → ledger and levels, in one transaction.

Step 4 of the journey: inbound worker → **here** → outbound worker. No HTTP happens
here. Events of many messages are applied together; a message that cannot be applied
makes the whole batch fail, and the inbound step splits it.
"""

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.case import difference, movements
from app.domain.events import StockEvent, of_channel
from app.domain.instants import Instant
from app.domain.states import Movement
from app.pipeline.applying import (
    adopted,
    checkpoints,
    doing,
    flagging,
    folding,
    oversells,
    parcels,
    paying,
    returning,
    waiting,
)
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.consuming import consume
from app.pipeline.applying.deciding import Decider
from app.pipeline.applying.hearing import Said, hear
from app.pipeline.applying.names import look_up
from app.pipeline.applying.posting import Aftermath, Entry, OfKit, of_kit, post
from app.pipeline.applying.told import (
    NOTHING_YET,
    Applied,
    Prepared,
    Told,
    event_of,
)
from app.pipeline.house import House
from app.pipeline.watching import observing
from app.store.stock import cases, history


def apply(
    connection: Connection,
    house: House,
    batch: Sequence[Told],
    now: Instant,
    prepared: Prepared = NOTHING_YET,
) -> Applied:
    """Apply a batch inside the caller's `applying` transaction."""
    heard = [hear(house, told) for told in batch]
    everything = [said for spoken in heard for said in spoken]
    names = look_up(connection, house, everything)
    book = Casebook(connection, house)
    book.open(everything, [(told.channel_id, told.orders) for told in batch])
    decider = Decider(connection, house, book, names, now)
    for told, spoken in zip(batch, heard, strict=True):
        decider.decide(told, spoken)
        _take_out(connection, house, decider, told, spoken)
    applied = Applied([[said.verdict for said in spoken] for spoken in heard])
    consume(connection, house, decider, everything, now)
    changes, folded = _changes(house, decider)
    if _tell_waiting(connection, house, decider, now):
        # By their own cause, lest a channel be thought to have done it.
        more, folded = _changes(house, decider)
        changes += more
    decider.log.number(prepared.event_ids)
    entries, after = _entries(connection, changes), Aftermath()
    applied.wake = post(connection, house, entries, now, after, prepared.levels)
    cases.save(connection, list(book.changed.values()))
    paying.follow(connection, book.changed.values(), now)
    flagging.flag_cases(connection, house, book, folded, now)
    flagging.settle(connection, decider.settled, now)
    returning.keep(connection, house, book.returned(), now)
    counts = decider.counts
    applied.wake |= checkpoints.count_all(connection, house, counts, now, after)
    applied.wake |= observing.observe(connection, house, decider.seen, now)
    decider.log.write()
    applied.wake |= _see_to(connection, house, after, now)
    return applied


def _see_to(
    connection: Connection, house: House, after: Aftermath, now: Instant
) -> set[int]:
    """See to what follows from what was posted; return the channels to wake."""
    if after.suspects:
        oversells.judge(connection, house, after.suspects, now)
    anew = adopted.told_anew(connection, after.late, now) if after.late else []
    return apply(connection, house, anew, now).wake if anew else set()


def _take_out(
    connection: Connection,
    house: House,
    decider: Decider,
    told: Told,
    heard: Sequence[Said],
) -> None:
    """What a parcel does not name any more has not left in it."""
    for gone in parcels.taken_out(connection, house, decider.book, told, heard):
        decider.decide(gone, hear(house, gone))


def _tell_waiting(
    connection: Connection, house: House, decider: Decider, now: Instant
) -> bool:
    """A return whose order nobody knew is told again once a channel tells of it."""
    book, has_told = decider.book, False
    for case, other in book.waited_for():
        channel = house.channels[case.channel_id or 0].key
        words, rows = waiting.told(connection, other)
        other.targets = {}
        book.touch(other)
        decider.names.skus |= dict.fromkeys(words, other.sku_id or 0)
        for row in rows:
            event = of_channel(event_of(row), channel)
            again = Told(None, [event], now, actor=row.actor)
            heard = hear(house, again)
            book.open(heard)
            decider.decide(again, heard)
            waiting.found(connection, row.id, channel)
            has_told = True
    return has_told


Change: TypeAlias = tuple[Movement, int, Said, OfKit | None, Instant | None]


def _changes(
    house: House, decider: Decider
) -> tuple[list[Change], dict[int, folding.Folded]]:
    """What the changed cases call for now, less what they posted before, and why."""
    decider.share()
    folded = folding.fold(house, decider.book, decider.causes)
    others = doing.by_others(house, decider.book.changed.values(), decider.causes)
    corrections = decider.book.corrections
    changes: list[Change] = []
    for case in decider.book.changed.values():
        said = decider.causes.get(id(case))
        if case.sku_id is None or said is None:
            continue
        parts = house.parts_of(case.sku_id, case.targets)
        rules = house.rules_of(case.channel_id)
        if id(case) in folded:
            wanted = folded[id(case)].movements(rules)
        else:
            wanted = movements(case.sku_id, case.targets, rules, parts)
        change = difference(wanted, case.posted)
        cause = said, of_kit(case.sku_id, parts) if parts else None
        case.posted = wanted
        for move, units in change.items():
            at: Instant | None = corrections.done_at(case, move.occurred_at)
            if move.occurred_at in others.get(id(said), ()):
                at = None
            changes.append((move, units, *cause, at))
    return changes, folded


def _entries(connection: Connection, changes: Sequence[Change]) -> list[Entry]:
    return [
        Entry(
            movement,
            quantity,
            said.event.kind,
            said.verdict.event_id or 0,
            said.told.channel_id,
            said.told.actor,
            said.event.reason,
            _undone(connection, said.event, movement),
            kit=kit,
            item=said.event.item,
            own_at=own_at,
        )
        for movement, quantity, said, kit, own_at in changes
    ]


def _undone(
    connection: Connection, event: StockEvent, movement: Movement
) -> int | None:
    """The entry that this movement of a reversal undoes."""
    if event.kind != kinds.REVERSED:
        return None
    undone = history.undoing(connection, event.fact or "", event.scope or "")
    return undone.get(movement)

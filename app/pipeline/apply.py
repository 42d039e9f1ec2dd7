"""Apply: stock events → cases → ledger, levels and marks, in one transaction.

Step 4 of the journey: inbound worker → **here** → outbound worker. No HTTP happens
here. Events of many messages are applied together; a message that cannot be applied
makes the whole batch fail, and the inbound step splits it.
"""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.case import difference, movements
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.states import Movement
from app.domain.targets import Rules
from app.pipeline import checkpoints, observing, oversells, twins
from app.pipeline.casebook import Casebook
from app.pipeline.deciding import Decider
from app.pipeline.hearing import hear
from app.pipeline.house import House
from app.pipeline.names import look_up
from app.pipeline.posting import Entry, post
from app.pipeline.told import Applied, Told, released
from app.store import cases, history, holds


def apply(
    connection: Connection, house: House, batch: Sequence[Told], now: Instant
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
    applied = Applied([[said.verdict for said in spoken] for spoken in heard])
    _consume_holds(connection, house, decider, batch, now)
    decider.share()
    decider.log.number()
    entries = _entries(connection, house, decider)
    cases.save(connection, list(book.changed.values()))
    suspects: set[int] = set()
    applied.wake = post(connection, house, entries, now, suspects)
    for count in decider.counts:
        applied.wake |= checkpoints.count(connection, house, count, now, suspects)
    applied.wake |= observing.observe(connection, house, decider.seen, now)
    decider.log.write()
    if suspects:
        oversells.judge(connection, house, suspects, now)
    twins.look(connection, house, entries, now)
    return applied


def _consume_holds(
    connection: Connection,
    house: House,
    decider: Decider,
    batch: Sequence[Told],
    now: Instant,
) -> None:
    """An order whose id is a hold's reference ends that hold."""
    orders = {
        event.order: event.occurred_at
        for told in batch
        for event in told.events
        if event.kind == kinds.PLACED and event.order and told.inbox_id
    }
    for hold, held in holds.referring(connection, orders, now).items():
        holds.end(connection, hold, holds.COMMITTED, now)
        # Promised from then on, so not reserved any more.
        placed_at = orders[held[0].reference]
        told = Told(None, released(held, now, placed_at), now, actor="order")
        heard = hear(house, told)
        decider.book.open(heard)
        decider.names.skus |= {row.sku: row.sku_id for row in held}
        decider.decide(told, heard)


def _entries(connection: Connection, house: House, decider: Decider) -> list[Entry]:
    """What the changed cases call for now, less what they posted before."""
    entries: list[Entry] = []
    for case in decider.book.changed.values():
        said = decider.causes.get(id(case))
        if case.sku_id is None or said is None:
            continue
        owner = house.channels.get(case.channel_id or 0)
        rules = owner.rules if owner is not None else Rules()
        wanted = movements(case.sku_id, case.targets, rules)
        change = difference(wanted, case.posted)
        case.posted = wanted
        undone = _undone(connection, said.event)
        entries += [
            Entry(
                movement,
                quantity,
                said.event.kind,
                said.verdict.event_id or 0,
                said.told.channel_id,
                said.told.actor,
                said.event.reason,
                undone.get(movement),
            )
            for movement, quantity in change.items()
        ]
    return entries


def _undone(connection: Connection, event: StockEvent) -> dict[Movement, int]:
    """What a reversal posts → the entry that this undoes."""
    if event.kind != kinds.REVERSED:
        return {}
    return history.undoing(connection, event.fact or "", event.scope or "")

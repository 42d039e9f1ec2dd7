"""Reversing: a fact that was a mistake is undone by entries that name what they undo.

The reversal is a stock event of its own in the mistaken fact's case, dated as the
mistake was: what was counted since then was right with or without it. Orders, counts
and holds have their own ways of being corrected.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.errors import NotReversible, UnknownName
from app.domain.events import StockEvent, key_of
from app.domain.instants import Instant
from app.pipeline.acts.facts import Waker, record_in, wake_all
from app.pipeline.applying.told import event_of
from app.pipeline.applying.travelling import Way
from app.pipeline.house import API, House, current
from app.store.engine import applying
from app.store.tables import ledger, skus, stock_events

REVERSIBLE: Final = (
    kinds.ADJUSTED,
    kinds.EXPECTED,
    kinds.INSPECTED,
    kinds.LOST,
    kinds.RECEIVED,
    kinds.TRANSFERRED,
)
_INSTEAD: Final = {
    kinds.REVERSED: "is a reversal; say anew what happened",
    kinds.COUNTED: "came of a count; count again",
    kinds.HELD: "is a hold's; release the hold",
    kinds.LET_GO: "is a hold's; hold the units again",
}
_ORDERS: Final = "is an order's own; its channel corrects it"


class Reversed(NamedTuple):
    """A reversal: the key of its stock event, and whether it was made just now."""

    key: str
    is_new: bool


def reverse(
    engine: Engine,
    entry_id: int,
    reason: str,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> Reversed:
    """Undo the fact that caused a ledger entry; twice is once.

    Raises UnknownName, and NotReversible where something else is the way.
    """
    with applying(engine) as connection:
        done, woken = reverse_in(connection, entry_id, reason, actor=actor, now=now)
    wake_all(wakes, woken)
    return done


def reverse_in(
    connection: Connection, entry_id: int, reason: str, *, actor: str, now: Instant
) -> tuple[Reversed, set[str]]:
    """The same inside a caller's `applying` transaction; also the lanes to wake."""
    woken: set[str] = set()
    row = _caused(connection, entry_id)
    event = _reversal(current(connection), row, reason, now)
    key = f"{API}:{key_of(event)}"
    is_new = not _is_reversed(connection, key, row.version)
    if is_new:
        _refuse_ended(connection, row)
        _, woken = record_in(connection, [event], actor=actor, now=now)
    return Reversed(key, is_new), woken


def reverse_all_in(
    connection: Connection,
    entry_ids: Sequence[int],
    reason: str,
    *,
    actor: str,
    now: Instant,
) -> set[str]:
    """The same for many entries, told at once; return the lanes to wake."""
    house, events = current(connection), []
    for entry_id in entry_ids:
        row = _caused(connection, entry_id)
        event = _reversal(house, row, reason, now)
        if not _is_reversed(connection, f"{API}:{key_of(event)}", row.version):
            _refuse_ended(connection, row)
            events.append(event)
    if not events:
        return set()
    return record_in(connection, events, actor=actor, now=now)[1]


def _caused(connection: Connection, entry_id: int) -> sa.Row[tuple[object, ...]]:
    """The stock event behind an entry that may be reversed, and its SKU: of an entry
    of a component, the kit."""
    found = connection.execute(
        sa.select(
            stock_events,
            ledger.c.kind.label("entry_kind"),
            skus.c.sku,
        )
        .join(ledger, ledger.c.event_id == stock_events.c.id)
        .join(skus, skus.c.id == stock_events.c.sku_id)
        .where(ledger.c.id == entry_id)
    ).first()
    if found is None:
        raise UnknownName(f"there is no ledger entry {entry_id}", "id")
    if found.entry_kind not in REVERSIBLE or found.kind not in REVERSIBLE:
        instead = _INSTEAD.get(found.entry_kind, _ORDERS)
        raise NotReversible(f"entry {entry_id} {instead}")
    return found


def _reversal(
    house: House, row: sa.Row[tuple[object, ...]], reason: str, now: Instant
) -> StockEvent:
    mistaken = event_of(row)
    teller = house.channels.get(row.channel_id or 0)
    return StockEvent(
        kinds.REVERSED,
        1,
        mistaken.occurred_at,
        now,
        sku=row.sku,
        order_channel=mistaken.order_channel or (teller.key if teller else None),
        line=mistaken.line,
        fact=row.key,
        of=mistaken.fact,
        reason=reason,
        scope=mistaken.kind,
    )


def _is_reversed(connection: Connection, key: str, version: int) -> bool:
    """Whether a reversal is known that is newer than what caused the entry."""
    newest = connection.execute(
        sa.select(sa.func.max(stock_events.c.version)).where(stock_events.c.key == key)
    ).scalar_one_or_none()
    return newest is not None and newest >= version


def _refuse_ended(connection: Connection, row: sa.Row[tuple[object, ...]]) -> None:
    """Units that have arrived, or are lost, cannot be called never sent."""
    sent = event_of(row)
    if sent.kind not in (kinds.EXPECTED, kinds.TRANSFERRED):
        return
    way = Way(connection, sent.fact or "")
    if short := way.missing(row.sku, row.sku_id, sent.quantity):
        raise NotReversible(
            f"only {short.available} of its units of {row.sku} are still on the way; "
            "reverse what was received or lost first"
        )

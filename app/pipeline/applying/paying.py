"""Paying: orders of a channel that waits for their payment, and the holds they are.

Such an order's lines are held like any claim: a hold with an expiry, which stands in
`holds` for as long as the case keeps units reserved, and which ends by what the case
says. A payment that comes too late commits the units all the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import SECOND, Instant
from app.domain.payment import has_lapsed, is_paid, merged
from app.domain.states import RESERVED
from app.domain.targets import Target
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.hearing import Said
from app.pipeline.applying.told import DUPLICATE, SUPERSEDED, Told
from app.pipeline.house import House
from app.store.stock import cases as case_store, holds, line_holds
from app.store.stock.cases import Case
from app.store.stock.line_holds import LineHold


def with_payment(house: House, told: Told) -> Told:
    """A message with what it says of payments; only where a channel waits for them."""
    if not house.waits_for_payment:
        return told
    events: list[StockEvent] = []
    for event in told.events:
        events.append(event)
        patience = _patience(house, told, event)
        if event.kind == kinds.PLACED and patience is not None:
            events.append(_payment(event, patience, told.received_at))
    return replace(told, events=events)


def _patience(house: House, told: Told, event: StockEvent) -> int | None:
    """How many seconds the order's channel waits; 0: it did once and does no more."""
    if event.order_channel is not None:
        owner = house.named(event.order_channel)
    else:
        owner = house.channels.get(told.channel_id or 0)
    return None if owner is None else owner.until_paid


def _payment(event: StockEvent, patience: int, received_at: Instant) -> StockEvent:
    common = replace(event, quantity=1, place=None, scope=None)
    began = min(event.occurred_at, received_at)
    if event.scope == kinds.NOT_PAID and patience:
        return replace(common, kind=kinds.UNPAID, until=began + patience * SECOND)
    # A version may count from 1 and say nothing of the time.
    paid_at = event.version if event.version >= began else received_at
    return replace(common, kind=kinds.PAID, occurred_at=min(paid_at, received_at))


def take(book: Casebook, said: Said, case: Case, name: str, target: Target) -> bool:
    """Take what is said of a payment; return whether that may move something."""
    known = case.targets.get(name)
    new = target if known is None else merged(name, known, target)
    if known is not None and target.version <= known.version:
        is_same = target.version == known.version
        said.verdict.verdict = DUPLICATE if is_same else SUPERSEDED
    if new == known:
        return False
    case.targets[name] = new
    book.touch(case)
    # What was never unpaid is committed anyway; and a higher version alone is no news.
    is_news = known is None or new._replace(version=known.version) != known
    return is_news and kinds.UNPAID in case.targets


def follow(connection: Connection, changed: Iterable[Case], now: Instant) -> None:
    """Let the holds of these order lines be what their cases keep reserved."""
    waiting = [case for case in changed if kinds.UNPAID in case.targets]
    if waiting:
        line_holds.keep(connection, [_hold(case, now) for case in waiting])


def follow_all(connection: Connection, now: Instant) -> None:
    """The same for every order line there is."""
    line_holds.forget(connection)
    follow(connection, case_store.load_having(connection, kinds.UNPAID), now)


def _hold(case: Case, now: Instant) -> LineHold:
    unpaid, placed = case.targets[kinds.UNPAID], case.targets.get(kinds.PLACED)
    units: dict[int, int] = {}
    for move, quantity in case.posted.items():
        for state, place, sign in (
            (move.to_state, move.to_location, 1),
            (move.from_state, move.from_location, -1),
        ):
            if state == RESERVED:
                units[place] = units.get(place, 0) + sign * quantity
    until = int(unpaid.extra or 0)
    return LineHold(
        line_key=f"{case.case_key}\n{case.line}",
        hold_id=f"{case.case_key}/{quote(case.line, safe='')}",
        reference=case.order_number or case.case_key.split("/", 2)[2],
        sku_id=case.sku_id or 0,
        units={place: number for place, number in units.items() if number > 0},
        began=placed.occurred_at if placed else unpaid.occurred_at,
        until=until,
        **_end(case, until, now),
    )


def _end(case: Case, until: Instant, now: Instant) -> dict[str, Any]:
    """How such a hold ended, if it keeps nothing any more."""
    if is_paid(case.targets):
        return {"ended": holds.COMMITTED, "at": case.targets[kinds.PAID].occurred_at}
    if has_lapsed(case.targets):
        return {"ended": holds.EXPIRED, "at": until}
    return {"ended": holds.RELEASED, "at": now}


def lapses(rows: Sequence[Any]) -> list[StockEvent]:
    """What ends order lines' holds whose time is over; rows are from `holds`."""
    lines = {row.line_key: row for row in rows}
    return [_lapse(row) for row in lines.values()]


def _lapse(row: Any) -> StockEvent:
    case_key, line = row.line_key.split("\n", 1)
    channel, _, order = case_key.split("/", 2)
    return StockEvent(
        kinds.LAPSED,
        1,
        row.expires_at,
        row.expires_at,
        sku=row.sku,
        order=order,
        order_channel=channel,
        line=line,
    )

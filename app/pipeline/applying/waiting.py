"""Waiting: returns that name an order which no channel has told of yet.

They wait among our own orders under the name they gave, until a channel tells of an
order with that id or number and their SKU. Then they are told again, as that channel's.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.events import StockEvent, key_of
from app.pipeline.applying.hearing import BY_SKU, order_key
from app.pipeline.applying.told import POSTED, SUPERSEDED
from app.pipeline.house import API
from app.store.stock import aliases
from app.store.stock.cases import Case, spellings
from app.store.tables import stock_events

OF_RETURNS: Final = (kinds.ADVISED, kinds.RETURNED)
_OURS: Final = tuple(f"{kind}:{API}:" for kind in OF_RETURNS)


def tells_of_order(case: Case) -> bool:
    """Whether somebody has told of the order itself, not just of a return for it."""
    return any(
        not name.startswith((*OF_RETURNS, kinds.IGNORED)) for name in case.targets
    )


def tells_of_return(case: Case) -> bool:
    """Whether units of it came back, or somebody says that they will."""
    return any(name.startswith(OF_RETURNS) for name in case.targets)


def waits_under(order: str | None, number: str | None) -> list[str]:
    """The keys of the cases in which returns for an order may wait."""
    return [order_key(API, name) for name in (order, number) if name is not None]


def only_waits(case: Case) -> bool:
    """Whether a case holds nothing but returns that wait for a channel's order."""
    return (
        case.channel_id is None
        and bool(case.targets)
        and all(name.startswith(_OURS) for name in case.targets)
    )


def told(connection: Connection, case: Case) -> tuple[list[str], Sequence[sa.Row[Any]]]:
    """What the SKU of what waits in a case is called, and the events that told of it."""
    words = aliases.words_of(connection, case.sku_id or 0)
    order = case.case_key.split("/", 2)[2]
    events = []
    for name in case.targets:
        kind, _, rest = name.split(":", 2)
        fact = rest.partition(BY_SKU)[0]
        events += [
            StockEvent(kind, 0, 0, 0, sku=sku, order=spelled, fact=fact)
            for sku in words
            for spelled in spellings(order)
        ]
    keys = [f"{API}:{key_of(event)}" for event in events]
    rows = connection.execute(
        sa.select(stock_events)
        .where(stock_events.c.key.in_(keys), stock_events.c.verdict == POSTED)
        .order_by(stock_events.c.id)
    )
    return words, rows.all()


def found(connection: Connection, row_id: int, channel: str) -> None:
    """What waited is told again with its channel: only that is true from now on."""
    note = f"the order is {channel}'s; told again with its channel"
    same = stock_events.c.id == row_id
    change = stock_events.update().where(same).values(verdict=SUPERSEDED, note=note)
    connection.execute(change)

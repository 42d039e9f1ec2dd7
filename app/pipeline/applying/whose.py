"""Whose order a return means that names no channel: the one channel's that has it.

If none has it yet, the return waits; see `waiting`.
"""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from app.domain.errors import AmbiguousName
from app.domain.events import StockEvent, number_in, of_channel
from app.pipeline.applying.hearing import order_key
from app.pipeline.applying.traits import names_no_channel
from app.pipeline.applying.waiting import OF_RETURNS, tells_of_order
from app.pipeline.house import House
from app.store.stock import cases


def with_channels(
    connection: Connection, house: House, events: Sequence[StockEvent]
) -> list[StockEvent]:
    """The same events; a return's order is looked for by id and number everywhere.

    Raises AmbiguousName when several channels have it.
    """
    owners = {
        order: owner_of(connection, house, order)
        for order in {event.order for event in events if _is_open(event)}
        if order is not None
    }
    return [
        of_channel(event, owners.get(event.order or "")) if _is_open(event) else event
        for event in events
    ]


def _is_open(event: StockEvent) -> bool:
    return (
        event.kind in OF_RETURNS
        and event.order is not None
        and event.order_channel is None
    )


def owner_of(connection: Connection, house: House, order: str) -> str | None:
    """The one channel that has told of an order, by its id or number, if any.

    Raises AmbiguousName when several have it.
    """
    keys = [order_key(key, order) for key in sorted(house.by_key)]
    numbers = [name for name in (order, number_in(order)) if name is not None]
    told = [
        case
        for case in (
            *cases.load(connection, keys),
            *cases.load_numbers(connection, numbers),
        )
        if case.channel_id is not None and tells_of_order(case)
    ]
    takers = [case for case in told if not names_no_channel(case)]
    ids = {case.channel_id for case in takers or told}
    named = sorted(house.channels[id_].key for id_ in ids if id_ is not None)
    if len(named) > 1:
        raise AmbiguousName(
            f"{' and '.join(named)} have an order {order!r}; say whose it is", "channel"
        )
    return named[0] if named else None

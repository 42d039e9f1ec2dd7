"""What a channel tells late of the time before its number was taken into the stock.

It was in that number, so the adjustment that took it over is told anew with as much
more or less, in a higher version: a stock event like any other, and told again in any
order they lead to the same.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy.engine import Connection

from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.pipeline.applying.told import Meant, Told, event_of
from app.pipeline.watching.observing import Late
from app.store.watching import adoptions

_LATE: Final = "; a part of the difference was told late"


def told_anew(connection: Connection, late: Sequence[Late], now: Instant) -> list[Told]:
    """The adjustments that have to be others now."""
    changes: dict[str, int] = defaultdict(int)
    rows = {}
    for one in late:
        row = adoptions.first(connection, one.publication_id, one.at)
        if row is not None and row.sku_id == one.sku_id:
            rows[row.key] = row
            changes[row.key] += one.change
    return [
        Told(
            None,
            [_anew(event_of(row), row.target - changes[key])],
            now,
            actor=row.actor,
            meant=[Meant(row.sku_id, row.location_id)],
        )
        for key, row in rows.items()
        if changes[key]
    ]


def _anew(event: StockEvent, quantity: int) -> StockEvent:
    # Its version stays below that of whoever called it a mistake meanwhile.
    version = event.version + 1
    reason = (event.reason or "").removesuffix(_LATE) + _LATE
    return replace(event, quantity=quantity, version=version, reason=reason)

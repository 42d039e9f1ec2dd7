"""Facts told by people and programs: the same stock events as any channel's.

Facts are never refused for lack of units: refusing to write down what happened only
hides it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.errors import BadConfiguration, UnknownName
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.pipeline.apply import apply
from app.pipeline.applying.told import PARKED, Applied, Told, Verdict
from app.pipeline.applying.whose import with_channels
from app.pipeline.configuring.listings import lanes
from app.pipeline.house import House, current
from app.store.engine import applying
from app.store.stock.aliases import sku_ids
from app.store.tables import ledger


class Waker(Protocol):
    """Wakes a lane of work."""

    def wake(self, lane: str) -> object:
        """Say that there is work."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written."""

    events: Sequence[Verdict]
    entries: Sequence[sa.RowMapping]
    """Rows of the ledger that these events caused."""


def record(
    engine: Engine,
    events: Sequence[StockEvent],
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> Recorded:
    """Apply facts told in our own words: `sku` and `place` are ours.

    Raises UnknownName, naming the field, when one of them does not exist, and
    AmbiguousName when a return's order may be several channels'; then nothing is
    written.
    """
    with applying(engine) as connection:
        recorded, woken = record_in(connection, events, actor=actor, now=now)
    wake_all(wakes, woken)
    return recorded


def record_in(
    connection: Connection, events: Sequence[StockEvent], *, actor: str, now: Instant
) -> tuple[Recorded, set[str]]:
    """The same inside a caller's `applying` transaction; also the lanes to wake."""
    house = current(connection)
    check_names(connection, house, events)
    events = with_channels(connection, house, events)
    applied = apply(connection, house, [Told(None, events, now, actor=actor)], now)
    verdicts = applied.verdicts[0]
    for number, verdict in enumerate(verdicts):
        if verdict.verdict == PARKED:
            raise UnknownName(verdict.note or "unknown name", f"lines[{number}]")
    return Recorded(verdicts, entries_of(connection, verdicts)), _lanes(house, applied)


def check_names(
    connection: Connection, house: House, events: Sequence[StockEvent]
) -> None:
    """Raise UnknownName for the first SKU, location or channel that does not exist."""
    known = sku_ids(connection, [event.sku or "" for event in events])
    for number, event in enumerate(events):
        _refuse_counted_kit(house, known, number, event)
        if event.sku not in known:
            raise UnknownName(
                f"there is no SKU {event.sku!r}; import it first",
                f"lines[{number}].sku",
            )
        for name, place in (("location", event.place), ("to", event.to_place)):
            if place is not None and place not in house.codes:
                codes = ", ".join(sorted(house.codes)) or "none yet"
                raise UnknownName(
                    f"there is no location {place!r}; known: {codes}", name
                )
        if event.order_channel:
            house.known(event.order_channel)


def _refuse_counted_kit(
    house: House, known: Mapping[str, int], number: int, event: StockEvent
) -> None:
    if event.kind != kinds.COUNTED:
        return
    if house.is_kit(known.get(event.sku or "", 0), event.occurred_at):
        raise BadConfiguration(
            f"{event.sku} is a kit: it has no stock of its own to count; count its "
            "components",
            f"lines[{number}].sku",
        )


def entries_of(
    connection: Connection, verdicts: Sequence[Verdict]
) -> Sequence[sa.RowMapping]:
    """The ledger entries that events caused, in the order they were written."""
    ids = [verdict.event_id for verdict in verdicts if verdict.event_id is not None]
    found = connection.execute(
        sa.select(ledger).where(ledger.c.event_id.in_(ids)).order_by(ledger.c.id)
    )
    return found.mappings().all()


def _lanes(house: House, applied: Applied) -> set[str]:
    return lanes(house, applied.wake)


def wake_all(wakes: Waker | None, lanes_: Iterable[str]) -> None:
    """Wake lanes after the commit."""
    if wakes is not None:
        for lane in lanes_:
            wakes.wake(lane)

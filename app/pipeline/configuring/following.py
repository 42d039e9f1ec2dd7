"""Following: the open lines of an item that is another SKU's now go with it.

A line keeps the SKU that its item was mapped to when it was told. Where that was a
mistake, a person lets its open lines follow: their promises, and what was shipped of
them, move to the SKU that the item is mapped to now.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.events import StockEvent, key_of
from app.domain.instants import Instant
from app.pipeline.apply import apply
from app.pipeline.applying.told import POSTED, Meant, Told, event_of
from app.pipeline.house import House, Place
from app.store import bulk
from app.store.stock import cases
from app.store.stock.cases import Case


def follow(
    connection: Connection,
    house: House,
    channel: Place,
    items: Collection[str | None],
    sku_id: int,
    *,
    now: Instant,
    actor: str | None,
) -> set[int]:
    """Let the open lines of a channel's item, by any of its ids, follow it to this SKU;
    return the channels to wake. Those that did are this SKU's already."""
    told = [
        _again(case, event, sku_id, channel, now, actor)
        for case, event in _open_lines(connection, channel, items)
        if case.sku_id != sku_id
    ]
    return apply(connection, house, told, now).wake if told else set()


def left_behind(
    connection: Connection, channel: Place, items: Collection[str | None], sku_id: int
) -> int:
    """How many open lines of a channel's item are another SKU's."""
    lines = _open_lines(connection, channel, items)
    return sum(case.sku_id != sku_id for case, _ in lines)


def _open_lines(
    connection: Connection, channel: Place, items: Collection[str | None]
) -> Iterator[tuple[Case, StockEvent]]:
    """A channel's own lines of which units are promised still, as it told them last."""
    found = {}
    for case in cases.promising(connection, channel.id):
        _, kind, order = case.case_key.split("/", 2)
        if kind == "order" and kinds.PLACED in case.targets:
            named = StockEvent(kinds.PLACED, 0, 0, 0, order=order, line=case.line)
            found[f"{channel.key}:{key_of(named)}"] = case
    rows = bulk.select(connection, _PLACED, found)
    newest = {row.key: event_of(row) for row in map(_Row._make, rows)}
    for key, event in newest.items():
        if event.item in items:
            yield found[key], event


class _Row(NamedTuple):
    key: str
    kind: str
    target: int
    occurred_at: Instant
    version: int
    details: str


_PLACED: Final = (
    f"SELECT {', '.join(_Row._fields)} FROM stock_events "
    f"WHERE key {{among}} AND verdict = '{POSTED}' ORDER BY version"
)


def _again(
    case: Case,
    event: StockEvent,
    sku_id: int,
    channel: Place,
    now: Instant,
    actor: str | None,
) -> Told:
    """The promise as it stands, said in the next version of what now is its SKU."""
    placed = case.targets[kinds.PLACED]
    said = replace(
        event,
        quantity=placed.quantity,
        occurred_at=placed.occurred_at,
        version=placed.version + 1,
    )
    meant = Meant(sku_id, placed.location)
    return Told(channel.id, [said], now, actor=actor, meant=[meant])

"""Promising: what the holds committed to an order promise, all of them together.

A shopper's basket may be several holds. Each commitment sets the order's lines to what
its holds make in sum, in a version of its own; the order's own channel, whenever it
speaks, has the last word. `holding` promises.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.events import BY_HOLD, StockEvent, is_by_hold
from app.domain.instants import Instant
from app.pipeline.acts.claims import Lines
from app.pipeline.applying.hearing import order_key
from app.pipeline.house import API, House
from app.store.stock import cases
from app.store.stock.aliases import sku_ids
from app.store.stock.cases import Case

_AT = "hold-"
"""Before the place in the id of a routing that a hold made."""


@dataclass(frozen=True, slots=True)
class Promise:
    """The order that a hold is committed to; `lines` may name its own: {"id","sku"}."""

    channel: str | None
    order: str
    lines: Lines
    now: Instant

    def of(
        self, connection: Connection, house: House, rows: Sequence[Any]
    ) -> list[StockEvent]:
        """The order's lines with what these rows of a hold add to them."""
        units: dict[tuple[int, str], dict[str, int]] = defaultdict(
            lambda: defaultdict(int)
        )
        for row in rows:
            units[row.sku_id, row.sku][row.location] += row.quantity
        known = cases.load(connection, [order_key(self.channel or API, self.order)])
        ids = self._named(connection)
        return [
            event
            for (sku_id, sku), held in units.items()
            for event in self._line(
                house, sku, ids.get(sku_id), held, _same(known, sku_id, ids.get(sku_id))
            )
        ]

    def _named(self, connection: Connection) -> dict[int, str]:
        """The order's own line ids by our SKU, whatever text named it."""
        named = {str(one["sku"]): one["id"] for one in self.lines if one.get("id")}
        known = sku_ids(connection, named)
        return {known[sku]: str(id_) for sku, id_ in named.items() if sku in known}

    def _line(
        self,
        house: House,
        sku: str,
        line: str | None,
        held: dict[str, int],
        known: Case | None,
    ) -> Iterator[StockEvent]:
        """One line: all it promises, and what of it is not at its first place."""
        before = known.targets.get(kinds.PLACED) if known is not None else None
        first, total = next(iter(held)), sum(held.values())
        version, at = BY_HOLD, self.now
        if known is not None:
            # Whatever names it now, what is known of it sits there.
            line = None if known.line == _by_sku(known.sku_id) else known.line
        if known is not None and before is not None and is_by_hold(before.version):
            # It is one promise, corrected: it began when it began.
            version, at = before.version + 1, before.occurred_at
            total += before.quantity
            first = house.names.get(before.location or 0, first)
            for place, units in _routed(known):
                held[place] += units
        placed = StockEvent(
            kinds.PLACED,
            total,
            at,
            version,
            sku=sku,
            place=first,
            order=self.order,
            order_channel=self.channel,
            line=line,
        )
        yield placed
        for place, units in held.items():
            if place != first:
                routed = replace(placed, kind=kinds.ROUTED, quantity=units)
                yield replace(routed, place=place, fact=f"{_AT}{place}")


def _same(known: Sequence[Case], sku_id: int, line: str | None) -> Case | None:
    """The line that an earlier hold promised these units on."""
    by_sku = _by_sku(sku_id)
    found = {case.line: case for case in known if case.sku_id == sku_id}
    return found.get(line or by_sku) or found.get(by_sku)


def _by_sku(sku_id: int | None) -> str:
    """The line that a promise sits on whose own nobody named."""
    return f"sku:{sku_id}"


def _routed(known: Case) -> Iterator[tuple[str, int]]:
    for name, target in known.targets.items():
        kind, _, fact = name.partition(":")
        if kind == kinds.ROUTED and is_by_hold(target.version):
            yield fact.removeprefix(_AT), target.quantity

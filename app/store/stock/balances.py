"""How much there is of a SKU: per location and in total, now or at a past instant.

Now is read from the stock levels. The past is summed up from the ledger: `at` asks
what had happened by then, `known_at` what had been written down by then.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.domain.states import (
    AVAILABLE,
    COMMITTED,
    DAMAGED,
    INCOMING,
    INSPECTION,
    ON_HAND,
    RESERVED,
)
from app.store import keyset, timekeeper
from app.store.keyset import Page, Position
from app.store.stock import aliases
from app.store.tables import (
    hold_lines,
    holds,
    kit_parts,
    ledger,
    locations,
    skus,
    stock_levels,
)

SHOWN = (AVAILABLE, RESERVED, COMMITTED, INSPECTION, DAMAGED, INCOMING)
"""The states people are told about; on_hand is the sum of all but the last."""

_NONE: Final = sa.literal_column("0", sa.BigInteger())
"""Not bound: so a partial index is seen to fit."""

Quantities = dict[str, int]
Spots = Mapping[tuple[int, int], Quantities]
"""SKU id and location id → state → units."""


@dataclass(frozen=True, slots=True)
class When:
    """Which moment is asked for; `now` decides which holds have expired."""

    now: Instant
    at: Instant | None = None
    known_at: Instant | None = None

    @property
    def is_past(self) -> bool:
        """Whether the ledger must be asked."""
        return self.at is not None or self.known_at is not None

    @property
    def moment(self) -> Instant:
        """The time that is asked about: what was known then is about then."""
        asked = self.known_at if self.at is None else self.at
        return self.now if asked is None else min(asked, self.now)


def stock_of(connection: Connection, sku: str, when: When) -> dict[str, Any] | None:
    """One SKU's stock, by its code or an alias; None when nobody has told us of it."""
    query = _skus().where(aliases.names(sku))
    found = connection.execute(query).mappings().all()
    return _balances(connection, found, when)[0] if found else None


def page(
    connection: Connection,
    when: When,
    *,
    limit: int,
    after: Position | None = None,
    search: str | None = None,
) -> Page[dict[str, Any]]:
    """The stock of up to `limit` SKUs, in the order of their names.

    `search` is part of a SKU, name or alias, or a barcode.
    """
    query = _skus()
    if search:
        query = query.where(
            sa.or_(
                skus.c.sku.icontains(search, autoescape=True),
                skus.c.name.icontains(search, autoescape=True),
                skus.c.barcode == search,
                skus.c.id.in_(aliases.like(search)),
            )
        )
    found = keyset.read(connection, query, [skus.c.sku], limit=limit, after=after)
    return found.of(_balances(connection, found, when))


def in_inspection(
    connection: Connection,
    *,
    limit: int,
    after: Position | None = None,
    sku: str | None = None,
    location: str | None = None,
) -> Page[RowMapping]:
    """Up to `limit` SKUs and locations at which units wait to be judged; of a kit,
    those of what it is made of now."""
    query = _where_there_are(stock_levels.c.inspection)
    if sku is not None:
        parts = (
            sa.select(kit_parts.c.sku_id)
            .join(skus, skus.c.id == kit_parts.c.kit_id)
            .where(aliases.names(sku))
            .correlate(None)
        )
        query = query.where(sa.or_(aliases.names(sku), skus.c.id.in_(parts)))
    if location is not None:
        query = query.where(locations.c.code == location)
    return keyset.read(connection, query, [stock_levels.c.id], limit=limit, after=after)


def on_the_way(connection: Connection, *, limit: int) -> Sequence[RowMapping]:
    """Up to `limit` SKUs with the locations that units of them are on the way to."""
    query = _where_there_are(stock_levels.c.incoming)
    query = query.order_by(skus.c.sku, locations.c.code).limit(limit)
    return connection.execute(query).mappings().all()


def _where_there_are(units: sa.Column[int]) -> sa.Select[Any]:
    """The SKUs and locations that have units in one state."""
    return (
        sa.select(
            stock_levels.c.id,
            skus.c.sku,
            skus.c.name,
            locations.c.code.label("location"),
            units.label("quantity"),
        )
        .join(skus, skus.c.id == stock_levels.c.sku_id)
        .join(locations, locations.c.id == stock_levels.c.location_id)
        .where(units > _NONE)
    )


def _skus() -> sa.Select[Any]:
    return sa.select(skus.c.id, skus.c.sku, skus.c.name, skus.c.barcode)


def spots_of(connection: Connection, sku_id: int, when: When) -> dict[int, Quantities]:
    """One SKU's quantities per location id, the places of unassigned promises too."""
    return spots_of_all(connection, [sku_id], when).get(sku_id, {})


def spots_of_all(
    connection: Connection, sku_ids: Collection[int], when: When
) -> dict[int, dict[int, Quantities]]:
    """The same for several: SKU id → location id → quantities."""
    ids = list(sku_ids)
    spots = _past(connection, ids, when) if when.is_past else _now(connection, ids)
    _end_holds(connection, spots, ids, when)
    found: dict[int, dict[int, Quantities]] = defaultdict(dict)
    for (sku_id, place), quantities in spots.items():
        found[sku_id][place] = _with_on_hand(quantities)
    return found


def _balances(
    connection: Connection, found: Sequence[RowMapping], when: When
) -> list[dict[str, Any]]:
    ids = [row["id"] for row in found]
    spots = _past(connection, ids, when) if when.is_past else _now(connection, ids)
    _end_holds(connection, spots, ids, when)
    places = {
        row.id: row
        for row in connection.execute(
            sa.select(locations.c.id, locations.c.code, locations.c.unassigned_of)
        )
    }
    by_sku: dict[int, list[tuple[Any, Quantities]]] = defaultdict(list)
    for (sku_id, location_id), quantities in sorted(spots.items()):
        by_sku[sku_id].append((places[location_id], quantities))
    return [_balance(row, by_sku[row["id"]]) for row in found]


def _balance(row: RowMapping, spots: list[tuple[Any, Quantities]]) -> dict[str, Any]:
    totals = {
        state: sum(quantities[state] for _, quantities in spots) for state in SHOWN
    }
    virtual = [held for place, held in spots if place.unassigned_of is not None]
    return {
        **row,
        **_with_on_hand(totals),
        # Promises that name no location yet: available is negative by as much there.
        "unassigned": sum(one[COMMITTED] + one[RESERVED] for one in virtual),
        "locations": [
            {"location": place.code, **_with_on_hand(quantities)}
            for place, quantities in spots
            if place.unassigned_of is None
        ],
    }


def _with_on_hand(quantities: Quantities) -> Quantities:
    on_hand = sum(quantities[state] for state in ON_HAND)
    return {"on_hand": on_hand, **quantities}


def _now(connection: Connection, ids: list[int]) -> Spots:
    columns = [stock_levels.c[state] for state in SHOWN]
    found = connection.execute(
        sa.select(stock_levels.c.sku_id, stock_levels.c.location_id, *columns).where(
            stock_levels.c.sku_id.in_(ids)
        )
    )
    return {(row[0], row[1]): dict(zip(SHOWN, row[2:], strict=True)) for row in found}


def _past(connection: Connection, ids: list[int], when: When) -> Spots:
    told: list[sa.ColumnElement[bool]] = [ledger.c.sku_id.in_(ids)]
    if when.at is not None:
        told.append(ledger.c.occurred_at <= when.at)
    if when.known_at is not None:
        told.append(ledger.c.recorded_at <= when.known_at)
    sides = sa.union_all(
        sa.select(
            ledger.c.sku_id,
            ledger.c.to_location_id.label("place"),
            ledger.c.to_state.label("state"),
            ledger.c.quantity.label("change"),
        ).where(*told),
        sa.select(
            ledger.c.sku_id,
            ledger.c.from_location_id,
            ledger.c.from_state,
            -ledger.c.quantity,
        ).where(*told),
    ).subquery()
    found = connection.execute(
        sa.select(
            sides.c.sku_id, sides.c.place, sides.c.state, sa.func.sum(sides.c.change)
        ).group_by(sides.c.sku_id, sides.c.place, sides.c.state)
    )
    spots: dict[tuple[int, int], Quantities] = {}
    for sku_id, place, state, quantity in found:
        spot = spots.setdefault((sku_id, place), dict.fromkeys(SHOWN, 0))
        if state in spot:
            spot[state] = int(quantity)
    return spots


def _end_holds(
    connection: Connection, spots: Spots, ids: list[int], when: When
) -> None:
    """Count what an expired hold still has as available: its time is over, whether or
    not somebody had written that down yet."""
    found = connection.execute(
        sa.select(
            hold_lines.c.sku_id,
            hold_lines.c.location_id,
            sa.func.sum(hold_lines.c.quantity),
        )
        .join(holds, holds.c.id == hold_lines.c.hold)
        .where(
            hold_lines.c.sku_id.in_(ids),
            _had_not_ended(when.known_at),
            holds.c.expires_at <= timekeeper.theirs(connection, when.moment),
        )
        .group_by(hold_lines.c.sku_id, hold_lines.c.location_id)
    )
    for sku_id, place, quantity in found:
        spot = spots.get((sku_id, place))
        if spot is not None:
            ended = min(int(quantity), spot[RESERVED])
            spot[RESERVED] -= ended
            spot[AVAILABLE] += ended


def _had_not_ended(known_at: Instant | None) -> sa.ColumnElement[bool]:
    """Holds that nobody had ended by then. When those of orders that wait for payment
    were written down nobody knows: in the past they end when that was written."""
    if known_at is None:
        return holds.c.state == "active"
    return sa.and_(
        holds.c.line_key.is_(None),
        holds.c.created_at <= known_at,
        sa.or_(holds.c.ended_at.is_(None), holds.c.ended_at > known_at),
    )

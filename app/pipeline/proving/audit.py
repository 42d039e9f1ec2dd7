"""Audit: every level is the sum of its entries, over all states a SKU is zero, what is
reserved is what live holds hold, every entry has its cause, and the seals hold."""

from collections import defaultdict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.states import RESERVED, STATES
from app.pipeline.proving.sealing import broken
from app.store.stock.holds import ACTIVE
from app.store.tables import (
    hold_lines,
    holds,
    ledger,
    locations,
    skus,
    stock_events,
    stock_levels,
)

Sums = dict[tuple[int, int, str], int]


def broken_sums(connection: Connection) -> list[str]:
    """Levels that are not the sum of their entries, or not zero over all states."""
    entries, levels = _entries(connection), _levels(connection)
    names = {row.id: row.sku for row in connection.execute(sa.select(skus))}
    places = {row.id: row.code for row in connection.execute(sa.select(locations))}
    found = [
        f"{names.get(sku, sku)} at {places.get(place, place)}: {state} is "
        f"{levels[sku, place, state]}, its ledger entries sum to "
        f"{entries[sku, place, state]}"
        for sku, place, state in sorted(entries.keys() | levels.keys())
        if levels[sku, place, state] != entries[sku, place, state]
    ]
    totals: dict[int, int] = defaultdict(int)
    for (sku, _, _), units in levels.items():
        totals[sku] += units
    found += [
        f"{names.get(sku, sku)}: its levels over all states sum to {units}, not 0"
        for sku, units in sorted(totals.items())
        if units
    ]
    return found


def differences(connection: Connection) -> list[str]:
    """What differs, in sentences; nothing when the count is right."""
    found, levels = broken_sums(connection), _levels(connection)
    names = {row.id: row.sku for row in connection.execute(sa.select(skus))}
    places = {row.id: row.code for row in connection.execute(sa.select(locations))}
    held = _held(connection)
    found += [
        f"{names.get(sku, sku)} at {places.get(place, place)}: {levels[sku, place, state]} "
        f"are reserved, live holds hold {held[sku, place, state]}"
        for sku, place, state in sorted(held.keys() | levels.keys())
        if state == RESERVED and levels[sku, place, state] != held[sku, place, state]
    ]
    return found + _without_cause(connection) + list(broken(connection))


def _held(connection: Connection) -> Sums:
    """What holds that have not ended hold, by what stands for them in the ledger."""
    units: Sums = defaultdict(int)
    found = connection.execute(
        sa.select(
            hold_lines.c.sku_id,
            hold_lines.c.location_id,
            sa.func.sum(hold_lines.c.quantity),
        )
        .join(holds, holds.c.id == hold_lines.c.hold)
        .where(holds.c.state == ACTIVE, hold_lines.c.id.not_in(_kits()))
        .group_by(hold_lines.c.sku_id, hold_lines.c.location_id)
    )
    for sku, place, quantity in found:
        units[sku, place, RESERVED] = int(quantity)
    return units


def _kits() -> sa.Select[tuple[int]]:
    """The lines of holds for which their components' lines stand."""
    of = hold_lines.alias("of")
    return sa.select(of.c.part_of).where(of.c.part_of.is_not(None))


def _without_cause(connection: Connection) -> list[str]:
    found = connection.execute(
        sa.select(ledger.c.id)
        .outerjoin(stock_events, stock_events.c.id == ledger.c.event_id)
        .where(stock_events.c.id.is_(None))
        .order_by(ledger.c.id)
        .limit(20)
    )
    return [f"ledger entry {row.id}: no stock event caused it" for row in found]


def _entries(connection: Connection) -> Sums:
    sums: Sums = defaultdict(int)
    for place, state, sign in (
        (ledger.c.from_location_id, ledger.c.from_state, -1),
        (ledger.c.to_location_id, ledger.c.to_state, 1),
    ):
        found = connection.execute(
            sa.select(
                ledger.c.sku_id, place, state, sa.func.sum(ledger.c.quantity)
            ).group_by(ledger.c.sku_id, place, state)
        )
        for sku, spot, word, units in found:
            sums[sku, spot, word] += sign * int(units)
    return sums


def _levels(connection: Connection) -> Sums:
    sums: Sums = defaultdict(int)
    for row in connection.execute(sa.select(stock_levels)).mappings():
        for state in STATES:
            if row[state]:
                sums[row["sku_id"], row["location_id"], state] = row[state]
    return sums

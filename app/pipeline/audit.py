"""Audit: every level is the sum of its entries, and over all states a SKU is zero."""

from collections import defaultdict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.states import STATES
from app.store.tables import ledger, locations, skus, stock_levels

Sums = dict[tuple[int, int, str], int]


def differences(connection: Connection) -> list[str]:
    """What differs, in sentences; nothing when the count is right."""
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
    return found + [
        f"{names.get(sku, sku)}: its levels over all states sum to {units}, not 0"
        for sku, units in sorted(totals.items())
        if units
    ]


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

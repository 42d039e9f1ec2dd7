"""Undoing what a spreadsheet changed.

Adjustments are reversed. A count is told anew for its very moment, with what was
thought to be there then, so that what was sold since stays sold. Names,
listings and recipes get back what they had; a SKU that was new stays known, for things may have happened to
it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.events import ListingSeen
from app.domain.instants import Instant
from app.domain.states import ON_HAND
from app.pipeline.acts.facts import record_in
from app.pipeline.acts.reversing import reverse_all_in
from app.pipeline.configuring.listings import (
    keep_up,
    lanes,
    publish_listings,
    save_listing,
)
from app.pipeline.house import read_house
from app.pipeline.spreadsheets import adjusting, bundling, counting
from app.pipeline.spreadsheets.importing import portions
from app.pipeline.spreadsheets.previewing import listed_as
from app.pipeline.spreadsheets.sheet import Sheet
from app.store.stock import aliases
from app.store.tables import ledger, listings, skus, stock_events


@dataclass(frozen=True, slots=True)
class Told:
    """A portion of a file that was let in."""

    kind: str
    sheet: Sheet
    facts: Sequence[Any]
    """Its counts or adjustments."""
    id: int
    at: Instant


def before(connection: Connection, kind: str, sheet: Sheet, now: Instant) -> list[Any]:
    """What there is of what a file names, as JSON has it; numbers are in the ledger."""
    if kind == "skus":
        words = [row.values["sku"] for row in sheet.rows]
        ids = aliases.sku_ids(connection, words)
        return [
            [one.sku, one.name, one.barcode]
            for some in portions(list(set(ids.values())), 500)
            for one in connection.execute(sa.select(skus).where(skus.c.id.in_(some)))
        ]
    if kind == "recipes":
        return bundling.recipes_of(connection, sheet, now)
    if kind == "listings":
        return [
            [
                row.values["channel"],
                row.values["external_id"],
                listed_as(connection, row),
            ]
            for row in sheet.rows
        ]
    return []


def undo(
    connection: Connection,
    told: Told,
    had: Sequence[Any],
    *,
    actor: str,
    now: Instant,
) -> set[str]:
    """Take it back; return the lanes to wake. Raises NotReversible."""
    if told.kind == "skus":
        _rename(connection, told.sheet, had)
        return set()
    if told.kind == "listings":
        return _relist(connection, told.sheet, had, now)
    if told.kind == "recipes":
        return bundling.unbundle(connection, told.sheet, had, actor=actor, now=now)
    if told.kind == "counts":
        return _recount(connection, told, actor=actor, now=now)
    return _reverse(connection, told, actor=actor, now=now)


# -- names and listings ----------------------------------------------------------


def _rename(connection: Connection, sheet: Sheet, had: Sequence[Any]) -> None:
    """Give names back, but not over what somebody changed since."""
    told = {row.values["sku"]: row.values for row in sheet.rows}
    for sku, *values in had:
        for column, was in zip(("name", "barcode"), values, strict=True):
            new = told.get(sku, {}).get(column)
            same = skus.c.sku == sku, skus.c[column] == new
            if new and new != was:
                connection.execute(skus.update().where(*same).values({column: was}))


def _relist(
    connection: Connection, sheet: Sheet, had: Sequence[Any], now: Instant
) -> set[str]:
    """Map items as they were, but not over what somebody mapped since."""
    house = read_house(connection)
    told = {
        (row.values["channel"], row.values["external_id"]): row for row in sheet.rows
    }
    ids = []
    for channel, external_id, was in had:
        row = told[channel, external_id]
        sku, channel_id = row.values["sku"], house.by_key.get(channel)
        there = listed_as(connection, row)
        if channel_id is None or there is None:
            continue
        if aliases.sku_id(connection, there[0]) != aliases.sku_id(connection, sku):
            continue
        if was is None:
            keep_up(connection, channel_id, ListingSeen(external_id, gone=True), now)
        else:
            save_listing(connection, channel, was[0], external_id, was[1])
        query = sa.select(listings.c.id).where(
            listings.c.channel_id == channel_id, listings.c.external_id == external_id
        )
        ids.append(connection.execute(query).scalar_one())
    return lanes(house, publish_listings(connection, house, now, ids))


# -- counts and adjustments --------------------------------------------------------


def _recount(
    connection: Connection, told: Told, *, actor: str, now: Instant
) -> set[str]:
    events = {
        adjusting.key(event): event
        for count in told.facts
        for event in [counting.event_of(count, now)]
    }
    moved = _moved(connection, list(events), told.at)
    again = [
        replace(events[key], quantity=events[key].quantity - units)
        for key, units in moved.items()
        if units
    ]
    if not again:
        return set()
    return record_in(connection, again, actor=actor, now=now)[1]


def _moved(
    connection: Connection, keys: Sequence[str], version: Instant
) -> dict[str, int]:
    """How many units each of these facts brought onto hand at its own time.

    What a later count makes of an earlier one is written down beside it.
    """
    moved: dict[str, int] = defaultdict(int)
    for some in portions(keys, 500):
        found = connection.execute(
            sa.select(
                stock_events.c.key,
                ledger.c.quantity,
                ledger.c.from_state,
                ledger.c.to_state,
            )
            .join(ledger, ledger.c.event_id == stock_events.c.id)
            .where(
                stock_events.c.key.in_(some),
                stock_events.c.version == version,
                ledger.c.occurred_at == stock_events.c.occurred_at,
            )
        )
        for row in found:
            onto = int(row.to_state in ON_HAND) - int(row.from_state in ON_HAND)
            moved[row.key] += row.quantity * onto
    return moved


def _reverse(
    connection: Connection, told: Told, *, actor: str, now: Instant
) -> set[str]:
    keys = [
        adjusting.key(adjusting.event_of(one, str(told.id), told.at))
        for one in told.facts
    ]
    woken: set[str] = set()
    for some in portions(keys, 500):
        entries = connection.execute(
            sa.select(sa.func.min(ledger.c.id))
            .join(stock_events, stock_events.c.id == ledger.c.event_id)
            .where(stock_events.c.key.in_(some))
            .group_by(stock_events.c.id)
        )
        reason = f"spreadsheet {told.id} undone"
        found = entries.scalars().all()
        woken |= reverse_all_in(connection, found, reason, actor=actor, now=now)
    return woken

"""Exporting: SKUs, recipes, listings, counts, stock and the ledger as rows of a spreadsheet.

The first ones have the columns that `importing` and `counting` read, so a file that
goes out can come back in. Read page by page: a long ledger needs no memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import TextIOWrapper
from typing import IO, Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import iso
from app.pipeline.spreadsheets.adjusting import ADJUSTMENTS
from app.pipeline.spreadsheets.bundling import RECIPES
from app.pipeline.spreadsheets.importing import LISTINGS
from app.pipeline.spreadsheets.sheet import COUNTS, SKUS, write_sheet
from app.pipeline.spreadsheets.workbook import write_workbook
from app.store.keyset import every
from app.store.people import deeds
from app.store.stock import balances, history, recipes
from app.store.stock.balances import When
from app.store.tables import channels, listings, skus

PAGE = 500

Line = Sequence[object]


class Export(NamedTuple):
    """What can be exported: its columns, and its lines as they were at a moment."""

    columns: tuple[str, ...]
    lines: Callable[[Connection, When], Iterator[Line]]


def _skus(connection: Connection, _: When) -> Iterator[Line]:
    query = sa.select(skus.c.sku, skus.c.name, skus.c.barcode).order_by(skus.c.sku)
    for row in connection.execution_options(yield_per=PAGE).execute(query):
        yield tuple(row)


def _listings(connection: Connection, _: When) -> Iterator[Line]:
    query = (
        sa.select(
            channels.c.key,
            skus.c.sku,
            listings.c.external_id,
            listings.c.external_parent_id,
        )
        .join(channels, channels.c.id == listings.c.channel_id)
        .join(skus, skus.c.id == listings.c.sku_id)
        .where(listings.c.gone_at.is_(None))
        .order_by(channels.c.key, skus.c.sku, listings.c.id)
    )
    for row in connection.execution_options(yield_per=PAGE).execute(query):
        yield tuple(row)


def _recipes(connection: Connection, when: When) -> Iterator[Line]:
    found, at = (
        recipes.all_of_them(connection),
        when.now if when.at is None else when.at,
    )
    made = {kit: found.components(kit, at) for kit in found.versions}
    parts = {part for components in made.values() for part in components}
    names = recipes.names_of(connection, {*made, *parts})
    for kit in sorted(made, key=lambda one: names[one]):
        for part in recipes.named(made[kit], names):
            yield names[kit], part["sku"], part["quantity"]


def _balances(connection: Connection, when: When) -> Iterator[Mapping[str, Any]]:
    return every(partial(balances.page, connection, when, limit=PAGE))


def _counts(connection: Connection, when: When) -> Iterator[Line]:
    counted_at = iso(when.now if when.at is None else when.at)
    for stock in _balances(connection, when):
        for spot in stock["locations"]:
            there = spot["on_hand"]
            # What was once true is told as a count of then, whatever happened since.
            was = there if when.at is None else ""
            yield stock["sku"], spot["location"], there, counted_at, was


def _adjustments(connection: Connection, when: When) -> Iterator[Line]:
    """A form to fill in: lines that are left empty change nothing."""
    for stock in _balances(connection, when):
        for spot in stock["locations"]:
            yield stock["sku"], spot["location"], "", "", "", spot["on_hand"]


_STATES = ("on_hand", *balances.SHOWN)


def _stock(connection: Connection, when: When) -> Iterator[Line]:
    for stock in _balances(connection, when):
        for spot in stock["locations"]:
            units = (spot[state] for state in _STATES)
            yield stock["sku"], stock["name"], spot["location"], *units
        if stock["unassigned"]:
            promised = {"available": -stock["unassigned"]}
            promised["committed"] = stock["unassigned"]
            units = (promised.get(state, 0) for state in _STATES)
            yield stock["sku"], stock["name"], "", *units


_ENTRY = (
    *("id", "occurred_at", "recorded_at", "sku", "kind", "quantity", "from_state"),
    *("from_location", "to_state", "to_location", "event", "channel", "actor"),
    *("reason", "reverses"),
)


def _ledger(connection: Connection, when: When) -> Iterator[Line]:
    for row in every(partial(history.entries, connection, when.at, limit=PAGE)):
        told = dict(row) | {
            name: iso(row[name]) for name in ("occurred_at", "recorded_at")
        }
        yield tuple(told[name] for name in _ENTRY)


_DEED = ("id", "at", "actor", "action", "subject", "details")


def deeds_of(search: deeds.Search) -> Export:
    """What is found in the audit log, newest first."""

    def lines(connection: Connection, _: When) -> Iterator[Line]:
        for row in every(partial(deeds.page, connection, search, limit=PAGE)):
            told = {**row, "at": iso(row["at"])}
            yield tuple(told[name] for name in _DEED)

    return Export(_DEED, lines)


EXPORTS: Final[Mapping[str, Export]] = {
    "skus": Export(SKUS, _skus),
    "recipes": Export(RECIPES, _recipes),
    "listings": Export(LISTINGS, _listings),
    "counts": Export(COUNTS, _counts),
    "adjustments": Export(ADJUSTMENTS, _adjustments),
    "stock": Export(("sku", "name", "location", *_STATES), _stock),
    "ledger": Export(_ENTRY, _ledger),
}


def write_file(
    out: IO[bytes], export: Export, connection: Connection, when: When, ending: str
) -> int:
    """Write an export as a file of that kind, csv or xlsx; return how many lines."""
    lines = export.lines(connection, when)
    if ending == "xlsx":
        return write_workbook(out, export.columns, lines)
    text = TextIOWrapper(out, "utf-8", newline="", write_through=True)
    try:
        return write_sheet(text, export.columns, lines)
    finally:
        text.detach()

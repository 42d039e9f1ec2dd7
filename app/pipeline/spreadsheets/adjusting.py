"""Importing adjustments: signed corrections with a reason, one a line.

A line is one fact by the file it stands in and its number there: loaded twice, it
happened once. A line that says what its writer saw (`was`) changes nothing once that is
different here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.errors import BadConfiguration
from app.domain.events import StockEvent, key_of
from app.domain.instants import Instant
from app.pipeline.acts.facts import record_in
from app.pipeline.house import API, House, read_house
from app.pipeline.spreadsheets.counting import on_hand_at, seen_number
from app.pipeline.spreadsheets.importing import (
    Imported,
    Work,
    Written,
    in_transactions,
    portions,
)
from app.pipeline.spreadsheets.sheet import Problem, Row, Sheet
from app.store.stock.aliases import sku_ids
from app.store.tables import stock_events

ADJUSTMENTS: Final = ("sku", "location", "change", "reason", "to", "was")
_LOST_TO: Final = ("", kinds.DAMAGED, kinds.SCRAP)
_LARGEST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One line of a file of adjustments, read."""

    line: int
    sku: str
    location: str
    change: int
    reason: str
    to: str | None
    was: int | None


def read_adjustments(sheet: Sheet) -> list[Adjustment]:
    """Read the lines; what is wrong with one is noted, one without a change left out."""
    found = []
    first: dict[tuple[str, str], int] = {}
    for row in sheet.rows:
        if not row.values["change"]:
            continue
        try:
            one = _adjustment(row)
            line = first.setdefault((one.sku, one.location), one.line)
            if line != one.line:
                words = f"adjusts the same place as line {line}; add the two up"
                raise BadConfiguration(words)
            found.append(one)
        except BadConfiguration as error:
            sheet.problems.append(Problem(row.line, str(error)))
    return found


def _adjustment(row: Row) -> Adjustment:
    sku, location, change, reason, to = (row.values[name] for name in ADJUSTMENTS[:5])
    for name in ("sku", "location", "reason"):
        if not row.values[name]:
            raise BadConfiguration(f"{name} is blank")
    if to not in _LOST_TO:
        known = f"{kinds.DAMAGED} or {kinds.SCRAP}, or blank for units just missing"
        raise BadConfiguration(f"to {to!r} is unknown; write {known}")
    was, seen = (seen_number(row, name) for name in ("was", "seen"))
    told = seen if was is None else was
    return Adjustment(
        row.line, sku, location, _signed(change), reason, to or None, told
    )


def _signed(given: str) -> int:
    text = given.replace("\N{MINUS SIGN}", "-")
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) <= _LARGEST):
        raise BadConfiguration(
            f"change {given!r} is not a whole number like 3 or -2, at most {_LARGEST}"
        )
    return int(text)


def import_adjustments(
    work: Work, sheet: Sheet, told: Sequence[Adjustment], name: str
) -> Imported:
    """Record adjustments; `name` is the file's own, of which each line is one fact."""
    by_line = {one.line: one for one in told}

    def write(connection: Connection, rows: Sequence[Row]) -> Written:
        return _write(work, connection, [by_line[row.line] for row in rows], name)

    rows = [row for row in sheet.rows if row.line in by_line]
    return in_transactions(work, Sheet(rows, sheet.problems), write)


def _write(
    work: Work, connection: Connection, told: Sequence[Adjustment], name: str
) -> Written:
    house = read_house(connection)
    ids = sku_ids(connection, [one.sku for one in told])
    events = {one.line: event_of(one, name, work.now) for one in told}
    known = known_among(connection, [key(event) for event in events.values()])
    there = on_hand_at(connection, list(ids.values()), work.now)
    written, new = Written(), []
    for one in told:
        event = events[one.line]
        problem = unknown(one, ids, house)
        if problem is None and key(event) in known:
            written.unchanged += 1
            continue
        if problem is None:
            spot = ids[one.sku], house.codes[one.location]
            problem = outdated(one, there.get(spot))
        if problem is not None:
            written.problems.append(Problem(one.line, problem))
            continue
        new.append(event)
    if new:
        _, written.woken = record_in(connection, new, actor=work.actor, now=work.now)
    return written


def unknown(one: Adjustment, ids: Mapping[str, int], house: House) -> str | None:
    """Why a line names nothing that could be adjusted, if it does not."""
    if one.sku not in ids:
        return f"there is no SKU {one.sku!r}; import it first"
    if one.location not in house.codes:
        known = ", ".join(sorted(house.codes)) or "none yet"
        return f"there is no location {one.location!r}; known: {known}"
    return None


def outdated(one: Adjustment, there: int | None) -> str | None:
    """Why a line is based on a number that is no longer true, if it is."""
    if one.was is None or (there or 0) == one.was:
        return None
    return (
        f"{one.sku} at {one.location} is {there or 0} by now, not {one.was} as it was "
        f"when this {one.change:+} was written; look again and export anew"
    )


def event_of(one: Adjustment, name: str, now: Instant) -> StockEvent:
    """An adjustment as the stock event it becomes."""
    return StockEvent(
        kinds.ADJUSTED,
        one.change,
        now,
        version=now,
        sku=one.sku,
        place=one.location,
        line=str(one.line),
        fact=f"sheet-{name}",
        reason=one.reason,
        disposition=one.to,
    )


def key(event: StockEvent) -> str:
    """How a fact that people told is named among all stock events."""
    return f"{API}:{key_of(event)}"


def known_among(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Those of these facts that were told before."""
    found = set[str]()
    for some in portions(keys, 500):
        query = sa.select(stock_events.c.key).where(stock_events.c.key.in_(some))
        found |= set(connection.execute(query).scalars())
    return found

"""Importing counts: absolute numbers, checked before they change what people sell.

A file that was exported wrongly would empty a shop in a second, so one that changes
much of what was counted before asks first. And a number is only as good as what it was
based on: a line that says what its writer saw (`was`) changes nothing once that is
different here.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain import instants
from app.domain.errors import BadConfiguration
from app.domain.events import COUNTED, StockEvent
from app.domain.instants import MINUTE, Instant, iso
from app.domain.states import ON_HAND
from app.pipeline.acts.facts import record_in
from app.pipeline.house import House, read_house
from app.pipeline.spreadsheets.counted import Count, once_each
from app.pipeline.spreadsheets.importing import (
    Imported,
    Work,
    Written,
    in_transactions,
    portions,
)
from app.pipeline.spreadsheets.sheet import COUNTS, Problem, Row, Sheet
from app.store.engine import reading
from app.store.stock.aliases import sku_ids
from app.store.tables import checkpoints, ledger, stock_levels

MOST_CHANGED_PERCENT = 30
_LARGEST = 2**31 - 1
_OLDEST = instants.parse("2000-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Change:
    """How much of what was counted before a file would change."""

    counted: int
    """SKUs that were counted before, here or anywhere."""
    changed: int
    zeroed: int
    """Of the changed ones: those that would show nothing afterwards."""

    @property
    def is_large(self) -> bool:
        """Whether a person should look twice."""
        return self.changed * 100 > self.counted * MOST_CHANGED_PERCENT


Spot = tuple[int, int]
"""A SKU's id and a location's."""


def read_counts(sheet: Sheet, now: Instant) -> list[Count]:
    """Read the lines; what is wrong with one is noted in the sheet."""
    counts: list[Count] = []
    first: dict[tuple[str, str, Instant], int] = {}
    for row in sheet.rows:
        if _is_left_oversold(row):
            continue
        try:
            count = _count(row, now)
            spot = (count.sku, count.location, count.counted_at)
            if first.setdefault(spot, row.line) != row.line:
                words = f"counts the same again as line {first[spot]}; which is right?"
                raise BadConfiguration(words)
        except BadConfiguration as error:
            sheet.problems.append(Problem(row.line, str(error)))
            continue
        counts.append(count)
    return counts


def _is_left_oversold(row: Row) -> bool:
    """Whether a line came back as it went out, with fewer units than none: nobody has
    counted there."""
    given = row.values["quantity"]
    return given.startswith("-") and given == row.values.get("was")


def _count(row: Row, now: Instant) -> Count:
    sku, location, quantity, counted_at = (row.values[name] for name in COUNTS[:4])
    for name in COUNTS[:2]:
        if not row.values[name]:
            raise BadConfiguration(f"{name} is blank")
    at = _time(counted_at, now) if counted_at else now
    was, seen = (seen_number(row, name) for name in ("was", "seen"))
    return Count(row.line, sku, location, _quantity(quantity), at, was, seen)


def seen_number(row: Row, name: str) -> int | None:
    """The number that a line's writer saw; it may be negative. Raises BadConfiguration."""
    given = row.values.get(name, "")
    digits = given.removeprefix("-")
    if given and not (digits.isascii() and digits.isdigit() and len(digits) < 18):
        raise BadConfiguration(
            f"{name} {given!r} is not a whole number; leave it alone"
        )
    return int(given) if given else None


def _quantity(given: str) -> int:
    if not given:
        raise BadConfiguration("quantity is blank, and blank is not zero; write 0")
    if not (given.isascii() and given.isdigit() and int(given) <= _LARGEST):
        raise BadConfiguration(
            f"quantity {given!r} is not a whole number from 0 to {_LARGEST}"
        )
    return int(given)


def _time(given: str, now: Instant) -> Instant:
    try:
        found = instants.parse(given)
    except (ValueError, OverflowError) as error:
        raise BadConfiguration(f"counted_at: {error}") from error
    if not _OLDEST <= found <= now + MINUTE:
        when = "before 2000" if found < _OLDEST else "in the future"
        raise BadConfiguration(f"counted_at {given} is {when}")
    return min(found, now)


def change_of(connection: Connection, counts: Sequence[Count]) -> Change:
    """Say how much a file would change. First counts of a place are free, and lines
    that came back as they went out."""
    counted_skus = connection.execute(
        sa.select(sa.func.count(stock_levels.c.sku_id.distinct())).where(
            stock_levels.c.counted_at.is_not(None)
        )
    ).scalar_one()
    codes = read_house(connection).codes
    changed, zeroed = set(), set()
    moments: dict[Instant, list[Count]] = defaultdict(list)
    for count in counts:
        moments[count.counted_at].append(count)
    for at, counted in moments.items():
        ids = sku_ids(connection, [count.sku for count in counted])
        before = on_hand_at(connection, list(ids.values()), at, counted=True)
        for count in counted:
            spot = (ids.get(count.sku, 0), codes.get(count.location, 0))
            there = before.get(spot, count.quantity)
            if there != count.quantity and not is_untouched(count, there):
                changed.add(count.sku)
                if not count.quantity:
                    zeroed.add(count.sku)
    return Change(int(counted_skus), len(changed), len(zeroed))


def on_hand_at(
    connection: Connection, ids: Sequence[int], at: Instant, *, counted: bool = False
) -> dict[Spot, int]:
    """On hand as of a time, where anything ever was; or where anything was counted."""
    first, *others = (stock_levels.c[state] for state in ON_HAND)
    on_hand = sum(others, start=first)
    found: dict[Spot, int] = {}
    spot = (stock_levels.c.sku_id, stock_levels.c.location_id)
    for some in portions(ids, 500):
        query = sa.select(*spot, on_hand).where(stock_levels.c.sku_id.in_(some))
        if counted:
            query = query.where(stock_levels.c.counted_at.is_not(None))
        levels = connection.execute(query)
        found |= {(row[0], row[1]): int(row[2]) for row in levels}
        for place, state, sign in (
            (ledger.c.to_location_id, ledger.c.to_state, -1),
            (ledger.c.from_location_id, ledger.c.from_state, 1),
        ):
            since = connection.execute(
                sa.select(ledger.c.sku_id, place, sa.func.sum(ledger.c.quantity))
                .where(
                    ledger.c.sku_id.in_(some),
                    ledger.c.occurred_at > at,
                    state.in_(ON_HAND),
                )
                .group_by(ledger.c.sku_id, place)
            )
            for sku, spot, units in since:
                if (sku, spot) in found:
                    found[sku, spot] += sign * int(units)
    return found


def import_counts(work: Work, sheet: Sheet, counts: Sequence[Count]) -> Imported:
    """Record counts as stock events; those known already change nothing."""
    with reading(work.engine) as connection:
        counts, doubled = once_each(connection, counts)
    by_row = {(count.line, count.location): count for count in counts}
    lines = {row.line for row in sheet.rows}

    def write(connection: Connection, rows: Sequence[Row]) -> Written:
        return _write(work, connection, [by_row[_spot_of(row)] for row in rows])

    rows = [row for row in sheet.rows if _spot_of(row) in by_row]
    problems = [*sheet.problems, *(one for one in doubled if one.line in lines)]
    return in_transactions(work, Sheet(rows, problems), write)


def _spot_of(row: Row) -> tuple[int, str]:
    """What makes a line one count: another program's may count at several locations."""
    return row.line, row.values["location"]


def _write(work: Work, connection: Connection, counts: Sequence[Count]) -> Written:
    house = read_house(connection)
    ids = sku_ids(connection, [count.sku for count in counts])
    written, events = Written(), []
    known = _known(connection, list(ids.values()))
    there = on_hand_at(connection, list(ids.values()), work.now)
    for count in counts:
        problem = unknown(count, ids, house)
        if problem is None:
            spot = ids[count.sku], house.codes[count.location]
            problem = outdated(count, there.get(spot))
        if problem is not None:
            written.problems.append(Problem(count.line, problem))
        elif is_untouched(count, there.get(spot)) or (
            known.get((*spot, count.counted_at)) == count.quantity
        ):
            written.unchanged += 1
        else:
            events.append(event_of(count, work.now))
    if events:
        _, written.woken = record_in(connection, events, actor=work.actor, now=work.now)
    return written


def is_untouched(count: Count, there: int | None) -> bool:
    """Whether a line has nothing to say: it came back as it went out, or it is so by
    now. Where nothing ever was, in a new house, it is a count like any other."""
    if there is None:
        return False
    told = count.seen if count.was is None else count.was
    return count.was == count.quantity or (
        told not in (None, there) and count.quantity == there
    )


def outdated(count: Count, there: int | None) -> str | None:
    """Why a line is based on a number that is no longer true, if it is."""
    told = count.seen if count.was is None else count.was
    if told in (None, there) or there is None or is_untouched(count, there):
        return None
    return (
        f"{count.sku} at {count.location} is {there} by now, not {told} as it was when "
        f"this {count.quantity} was written; look again and export anew"
    )


def unknown(count: Count, ids: Mapping[str, int], house: House) -> str | None:
    """Why a line names nothing that could be counted, if it does not."""
    if count.sku not in ids:
        return f"there is no SKU {count.sku!r}; import it first"
    if house.recipes.components(ids[count.sku], count.counted_at):
        return f"{count.sku} is a kit: count its components"
    if count.location not in house.codes:
        known = ", ".join(sorted(house.codes)) or "none yet"
        return f"there is no location {count.location!r}; known: {known}"
    return None


def _known(
    connection: Connection, ids: Sequence[int]
) -> dict[tuple[int, int, Instant], int]:
    found = connection.execute(
        sa.select(
            checkpoints.c.sku_id,
            checkpoints.c.location_id,
            checkpoints.c.occurred_at,
            checkpoints.c.counted,
        ).where(checkpoints.c.sku_id.in_(ids), checkpoints.c.scope == "")
    )
    return {(row[0], row[1], row[2]): row[3] for row in found}


def event_of(count: Count, now: Instant) -> StockEvent:
    """A count as the stock event it becomes."""
    return StockEvent(
        COUNTED,
        count.quantity,
        count.counted_at,
        # A corrected file says another number for the same moment: the later is right.
        version=now,
        sku=count.sku,
        place=count.location,
        fact=f"{count.location}@{iso(count.counted_at)}",
    )

"""Previewing: what a spreadsheet would change, line by line, before it is let in.

Only read here: the checks are the import's own, made again when it runs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.errors import BadConfiguration, HubError
from app.domain.instants import Instant, iso
from app.pipeline.house import House, read_house
from app.pipeline.spreadsheets import adjusting, counting
from app.pipeline.spreadsheets.counted import Count, once_each
from app.pipeline.spreadsheets.counting import Change as Extent, Spot
from app.pipeline.spreadsheets.importing import check_listing, portions
from app.pipeline.spreadsheets.sheet import Problem, Row, Sheet
from app.store.stock import aliases
from app.store.tables import channels, listings, locations, skus, stock_levels


class Change(NamedTuple):
    """What one line would change."""

    line: int
    subject: str
    what: str
    before: str | int | None
    """None: there is nothing yet."""
    after: str | int | None


@dataclass(slots=True)
class Plan:
    """What a whole spreadsheet would change."""

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)
    extent: Extent | None = None
    """Of counts: how much of what was counted before would be different."""


def name_places(connection: Connection, sheet: Sheet, otherwise: str = "") -> None:
    """Put our code in place of a location's name, and one where none is named."""
    query = sa.select(locations.c.code, locations.c.name).where(
        locations.c.unassigned_of.is_(None)
    )
    codes: dict[str, str] = {}
    for code, name in connection.execute(query):
        codes.setdefault((name or code).casefold(), code)
        codes[code.casefold()] = code
    only = next(iter(codes.values())) if len(set(codes.values())) == 1 else ""
    sheet.rows = [
        Row(row.line, {**row.values, "location": _code(row, codes, otherwise or only)})
        for row in sheet.rows
    ]


def _code(row: Row, codes: Mapping[str, str], otherwise: str) -> str:
    named = row.values["location"]
    return codes.get(named.casefold(), named) if named else otherwise


# -- SKUs ----------------------------------------------------------------------


def plan_skus(connection: Connection, sheet: Sheet, _: Instant) -> Plan:
    """Which SKUs are new, and which get another name or barcode."""
    plan = Plan(problems=list(sheet.problems))
    known = _known_skus(connection, [row.values["sku"] for row in sheet.rows])
    for row in sheet.rows:
        sku = row.values["sku"]
        if not sku:
            plan.problems.append(Problem(row.line, "sku is blank"))
        elif sku not in known:
            plan.changes.append(
                Change(row.line, sku, "new SKU", None, row.values["name"] or sku)
            )
        else:
            changes = [
                Change(row.line, sku, name, known[sku][name], row.values[name])
                for name in ("name", "barcode")
                if row.values[name] and row.values[name] != (known[sku][name] or "")
            ]
            plan.changes += changes
            plan.unchanged += not changes
    return plan


def _known_skus(
    connection: Connection, words: Sequence[str]
) -> dict[str, sa.RowMapping]:
    ids = aliases.sku_ids(connection, words)
    rows: dict[int, sa.RowMapping] = {}
    for some in portions(list(ids.values()), 500):
        query = sa.select(skus).where(skus.c.id.in_(some))
        rows |= {row["id"]: row for row in connection.execute(query).mappings()}
    return {word: rows[sku_id] for word, sku_id in ids.items()}


# -- listings ------------------------------------------------------------------


def plan_listings(connection: Connection, sheet: Sheet, _: Instant) -> Plan:
    """Which items of channels become which SKU."""
    plan = Plan(problems=list(sheet.problems))
    house = read_house(connection)
    known = _known_skus(connection, [row.values["sku"] for row in sheet.rows])
    for row in sheet.rows:
        problem = _wrong_listing(row, house, known)
        if problem is not None:
            plan.problems.append(Problem(row.line, problem))
            continue
        before = listed_as(connection, row)
        after = known[row.values["sku"]]["sku"]
        parent = row.values["external_parent_id"] or None
        if before == (after, parent):
            plan.unchanged += 1
            continue
        subject = f"{row.values['channel']} {row.values['external_id']}"
        was = None if before is None else before[0]
        what = "its parent" if was == after else "is"
        plan.changes.append(Change(row.line, subject, what, was, after))
    return plan


def _wrong_listing(
    row: Row, house: House, known: Mapping[str, sa.RowMapping]
) -> str | None:
    try:
        check_listing(row)
        house.known(row.values["channel"])
    except HubError as error:
        return str(error)
    if row.values["sku"] not in known:
        return f"there is no SKU {row.values['sku']!r}; import it first"
    return None


def listed_as(connection: Connection, row: Row) -> tuple[str, str | None] | None:
    """The SKU and parent that a channel's item has now."""
    found = connection.execute(
        sa.select(skus.c.sku, listings.c.external_parent_id)
        .join(listings, listings.c.sku_id == skus.c.id)
        .join(channels, channels.c.id == listings.c.channel_id)
        .where(
            channels.c.key == row.values["channel"],
            listings.c.external_id == row.values["external_id"],
            listings.c.gone_at.is_(None),
        )
    ).first()
    return None if found is None else (found.sku, found.external_parent_id)


# -- counts and adjustments ----------------------------------------------------


def plan_counts(connection: Connection, sheet: Sheet, now: Instant) -> Plan:
    """What is on hand now, and what it would be."""
    read = counting.read_counts(sheet, now)
    counts, doubled = once_each(connection, read)
    plan = Plan(problems=[*sheet.problems, *doubled])
    house = read_house(connection)
    ids = aliases.sku_ids(connection, [count.sku for count in counts])
    there = counting.on_hand_at(connection, list(ids.values()), now)
    then, newest = _then(connection, counts, ids), _newest(connection, ids)
    for count in counts:
        problem = counting.unknown(count, ids, house)
        if problem is None:
            spot = ids[count.sku], house.codes[count.location]
            problem = counting.outdated(count, there.get(spot))
        if problem is not None:
            plan.problems.append(Problem(count.line, problem))
            continue
        before, was = there.get(spot), then[count.counted_at].get(spot, 0)
        if counting.is_untouched(count, before) or (
            before is not None and count.quantity == was
        ):
            plan.unchanged += 1
            continue
        subject = f"{count.sku} at {count.location}"
        told = "on hand", before, (before or 0) + count.quantity - was
        if newest.get(spot, 0) > count.counted_at:
            when = f"on hand at {iso(count.counted_at)}, until the next count"
            told = when, was, count.quantity
        plan.changes.append(Change(count.line, subject, *told))
    plan.extent = counting.change_of(connection, counts)
    return plan


def _then(
    connection: Connection, counts: Sequence[Count], ids: Mapping[str, int]
) -> dict[Instant, dict[Spot, int]]:
    """What was on hand at the moment of each count."""
    moments: dict[Instant, list[int]] = defaultdict(list)
    for count in counts:
        if count.sku in ids:
            moments[count.counted_at].append(ids[count.sku])
    found = {
        at: counting.on_hand_at(connection, some, at) for at, some in moments.items()
    }
    return defaultdict(dict, found)


def _newest(connection: Connection, ids: Mapping[str, int]) -> dict[Spot, Instant]:
    """When what was counted was counted last: a count before that says nothing of now."""
    found: dict[Spot, Instant] = {}
    for some in portions(list(ids.values()), 500):
        query = sa.select(
            stock_levels.c.sku_id, stock_levels.c.location_id, stock_levels.c.counted_at
        ).where(stock_levels.c.sku_id.in_(some), stock_levels.c.counted_at.is_not(None))
        found |= {(sku, place): at for sku, place, at in connection.execute(query)}
    return found


def plan_adjustments(connection: Connection, sheet: Sheet, now: Instant) -> Plan:
    """What is on hand now, and what it would be."""
    told = adjusting.read_adjustments(sheet)
    plan = Plan(problems=list(sheet.problems))
    plan.unchanged = sum(not row.values["change"] for row in sheet.rows)
    house = read_house(connection)
    ids = aliases.sku_ids(connection, [one.sku for one in told])
    there = counting.on_hand_at(connection, list(ids.values()), now)
    for one in told:
        problem = adjusting.unknown(one, ids, house)
        before = 0
        if problem is None:
            before = there.get((ids[one.sku], house.codes[one.location]), 0)
            problem = adjusting.outdated(one, before)
        if problem is not None:
            plan.problems.append(Problem(one.line, problem))
            continue
        subject = f"{one.sku} at {one.location}"
        after = before if one.to == "damaged" else before + one.change
        what = f"on hand, {one.reason}" + (f", {one.to}" if one.to else "")
        plan.changes.append(Change(one.line, subject, what, before, after))
    return plan


def with_seen(connection: Connection, sheet: Sheet, now: Instant) -> list[Row]:
    """The rows, each with what is on hand beside it now: what a person is shown."""
    codes = read_house(connection).codes
    ids = aliases.sku_ids(connection, [row.values["sku"] for row in sheet.rows])
    there = counting.on_hand_at(connection, list(ids.values()), now)

    def seen(row: Row) -> str:
        spot = ids.get(row.values["sku"], 0), codes.get(row.values["location"], 0)
        return str(there.get(spot, ""))

    return [Row(row.line, {**row.values, "seen": seen(row)}) for row in sheet.rows]


def check_file(sheet: Sheet, most: int) -> None:
    """Raise BadConfiguration for a file that is too long to be looked through."""
    if len(sheet.rows) > most:
        raise BadConfiguration(
            f"has {len(sheet.rows):,} lines; {most:,} are the most on a page. Cut it "
            "into several, or load it on the server with onecount import"
        )

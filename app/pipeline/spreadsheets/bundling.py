"""Bundling: recipes of kits as a spreadsheet, a line for each component.

All lines of a kit together are its recipe. Seen before they are let in (`plan_recipes`)
and taken back (`unbundle`) as every other spreadsheet.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from app.domain.errors import BadConfiguration, HubError, UnknownName
from app.domain.instants import Instant
from app.domain.kits import Recipe
from app.pipeline.configuring.recipes import publish, refuse_own_stock, save_recipe
from app.pipeline.spreadsheets.importing import Imported, Work, Written, in_transactions
from app.pipeline.spreadsheets.previewing import Change, Plan
from app.pipeline.spreadsheets.sheet import Problem, Row, Sheet
from app.store.stock import aliases, recipes as store

RECIPES: Final = ("kit", "component", "quantity")

_MOST: Final = 10**6

Parts = Mapping[str, int]
"""Component → how many of it a kit takes."""


def import_recipes(work: Work, sheet: Sheet) -> Imported:
    """Say what kits are made of: all lines of a kit together are its recipe."""
    kits = by_kit(sheet)

    def write(connection: Connection, rows: Sequence[Row]) -> Written:
        written, changed = Written(), set[int]()
        for row in rows:
            kit, parts = row.values["kit"], kits[row.line]
            saved = save_recipe(connection, kit, parts, now=work.now, actor=work.actor)
            written.unchanged += not saved
            changed |= saved
        written.woken = publish(connection, changed, work.now)
        return written

    firsts = [row for row in sheet.rows if row.line in kits]
    return in_transactions(
        work, Sheet(_inner_first(firsts, kits), sheet.problems), write
    )


def by_kit(sheet: Sheet) -> dict[int, dict[str, int]]:
    """The first line of every kit → its recipe. A bad line spoils its whole kit."""
    first: dict[str, int] = {}
    kits: dict[int, dict[str, int]] = {}
    spoilt: set[int] = set()
    for row in sheet.rows:
        kit, component, quantity = (row.values[name] for name in RECIPES)
        line = first.setdefault(kit, row.line)
        problem = _wrong_part(kit, component, quantity, kits.get(line, {}))
        if problem is not None:
            sheet.problems.append(Problem(row.line, problem))
            spoilt.add(line)
            continue
        kits.setdefault(line, {})[component] = int(quantity)
    for line in spoilt & kits.keys():
        sheet.problems.append(Problem(line, "its kit is left out for another bad line"))
    return {line: parts for line, parts in kits.items() if line not in spoilt}


def _wrong_part(
    kit: str, component: str, quantity: str, parts: Mapping[str, int]
) -> str | None:
    if not kit or not component:
        return f"{'component' if kit else 'kit'} is blank"
    if component in parts:
        return f"{component} is named twice for {kit}"
    if not (quantity.isascii() and quantity.isdigit() and 0 < int(quantity) <= _MOST):
        return f"quantity {quantity!r} is not a whole number from 1 to {_MOST}"
    return None


def _inner_first(
    rows: Sequence[Row], kits: Mapping[int, Mapping[str, int]]
) -> list[Row]:
    """A kit that is a component of another one of the file comes before it."""
    named = {row.values["kit"]: row for row in rows}
    found: dict[int, Row] = {}
    seen: set[str] = set()

    def take(kit: str) -> None:
        if kit in seen:
            return
        seen.add(kit)
        row = named[kit]
        for component in kits[row.line]:
            if component in named:
                take(component)
        found[row.line] = row

    for kit in named:
        take(kit)
    return list(found.values())


def plan_recipes(connection: Connection, sheet: Sheet, now: Instant) -> Plan:
    """Which kits would be made of something else; each is named by its first line."""
    kits = by_kit(sheet)
    plan = Plan(problems=list(sheet.problems))
    words = {word for row in sheet.rows for word in list(row.values.values())[:2]}
    ids, planned = aliases.sku_ids(connection, words), store.all_of_them(connection)
    for row in _inner_first([row for row in sheet.rows if row.line in kits], kits):
        kit, parts = row.values["kit"], kits[row.line]
        try:
            told = _by_id(parts, ids)
            # A new kit has an id that no SKU has, for the kits that hold it.
            kit_id = ids.setdefault(kit, -row.line)
            before = planned.components(kit_id, now)
            if before == told:
                plan.unchanged += 1
                continue
            refuse_own_stock(connection, kit, kit_id)
            planned = planned.adding(kit_id, Recipe(now, told))
            if planned.cycle(kit_id, now) is not None:
                raise BadConfiguration(f"a kit cannot hold itself: {kit}")
        except HubError as error:
            plan.problems.append(Problem(row.line, str(error)))
            continue
        names = store.names_of(connection, set(before))
        was = _words((names[one], units) for one, units in before.items())
        change = Change(row.line, kit, "is made of", was, _words(parts.items()))
        plan.changes.append(change)
    return plan


def _by_id(parts: Parts, ids: Mapping[str, int]) -> dict[int, int]:
    told: dict[int, int] = {}
    for word, units in parts.items():
        if word not in ids:
            raise UnknownName(f"there is no SKU {word!r}; import it first", "component")
        told[ids[word]] = told.get(ids[word], 0) + units
    return told


def _words(parts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{units} {sku}" for sku, units in sorted(parts))


def recipes_of(connection: Connection, sheet: Sheet, now: Instant) -> list[Any]:
    """Every kit that a file names with its recipe of now; empty: it is no kit."""
    kits = sorted({row.values["kit"] for row in sheet.rows})
    ids, found = aliases.sku_ids(connection, kits), store.all_of_them(connection)
    made = {kit: found.components(ids.get(kit, 0), now) for kit in kits}
    names = store.names_of(
        connection, {one for parts in made.values() for one in parts}
    )
    return [
        [kit, {names[one]: units for one, units in parts.items()}]
        for kit, parts in made.items()
    ]


def unbundle(
    connection: Connection,
    sheet: Sheet,
    had: Sequence[Any],
    *,
    actor: str,
    now: Instant,
) -> set[str]:
    """Give kits the recipe they had, but not over what somebody changed since; return
    the lanes to wake. One that was new is no kit any more."""
    first = {row.values["kit"]: row.line for row in reversed(sheet.rows)}
    kits = by_kit(sheet)
    are = dict(recipes_of(connection, sheet, now))
    changed = set[int]()
    for kit, parts in had:
        told = kits.get(first[kit])
        if told is not None and are[kit] == told:
            changed |= save_recipe(connection, kit, parts, now=now, actor=actor)
    return publish(connection, changed, now)

"""Rebuilding: levels, lines and checkpoints made anew from the stock events.

All events are told again, as they came, into an empty database. Where that leads to other
movements than the ledger has, entries of the kind `rebuilt` make up the difference at the
time it was about; what is written in the ledger stays. Nobody else applies meanwhile.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.errors import NotRebuilt
from app.domain.instants import Instant
from app.domain.states import STATES, Movement
from app.pipeline.applying import oversells, paying
from app.pipeline.applying.posting import Entry, write
from app.pipeline.applying.told import OBSERVED
from app.pipeline.configuring.listings import lanes
from app.pipeline.configuring.revising import wish_again
from app.pipeline.house import read_house
from app.pipeline.proving.audit import broken_sums, differences
from app.pipeline.proving.recalling import forgotten
from app.pipeline.proving.rehearsal import compared, levels_of
from app.pipeline.proving.retelling import Progress, tellable, told_again
from app.store import bulk, numbering
from app.store.engine import applying_at_once
from app.store.stock import levels
from app.store.tables import (
    checkpoints,
    ledger,
    lines,
    stock_events,
    stock_levels,
    ways,
)

KIND: Final = "rebuilt"
REASON: Final = "all stock events told again call for it"
_MADE_ANEW = (lines, ways, checkpoints)

Spot = tuple[int, str]
"""Location id and state."""
Effects = dict[tuple[int, Instant], dict[Spot, int]]
"""SKU and time → what all entries of that time change there."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found and did."""

    before: Sequence[str]
    """What did not agree before, in sentences."""
    levels: Sequence[str]
    """Which levels are others now, in sentences."""
    cases: Sequence[str] = ()
    """Which orders' lines and other cases say something else now, in sentences."""
    entries: int = 0
    wanted: int = 0
    events: int = 0
    after: Sequence[str] = ()
    """What still does not agree: no stock event can mend that."""
    lanes: set[str] = field(default_factory=set)


def rebuild(engine: Engine, now: Instant, progress: Progress | None = None) -> Rebuilt:
    """Make everything anew that follows from stock events, in one transaction.

    Raises NotRebuilt, and changes nothing, while somebody else is applying, or when
    what comes out does not agree with itself.
    """
    with applying_at_once(engine) as connection:
        if connection is None:
            raise NotRebuilt(
                "somebody is applying right now; stop the workers and try again"
            )
        ids = tellable(connection)
        found = differences(connection)
        with (
            told_again(connection, ids, now, progress) as other,
            other.connect() as copy,
        ):
            rebuilt = _rebuild(connection, copy, now)
        rebuilt.before, rebuilt.events = found, len(ids)
        rebuilt.after = differences(connection)
    return rebuilt


def _rebuild(connection: Connection, copy: Connection, now: Instant) -> Rebuilt:
    before, target = levels_of(connection), levels_of(copy)
    changed = list(compared(connection, before, target))
    said = forgotten(connection, copy)
    entries = _missing(_effects(connection), _effects(copy))
    _post(connection, entries, now)
    _set_levels(connection, copy)
    for table in _MADE_ANEW:
        _make_anew(connection, copy, table)
    paying.follow_all(connection, now)
    wrong = broken_sums(connection) + list(
        compared(connection, levels_of(connection), target)
    )
    if wrong:
        raise NotRebuilt("nothing was changed, for then: " + "; ".join(wrong))
    moved = {movement.sku_id for movement, _ in entries} | {
        sku
        for sku, place in before.keys() | target.keys()
        if before.get((sku, place)) != target.get((sku, place))
    }
    house = read_house(connection)
    oversells.judge(connection, house, moved, now)
    wanted = _published(connection, moved)
    woken = lanes(house, wish_again(connection, wanted, now))
    return Rebuilt((), changed, said, len(entries), len(wanted), lanes=woken)


def _effects(connection: Connection) -> Effects:
    found: Effects = defaultdict(lambda: defaultdict(int))
    for place, state, sign in (
        (ledger.c.from_location_id, ledger.c.from_state, -1),
        (ledger.c.to_location_id, ledger.c.to_state, 1),
    ):
        columns = (ledger.c.sku_id, ledger.c.occurred_at, place, state)
        rows = connection.execute(
            sa.select(*columns, sa.func.sum(ledger.c.quantity)).group_by(*columns)
        )
        for sku, at, spot, word, units in rows:
            found[sku, at][spot, word] += sign * int(units)
    return found


def _missing(present: Effects, wanted: Effects) -> list[tuple[Movement, int]]:
    """The movements that lead from the present effects to the wanted ones."""
    nothing: dict[Spot, int] = {}
    found = []
    for sku, at in sorted(present.keys() | wanted.keys()):
        here, there = present.get((sku, at), nothing), wanted.get((sku, at), nothing)
        change = {
            spot: there.get(spot, 0) - here.get(spot, 0)
            for spot in sorted(here.keys() | there.keys())
        }
        found += [
            (Movement(sku, lost[1], lost[0], won[1], won[0], at), units)
            for lost, won, units in _pairs(change)
        ]
    return found


def _pairs(change: Mapping[Spot, int]) -> Iterator[tuple[Spot, Spot, int]]:
    """From where there are too many to where there are too few: both sums are equal."""
    gains = [[spot, units] for spot, units in change.items() if units > 0]
    for lost, units in change.items():
        left = -units
        while left > 0 and gains:
            won: Any = gains[-1]
            part = min(left, won[1])
            yield lost, won[0], part
            left -= part
            won[1] -= part
            if not won[1]:
                gains.pop()


def _post(
    connection: Connection, entries: Sequence[tuple[Movement, int]], now: Instant
) -> None:
    """Every entry has a cause: here a stock event that says who asked for them."""
    if not entries:
        return
    (event_id,) = numbering.next_ids(connection, stock_events, 1)
    connection.execute(
        stock_events.insert().values(
            id=event_id,
            key=f"{KIND}:{event_id}",
            kind=KIND,
            target=len(entries),
            version=now,
            occurred_at=now,
            recorded_at=now,
            verdict=OBSERVED,
            note=REASON,
            actor="rebuild",
        )
    )
    write(
        connection,
        [
            Entry(movement, units, KIND, event_id, actor="rebuild", reason=REASON)
            for movement, units in entries
        ],
        now,
    )


def _set_levels(connection: Connection, copy: Connection) -> None:
    """By increments under the rows' locks, as everywhere."""
    targets = {
        (row["sku_id"], row["location_id"]): row
        for row in copy.execute(sa.select(stock_levels)).mappings()
    }
    spots = set(targets) | {
        (row.sku_id, row.location_id)
        for row in connection.execute(
            sa.select(stock_levels.c.sku_id, stock_levels.c.location_id)
        )
    }
    locked = levels.lock(connection, spots)
    changes: dict[int, dict[str, int]] = {}
    counted = []
    for spot in sorted(spots):
        level, target = locked[spot], targets.get(spot)
        here = levels.all_quantities(connection, [level.id])[level.id]
        change = {s: (target[s] if target else 0) - here[s] for s in STATES}
        changes[level.id] = {s: units for s, units in change.items() if units}
        at = target["counted_at"] if target else None
        if at != level.counted_at:
            counted.append((at, level.id))
    levels.add(connection, changes)
    bulk.change(connection, stock_levels, ("counted_at",), counted)


def _make_anew(connection: Connection, copy: Connection, table: sa.Table) -> None:
    connection.execute(table.delete())
    columns = tuple(column.name for column in table.c if column.name != "id")
    names = [table.c[name] for name in columns]
    found = copy.execute(sa.select(*names).order_by(table.c.id))
    for rows in found.partitions(1000):
        bulk.insert(connection, table, columns, [tuple(row) for row in rows])


def _published(connection: Connection, moved: set[int]) -> Sequence[int]:
    query = "SELECT id FROM publications WHERE sku_id {among}"
    return [row[0] for row in bulk.select(connection, query, sorted(moved), "bigint")]

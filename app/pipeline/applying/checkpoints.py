"""Counts are checkpoints: what was there at a time, whatever is told later.

The variance is what was counted minus on_hand as of that time. What happened before
but is told afterwards is absorbed where it is posted; see `posting`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.states import Movement
from app.pipeline.applying import flagging
from app.pipeline.applying.posting import Aftermath, Entry, post, scope_states, variance
from app.pipeline.applying.told import (
    DUPLICATE,
    POSTED,
    QUARANTINED,
    SUPERSEDED,
    Verdict,
)
from app.pipeline.house import House
from app.store import bulk
from app.store.stock import levels
from app.store.tables import checkpoints, stock_events, stock_levels


@dataclass(frozen=True, slots=True)
class Count:
    """One counted SKU at one location."""

    sku_id: int
    location_id: int
    event: StockEvent
    verdict: Verdict
    channel_id: int | None
    actor: str | None

    @property
    def spot(self) -> levels.Spot:
        """What was counted where."""
        return self.sku_id, self.location_id


class _Known(NamedTuple):
    """A count that stands."""

    id: int
    sku_id: int
    location_id: int
    occurred_at: Instant
    version: int
    key: str
    counted: int


_When: TypeAlias = tuple[int, int, Instant]
"""SKU, location and time of a count."""
_COLUMNS: Final = (
    "sku_id",
    "location_id",
    "occurred_at",
    "scope",
    "counted",
    "version",
    "key",
)


def count_all(
    connection: Connection,
    house: House,
    counts: Sequence[Count],
    now: Instant,
    aftermath: Aftermath,
) -> set[int]:
    """Post the variances of counts as they were told; return channels to wake
    (`aftermath`: see `post`)."""
    woken: set[int] = set()
    settled: list[str] = []
    for first, some in _rounds(counts):
        found = levels.lock(connection, {one.spot for one in some})
        known = _known(connection, some)
        for number, counted in enumerate(some):
            before = known.get((*counted.spot, counted.event.occurred_at))
            if _judge(connection, counted, before, counts[: first + number], now):
                settled.append(counted.verdict.key)
        posted = [one for one in some if one.verdict.verdict == POSTED]
        _store(connection, posted, found, known)
        woken |= _post(connection, house, posted, found, now, aftermath)
    flagging.settle(connection, settled, now)
    return woken


def _rounds(counts: Sequence[Count]) -> Iterator[tuple[int, Sequence[Count]]]:
    """Counts that can be posted together, as no place is counted twice among them;
    each with where it begins."""
    first, seen = 0, set[levels.Spot]()
    for number, counted in enumerate(counts):
        if counted.spot in seen:
            yield first, counts[first:number]
            first, seen = number, set()
        seen.add(counted.spot)
    if counts:
        yield first, counts[first:]


def _known(connection: Connection, counts: Sequence[Count]) -> Mapping[_When, _Known]:
    """What counts at the very same places and times stand."""
    query = (
        "SELECT c.id, c.sku_id, c.location_id, c.occurred_at, c.version, c.key, "
        "c.counted FROM checkpoints c WHERE c.occurred_at = {at} AND c.sku_id {among}"
    )
    found: dict[_When, _Known] = {}
    for at, some in _by_time(counts).items():
        asked = query.replace("{at}", f"{at:d}")
        skus = [counted.sku_id for counted in some]
        for row in bulk.select(connection, asked, skus, "bigint"):
            known = _Known(*row)
            found[known.sku_id, known.location_id, known.occurred_at] = known
    return found


def _by_time(counts: Sequence[Count]) -> Mapping[Instant, Sequence[Count]]:
    found: dict[Instant, list[Count]] = defaultdict(list)
    for counted in counts:
        found[counted.event.occurred_at].append(counted)
    return found


def _judge(
    connection: Connection,
    counted: Count,
    known: _Known | None,
    earlier: Sequence[Count],
    now: Instant,
) -> bool:
    """Of counts of one place at one time, the higher version (then key) counts; return
    whether it has the higher version.

    Two keys are two counters, and one of them wins; one key that says two things in one
    version is a contradiction.
    """
    event, verdict = counted.event, counted.verdict
    if known is None or (known.version, known.key) < (event.version, verdict.key):
        return known is not None and known.version < event.version
    verdict.verdict = SUPERSEDED
    if known.version > event.version:
        return False
    said: int | None
    if known.key == verdict.key:
        said = known.counted
        verdict.verdict = DUPLICATE
    else:
        said = _said_before(connection, counted, earlier)
    if said not in (None, event.quantity):
        numbers = (said, event.quantity)
        flagging.contradiction(connection, counted, numbers, counted.channel_id, now)
    return False


def _said_before(
    connection: Connection, counted: Count, earlier: Sequence[Count]
) -> int | None:
    """What the same key said in the same version, although another's count stands."""
    event, verdict = counted.event, counted.verdict
    for one in earlier:
        if (
            (one.verdict.key, one.event.version) == (verdict.key, event.version)
            and (one.spot, one.event.occurred_at) == (counted.spot, event.occurred_at)
            and one.verdict.verdict != QUARANTINED
        ):
            return one.event.quantity
    return connection.execute(
        sa.select(stock_events.c.target)
        .where(
            stock_events.c.key == verdict.key,
            stock_events.c.version == event.version,
            stock_events.c.occurred_at == event.occurred_at,
            stock_events.c.verdict.in_((POSTED, SUPERSEDED)),
        )
        .order_by(stock_events.c.id)
        .limit(1)
    ).scalar()


def _post(
    connection: Connection,
    house: House,
    counts: Sequence[Count],
    found: Mapping[levels.Spot, levels.Level],
    now: Instant,
    aftermath: Aftermath,
) -> set[int]:
    here = levels.all_quantities(connection, [found[one.spot].id for one in counts])
    entries = []
    for at, some in _by_time(counts).items():
        since = _since(connection, [one.sku_id for one in some], at)
        for counted in some:
            event, place = counted.event, counted.location_id
            level = here[found[counted.spot].id]
            then = sum(
                level[state] - since[counted.sku_id, place, state]
                for state in scope_states(event.scope or "")
            )
            change = event.quantity - then
            if change:
                cause = Entry(
                    Movement(counted.sku_id, "", place, "", place, at),
                    0,
                    event.kind,
                    counted.verdict.event_id or 0,
                    counted.channel_id,
                    counted.actor,
                )
                entry = variance(counted.spot, change, at, cause, event.reason)
                entries.append(entry)
    return post(connection, house, entries, now, aftermath)


def _store(
    connection: Connection,
    counts: Sequence[Count],
    found: Mapping[levels.Spot, levels.Level],
    known: Mapping[_When, _Known],
) -> None:
    before = [
        known[when].id
        for counted in counts
        if (when := (*counted.spot, counted.event.occurred_at)) in known
    ]
    if before:
        connection.execute(checkpoints.delete().where(checkpoints.c.id.in_(before)))
    bulk.insert(
        connection,
        checkpoints,
        _COLUMNS,
        [
            (
                *counted.spot,
                counted.event.occurred_at,
                counted.event.scope or "",
                counted.event.quantity,
                counted.event.version,
                counted.verdict.key,
            )
            for counted in counts
        ],
    )
    newest = [
        (max(level.counted_at or 0, counted.event.occurred_at), level.id)
        for counted in counts
        for level in [found[counted.spot]]
    ]
    bulk.change(connection, stock_levels, ("counted_at",), newest)


def _since(
    connection: Connection, skus: Sequence[int], at: Instant
) -> Mapping[tuple[int, int, str], int]:
    """What later entries changed, by SKU, location and state: few rows for a recent
    count, however long the ledger."""
    total: dict[tuple[int, int, str], int] = defaultdict(int)
    for side, sign in (("to", 1), ("from", -1)):
        query = (
            f"SELECT sku_id, {side}_location_id, {side}_state, SUM(quantity) "
            f"FROM ledger WHERE occurred_at > {at:d} AND sku_id {{among}} "
            f"GROUP BY sku_id, {side}_location_id, {side}_state"
        )
        for sku, place, state, units in bulk.select(connection, query, skus, "bigint"):
            total[sku, place, state] += sign * int(units)
    return total

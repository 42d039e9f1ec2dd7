"""Writing movements down: ledger entries, and levels by increments.

A physical movement that is told after a count, but happened before it, was in what was
counted: it is posted together with the opposite variance at that count, net zero.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.engine import Connection

from app.domain.events import PAID
from app.domain.instants import Instant
from app.domain.kits import Parts
from app.domain.states import (
    AVAILABLE,
    DAMAGED,
    INSPECTION,
    ON_HAND,
    RESERVED,
    VARIANCE,
    Movement,
)
from app.pipeline.applying import oversells
from app.pipeline.house import House
from app.pipeline.watching import observing
from app.store import bulk
from app.store.stock import levels
from app.store.stock.levels import Levels, Spot
from app.store.tables import ledger

SELLABLE = "sellable"
_SCOPES = {
    SELLABLE: tuple(s for s in ON_HAND if s not in (DAMAGED, INSPECTION)),
    "": ON_HAND,
}
_INSIDE = frozenset(ON_HAND)


def scope_states(scope: str) -> tuple[str, ...]:
    """The states a count of this scope counts."""
    return _SCOPES[scope]


class OfKit(NamedTuple):
    """The kit whose movement an entry is a part of: it is counted once, by one of its
    components."""

    sku_id: int
    by: int
    """The component that it is counted by."""
    units: int
    """How many of that one kit takes."""


def of_kit(sku_id: int, parts: Parts) -> OfKit:
    """What the entries of a kit's movements must remember of it."""
    by = min(parts)
    return OfKit(sku_id, by, parts[by])


class Entry(NamedTuple):
    """A movement to be written down, and why."""

    movement: Movement
    quantity: int
    kind: str
    event_id: int
    channel_id: int | None = None
    actor: str | None = None
    reason: str | None = None
    reverses: int | None = None
    checkpoint: Instant | None = None
    """Set on a count's own variance: the next count, not this one, absorbs it."""
    kit: OfKit | None = None
    item: str | None = None
    """What the source calls the item: a SKU may have several listings there."""
    own_at: Instant | None = None
    """When its teller changed its own number by that; None: it did not."""


@dataclass(slots=True)
class Aftermath:
    """What the movements of a batch leave to be seen to."""

    suspects: set[int] = field(default_factory=set)
    """SKUs that are or were short of units."""
    late: list[observing.Late] = field(default_factory=list)
    """What was in numbers that were taken into the stock."""


def post(
    connection: Connection,
    house: House,
    entries: Sequence[Entry],
    now: Instant,
    aftermath: Aftermath,
    locked: Levels | None = None,
) -> set[int]:
    """Write entries, change levels; return the channels to wake (see `marking`).

    What follows goes into `aftermath`. What the caller has `locked` need not be read
    again.
    """
    if not entries:
        return set()
    spots = [_spots(entry.movement) for entry in entries]
    wanted = {spot for both in spots for spot in both}
    locked = levels.lock(connection, wanted, locked)
    everything = list(entries)
    for entry, both in zip(entries, spots, strict=True):
        for spot in both:
            counted_at = locked[spot].counted_at
            if counted_at is not None and entry.movement.occurred_at <= counted_at:
                everything += _absorbed(connection, entry, spot)
    write(connection, everything, now)
    changes: dict[int, dict[str, int]] = {level.id: {} for level in locked.values()}
    for entry in everything:
        sku, state, place, to_state, to_place, _ = entry.movement
        here, there = changes[locked[sku, place].id], changes[locked[sku, to_place].id]
        here[state] = here.get(state, 0) - entry.quantity
        there[to_state] = there.get(to_state, 0) + entry.quantity
    levels.add(connection, changes)
    aftermath.suspects |= oversells.suspects(house, locked, changes)
    # What a count absorbs changes our number, not the channel's.
    aftermath.late += _follow(connection, house, entries)
    is_shown = any(AVAILABLE in states for states in changes.values())
    return set(house.publishing) if is_shown else set()


def _spots(movement: Movement) -> tuple[Spot, ...]:
    """The one or two stock levels that a movement changes."""
    sku, _, place, _, to_place, _ = movement
    return ((sku, place),) if place == to_place else ((sku, place), (sku, to_place))


def _absorbed(connection: Connection, entry: Entry, spot: Spot) -> Iterator[Entry]:
    """The opposite variance at the earliest count that had this movement inside.

    A count of everything and one of what may be sold see different parts of some
    movements; where both were made, each later one takes what it saw and they did not.
    """
    seen = {scope: _effect(entry, spot[1], states) for scope, states in _SCOPES.items()}
    if not any(seen.values()):
        return
    if entry.checkpoint is None:
        rule, at = "occurred_at >= ?", entry.movement.occurred_at
    else:
        rule, at = "occurred_at > ?", entry.checkpoint
    one = " LIMIT 1" if len(set(seen.values())) == 1 else ""
    query = (
        "SELECT occurred_at, scope FROM checkpoints "
        f"WHERE sku_id = ? AND location_id = ? AND {rule} ORDER BY occurred_at{one}"
    )
    if connection.dialect.name != "sqlite":
        query = query.replace("?", "%s")
    undone = 0
    for counted_at, scope in connection.exec_driver_sql(query, (*spot, at)).all():
        change = seen[scope] - undone
        if change:
            yield variance(spot, -change, counted_at, entry, "absorbed by a count")
        undone += change


def variance(
    spot: Spot, change: int, at: Instant, cause: Entry, reason: str | None
) -> Entry:
    """An entry that changes available by `change` against variance."""
    sku, place = spot
    forth = Movement(sku, VARIANCE, place, AVAILABLE, place, at)
    return Entry(
        forth if change > 0 else forth.reversed(),
        abs(change),
        "counted",
        cause.event_id,
        cause.channel_id,
        cause.actor,
        reason,
        checkpoint=at,
        item=cause.item,
        own_at=at,
    )


def _effect(entry: Entry, location: int, states: tuple[str, ...]) -> int:
    """By how much an entry changes what a count of these states would find there."""
    movement = entry.movement
    gained = movement.to_location == location and movement.to_state in states
    lost = movement.from_location == location and movement.from_state in states
    return (gained - lost) * entry.quantity


_COLUMNS = (
    "sku_id",
    "from_state",
    "from_location_id",
    "to_state",
    "to_location_id",
    "occurred_at",
    "quantity",
    "kind",
    "event_id",
    "channel_id",
    "actor",
    "reason",
    "reverses",
    "recorded_at",
)


def write(connection: Connection, entries: Sequence[Entry], now: Instant) -> None:
    """Write entries down as they are; no level follows."""
    bulk.insert(
        connection,
        ledger,
        _COLUMNS,
        [
            # All of an entry but its last fields, which only posting needs.
            (*entry.movement, *entry[1:-4], now)
            for entry in entries
        ],
    )


def _shown(entry: Entry, change: int) -> tuple[int, int]:
    """Whose number the channel itself changed by that: the kit's, not its parts'."""
    sku, kit = entry.movement.sku_id, entry.kit
    if kit is None:
        return sku, change
    # Towards zero, for a movement and its reversal to be alike.
    return kit.sku_id, int(change / kit.units) if sku == kit.by else 0


def _follow(
    connection: Connection, house: House, entries: Sequence[Entry]
) -> list[observing.Late]:
    """Tell the channels that we publish to what they did themselves."""
    effects: list[observing.Effect] = []
    for entry in entries:
        if entry.channel_id not in house.publishing or entry.own_at is None:
            continue
        channel = house.channels[entry.channel_id]
        movement = entry.movement
        if entry.kind == PAID and not channel.keeps_unpaid:
            continue  # the time to pay in was over for us, not there
        states = (AVAILABLE, RESERVED) if channel.keeps_unpaid else (AVAILABLE,)
        for spot in _spots(movement):
            change = _effect(entry, spot[1], states)
            sku, change = _shown(entry, change)
            if change:
                told = (channel.id, sku, spot[1], entry.own_at, change, entry.item)
                effects.append(observing.Effect(*told))
    return observing.follow(connection, house, effects) if effects else []

"""Asking: a channel's number and ours differ, and only a person can tell which is right.

Until then the smaller of the two is published (`desired.careful`): the difference in
units is kept with the row, so that what is sold meanwhile changes both numbers alike.
What is told late of the time before explains a part of it (`observing.follow`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection, RowMapping

from app.domain import drift, events as kinds
from app.domain.drift import Difference
from app.domain.events import StockEvent
from app.domain.instants import DAY, SECOND, Instant, now as clock
from app.domain.shown import Policy
from app.pipeline.house import House
from app.pipeline.publishing.ruling import ruling
from app.store.configuration import policies
from app.store.publishing import publications as store, tallies
from app.store.watching import drifts, incidents

KIND: Final = "drift"


@dataclass(frozen=True, slots=True)
class Seen:
    """A difference with the row it is about."""

    row: RowMapping
    names: store.Names
    difference: Difference
    read_at: Instant
    cause: str | None


def write_down(
    connection: Connection, channel: RowMapping, one: Seen, done: str
) -> None:
    """Append a difference, with its cause and what is done about it."""
    seen = one.difference
    numbers = (seen.theirs, seen.desired, seen.believed[1])
    cause = one.cause or drift.UNKNOWN
    told = (channel["id"], one.row["id"], *numbers, cause)
    drifts.add(connection, [(*told, done, one.read_at)])
    tallies.add(connection, channel["id"], {tallies.DRIFT + cause: 1}, one.read_at)


def is_worn(connection: Connection, row: RowMapping, heals_a_day: int) -> bool:
    """Whether a number was healed, or asked about, as often as it may be in a day."""
    return drifts.heals(connection, row["id"], clock() - DAY) >= heals_a_day


def ask(
    connection: Connection,
    channel: RowMapping,
    title: str,
    one: Seen,
    now: Instant,
    *,
    held: bool = False,
) -> None:
    """Put both numbers before a person; ours, in the difference, by the policy alone.

    `held`: theirs is larger and stays, for it was lowered often enough.
    """
    seen, key = one.difference, channel["key"]
    if seen.theirs is not None:
        units = seen.theirs - seen.desired
        drifts.dispute(connection, one.row["id"], units, one.read_at)
    incidents.open_incident(
        connection,
        KIND,
        f"{key}:{one.names.sku}",
        _question(f"{title} ({key})", key, one, held=held),
        now=now,
        channel_id=channel["id"],
        details={
            "shown": seen.theirs,
            "expected": seen.believed[1],
            "ours": seen.desired,
            "cause": one.cause,
        },
    )


def _question(who: str, key: str, one: Seen, *, held: bool) -> str:
    theirs, ours = one.difference.theirs, one.difference.desired
    until = "Until then the smaller is published. "
    if theirs is None:
        return (
            f"{who} shows no number for {one.names.sku}, ours is {ours}: "
            f"{drift.CAUSES[drift.MAPPING]}. Let it keep stock of {one.names.external_id} "
            "there, or correct the listing; the next comparison that finds it right "
            "closes this"
        )
    if held:
        until = (
            "It is raised there again and again: until then, or until ours changes, "
            f"{theirs - ours} units more than there are may be sold there. "
        )
    return (
        f"{who} shows {theirs} for {one.names.sku}, ours is {ours}: "
        f"{drift.CAUSES[one.cause or drift.UNKNOWN]}. {until}Take one of the two: here, "
        f"or onecount reconcile {key} --take ours (or theirs)"
    )


def end(
    connection: Connection, ids: Collection[int], now: Instant, note: str | None = None
) -> None:
    """These rows are disputed no more; close the incidents that are about no other."""
    for channel_id, key, sku in drifts.settle(connection, ids):
        if not drifts.is_disputed(connection, channel_id, sku):
            incidents.close_incidents(connection, KIND, f"{key}:{sku}", now, note)


def may_be_sold(
    row: RowMapping, theirs: int | None, believed: int | None, unnamed_at: Instant
) -> bool:
    """Whether a sale whose item nobody has named may be why a channel shows fewer than
    we thought: its order was read, and is not in our number. `unnamed_at` is the newest
    of these (`drifts.unnamed_at`)."""
    if theirs is None or believed is None or theirs >= believed:
        return False
    # Providers' clocks tick whole seconds.
    since = max(0, (row["accepted_at"] or 0) - SECOND)
    return unnamed_at > since


class Takings:
    """What was just taken over of each stock: several listings may show the same one."""

    def __init__(self) -> None:
        self._units: dict[tuple[int, str], int] = {}

    def differ(self, one: Seen, place: str) -> bool:
        """Whether another listing of that stock said something else."""
        return self._units.get((one.row["sku_id"], place), _units(one)) != _units(one)

    def take(self, one: Seen, place: str) -> int:
        """The units to be posted: 0 where another listing said the same already."""
        stock, units = (one.row["sku_id"], place), _units(one)
        is_known = stock in self._units
        self._units[stock] = units
        return 0 if is_known else units


def _units(one: Seen) -> int:
    """By how many units what it shows differs from what we believed."""
    return (one.difference.theirs or 0) - (one.difference.believed[1] or 0)


def taken(key: str, one: Seen, units: int, place: str, reason: str) -> StockEvent:
    """The adjustment that makes ours what the channel shows."""
    return StockEvent(
        kinds.ADJUSTED,
        units,
        one.read_at,
        one.read_at,
        sku=one.names.sku,
        place=place,
        fact=f"drift-{one.row['id']}-{one.read_at}",
        line="1",
        reason=f"taken over from {key}, which {reason}",
    )


def place_of(connection: Connection, house: House, row: RowMapping) -> str | None:
    """The one location whose stock a row shows as it is; None where it is not so simple.

    A kit has no stock of its own that could be adjusted.
    """
    own = policies.of_listings(connection, {row["listing_id"]})
    channel = house.channels[row["channel_id"]]
    at = ruling(house, channel, own.get(row["listing_id"])).at(row["place"])
    is_plain = at is not None and len(at.draws_from) == 1 and at.policy == Policy()
    if at is None or not is_plain or row["sku_id"] in house.recipes:
        return None
    return house.names[at.draws_from[0]]

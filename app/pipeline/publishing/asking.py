"""Asking: a channel's number and ours differ, and only a person can tell which is right.

Until then the smaller of the two is published (`desired.careful`): the difference in
units is kept with the row, so that what is sold meanwhile changes both numbers alike.
What is told late of the time before explains a part of it (`observing.follow`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection, RowMapping

from adapters.base import Adapter
from app.domain import drift
from app.domain.drift import Difference
from app.domain.instants import DAY, SECOND, Instant, now as clock
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
    """By the channel's clock."""
    until: Instant
    """What it did up to then, as we date it, is in its number (`dated`)."""
    cause: str | None
    before: RowMapping | None
    """Its row just before the channel was read, with what was known to us (`known_to`);
    None where it cannot be read."""


def dated(adapter: Adapter, read_at: Instant) -> Instant:
    """When a channel was read, as we date what it does: never later than it came here,
    and by its own clock where that is behind, be it by less than is told to anybody."""
    return read_at - adapter.http.ahead - adapter.http.lag


def write_down(
    connection: Connection, channel: RowMapping, one: Seen, done: str
) -> None:
    """Append a difference, with its cause and what is done about it."""
    seen = one.difference
    numbers = (seen.theirs, seen.desired, seen.believed[1])
    cause = one.cause or drift.UNKNOWN
    told = (channel["id"], one.row["id"], *numbers, cause)
    drifts.add(connection, [(*told, done, one.until)])
    tallies.add(connection, channel["id"], {tallies.DRIFT + cause: 1}, one.read_at)


def outdate(connection: Connection, one: Seen) -> None:
    """Ordered by time stamps, ours must come after what was read to win, whoever is
    right; where the channel's orders were read, the sales until then are known."""
    if one.difference.orders_read:
        drifts.outdate(connection, one.row["id"], one.read_at)


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
        drifts.dispute(connection, one.row["id"], units, one.until)
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

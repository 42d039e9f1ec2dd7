"""Tallies: how often what happened on a channel, counted for as long as it exists."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain import retry
from app.domain.instants import HOUR, SECOND, Instant
from app.store import bulk
from app.store.tables import channels, push_hours, push_tallies

ATTEMPT: Final = "attempt:"
"""Before the result or class of error of a call."""
WISH: Final = "wish:"
"""Before what became of a wish: a number that a channel should show."""
SUPERSEDED: Final = "wish:superseded"
CORRECT: Final = "wish:already_correct"
TAKEN: Final = "wish:accepted"
REJECTED: Final = "wish:rejected"
_FAILED: Final = (
    REJECTED,  # of a call that was refused, each of its numbers
    *(ATTEMPT + one for one in retry.CLASSES if one != retry.REFUSED),
)
DRIFT: Final = "drift:"
"""Before the cause of a number that a channel showed and should not have."""
MILLISECONDS: Final = "milliseconds"
"""How long calls took in all."""
DELAY: Final = "delay:"
"""Before the bound, in seconds, within which a number was at its channel."""
DELAYED: Final = "delayed"
"""How many milliseconds these numbers took in all."""
BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, inf)
"""Seconds from when a number was wanted until its channel took it: up to each of these
and above the one before."""


def add(
    connection: Connection, channel_id: int, counts: Mapping[str, int], now: Instant
) -> None:
    """Count some more of each, for ever and for this hour."""
    rows = [
        (channel_id, what, times) for what, times in sorted(counts.items()) if times
    ]
    bulk.add(connection, push_tallies, ("channel_id", "what", "times"), rows)
    delivered = counts.get(TAKEN, 0) + counts.get(CORRECT, 0)
    failed = sum(counts.get(what, 0) for what in _FAILED)
    if delivered or failed:
        hour = (channel_id, now // HOUR * HOUR, delivered, failed)
        columns = ("channel_id", "hour", "delivered", "failed")
        bulk.add(connection, push_hours, columns, [hour])


def delays(waited: Iterable[Instant]) -> Counter[str]:
    """What to count for numbers that had been wanted for so long."""
    counts: Counter[str] = Counter()
    for span in waited:
        bound = next(one for one in BOUNDS if span <= one * SECOND)
        counts[f"{DELAY}{bound}"] += 1
        counts[DELAYED] += span // 1000
    return counts


def hours(
    connection: Connection, now: Instant, span: int = 24
) -> dict[int, list[tuple[int, int]]]:
    """Channel id → (numbers delivered, calls or numbers that failed) of each of the
    last hours, the current one last."""
    first = now // HOUR * HOUR - (span - 1) * HOUR
    query = sa.select(push_hours).where(push_hours.c.hour >= first)
    found: dict[int, list[tuple[int, int]]] = {}
    for row in connection.execute(query):
        line = found.setdefault(row.channel_id, [(0, 0)] * span)
        place = (row.hour - first) // HOUR
        if place < span:
            line[place] = (row.delivered, row.failed)
    return found


def forget_hours(connection: Connection, before: Instant) -> None:
    """Let go of what nobody draws any more."""
    connection.execute(push_hours.delete().where(push_hours.c.hour < before))


def all_of(connection: Connection) -> list[RowMapping]:
    """Every tally: channel (its key), what, times."""
    query = sa.select(
        channels.c.key.label("channel"), push_tallies.c.what, push_tallies.c.times
    ).join(channels, channels.c.id == push_tallies.c.channel_id)
    return list(
        connection.execute(query.order_by(channels.c.key, push_tallies.c.what))
        .mappings()
        .all()
    )

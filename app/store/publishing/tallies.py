"""Tallies: how often what happened on a channel, counted for as long as it exists."""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain import retry
from app.domain.instants import HOUR, Instant
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

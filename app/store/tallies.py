"""Tallies: how often what happened on a channel, counted for as long as it exists."""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.store.tables import channels, push_tallies

ATTEMPT: Final = "attempt:"
"""Before the result or class of error of a call."""
WISH: Final = "wish:"
"""Before what became of a wish: a number that a channel should show."""
SUPERSEDED: Final = "wish:superseded"
CORRECT: Final = "wish:already_correct"
MILLISECONDS: Final = "milliseconds"
"""How long calls took in all."""

_ADD = sa.text(
    "INSERT INTO push_tallies (channel_id, what, times) "
    "VALUES (:channel_id, :what, :times) ON CONFLICT (channel_id, what) "
    "DO UPDATE SET times = push_tallies.times + excluded.times"
)


def add(connection: Connection, channel_id: int, counts: Mapping[str, int]) -> None:
    """Count some more of each."""
    rows = [
        {"channel_id": channel_id, "what": what, "times": times}
        for what, times in sorted(counts.items())
        if times
    ]
    if rows:
        connection.execute(_ADD, rows)


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

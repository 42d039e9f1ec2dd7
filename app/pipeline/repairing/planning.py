"""Planning: what a bulk retry would cost, before anybody lets it run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

import adapters
from app.domain.budget import BULK, Budget
from app.domain.instants import Instant
from app.pipeline.publishing import desired
from app.pipeline.publishing.exposing import exposure
from app.pipeline.publishing.wishes import is_held, shows_already
from app.store.configuration import channels as channel_store
from app.store.publishing import tallies
from app.store.tables import publications

WEIGHED: Final = 5_000
"""Rows whose numbers are worked out for a plan."""


@dataclass(frozen=True, slots=True)
class Part:
    """A channel's part of a plan."""

    channel: str
    provider: str
    """As people call it."""
    rows: int
    correct: int
    """Rows that the channel was seen to show rightly: they need no call."""
    sends: int
    seconds: float
    """About how long, within the channel's call budget."""
    is_held: bool
    """Nothing is sent to it now: its rows wait."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done."""

    parts: Sequence[Part]
    is_weighed: bool
    """All rows were looked at; else there may be more that are correct already."""
    excess: int
    """Units that channels offer too many, in the rows that were looked at."""

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(one.rows for one in self.parts)

    @property
    def sends(self) -> int:
        """All calls."""
        return sum(one.sends for one in self.parts)

    @property
    def correct(self) -> int:
        """All that need no call."""
        return sum(one.correct for one in self.parts)

    @property
    def seconds(self) -> float:
        """Until the last channel is done: they are told beside each other."""
        return max((one.seconds for one in self.parts), default=0.0)


def plan(connection: Connection, chosen: sa.Select[Any], now: Instant) -> Plan:
    """Work out what a retry of the chosen publications would do, and how long it takes;
    and what discarding them would leave wrong."""
    found = chosen.subquery()
    query = sa.select(found.c.channel_id, sa.func.count()).group_by(found.c.channel_id)
    counts = {row[0]: row[1] for row in connection.execute(query)}
    some = sa.select(publications).where(
        publications.c.id.in_(
            chosen.with_only_columns(publications.c.id).limit(WEIGHED)
        )
    )
    rows = connection.execute(some).mappings().all()
    numbers = desired.numbers(connection, rows, now=now)
    correct = dict.fromkeys(counts, 0)
    for row in rows:
        if shows_already(row, numbers[row["id"]]):
            correct[row["channel_id"]] = correct.get(row["channel_id"], 0) + 1
    usual = _milliseconds(connection)
    parts = [
        _part(channel, counts[channel["id"]], correct[channel["id"]], usual, now)
        for channel in channel_store.rows(connection)
        if channel["id"] in counts
    ]
    excess = sum(exposure(row, numbers[row["id"]]) for row in rows)
    return Plan(parts, len(rows) == sum(counts.values()), excess)


def _part(
    channel: RowMapping, rows: int, correct: int, usual: dict[str, float], now: Instant
) -> Part:
    kind = adapters.get(channel["provider"])
    sends = math.ceil((rows - correct) / kind.batch_limit)
    budget = Budget.of(channel["budget"])
    spent = sends * usual.get(channel["key"], _USUAL) / 1000
    waited = budget.span(sends, BULK, now) if budget is not None else 0.0
    is_idle = is_held(channel, now) or channel["tripped_at"] is not None
    return Part(
        channel["key"], kind.title, rows, correct, sends, max(spent, waited), is_idle
    )


_USUAL: Final = 300.0
"""Milliseconds of a call to a channel that nothing is known of."""


def _milliseconds(connection: Connection) -> dict[str, float]:
    """How long a call to each channel usually takes."""
    calls: dict[str, int] = {}
    took: dict[str, int] = {}
    for row in tallies.all_of(connection):
        key, what, times = row["channel"], row["what"], row["times"]
        if what == tallies.MILLISECONDS:
            took[key] = times
        elif what.startswith(tallies.ATTEMPT):
            calls[key] = calls.get(key, 0) + times
    return {key: took.get(key, 0) / times for key, times in calls.items() if times}

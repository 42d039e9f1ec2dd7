"""Turns: which lane of a channel is served next, and what the call budget lets through.

What is told for the first time is not stuck behind retries, nor those behind bulk work;
each lane still gets its turn when the others never end. The last of a call budget is
for first deliveries.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.budget import BULK, FIRST, LANES, RETRY, Budget
from app.domain.instants import Instant
from app.pipeline.house import HouseKeeper
from app.pipeline.publishing.exposing import expose_lane
from app.store.engine import reading
from app.store.publishing import due as store

_TURNS = (FIRST, FIRST, RETRY, FIRST, FIRST, BULK)
"""Whose turn it is when all of them wait; a lane that is empty gives its turn away."""

SUSPECT = 5
"""Failures after which a row may be why its call fails: it gets fewer neighbours."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One batch of one lane; `wait` seconds must pass before it may be sent."""

    lane: str
    rows: Sequence[RowMapping]
    wait: float = 0.0
    is_unranked: bool = False
    """More wait than one batch takes, and which are to go first is not worked out."""

    @property
    def is_ready(self) -> bool:
        """Whether there are rows, and nothing is to be done before they are sent."""
        return bool(self.rows) and not self.wait and not self.is_unranked


NOTHING = Turn(FIRST, ())


class Turns:
    """Takes the lanes of each channel in turn. One per worker process."""

    def __init__(self, engine: Engine, keeper: HouseKeeper) -> None:
        self._engine = engine
        self._keeper = keeper
        self._taken: dict[int, int] = defaultdict(int)

    def next(
        self, channel_id: int, limit: int, budget: Budget | None, now: Instant
    ) -> Turn:
        """The next batch of a channel, chosen among what is due, and ranked if it must."""
        with reading(self._engine) as connection:
            turn = self.look(connection, channel_id, limit, budget, now)
            if not turn.is_unranked:
                return turn
            house = self._keeper.house(connection)
        expose_lane(self._engine, house, channel_id, turn.lane, now)
        with reading(self._engine) as connection:
            return self.look(connection, channel_id, limit, budget, now, ranked=True)

    def look(
        self,
        connection: Connection,
        channel_id: int,
        limit: int,
        budget: Budget | None,
        now: Instant,
        *,
        ranked: bool = False,
    ) -> Turn:
        """The same as it is ranked now.

        When the budget is too small for a lane, the others are looked at; when it is
        too small for any, the batch comes with the time to wait.
        """
        turn = _TURNS[self._taken[channel_id] % len(_TURNS)]
        short: Turn | None = None
        for lane in (turn, *(one for one in LANES if one != turn)):
            wait = budget.wait(lane, now) if budget is not None else 0.0
            rows = _batch(connection, channel_id, lane, limit, now)
            if not ranked and _is_unordered(connection, channel_id, lane, limit, rows):
                return Turn(lane, rows, wait, is_unranked=True)
            if rows and not wait:
                self._taken[channel_id] += 1
                return Turn(lane, rows)
            if rows and (short is None or wait < short.wait):
                short = Turn(lane, rows, wait)
        return short or NOTHING


def _batch(
    connection: Connection, channel_id: int, lane: str, limit: int, now: Instant
) -> Sequence[RowMapping]:
    rows = store.due(connection, channel_id, lane, limit, now)
    return _fewer(rows, limit) if lane == RETRY else rows


def _is_unordered(
    connection: Connection,
    channel_id: int,
    lane: str,
    limit: int,
    rows: Sequence[RowMapping],
) -> bool:
    """Whether more wait than one batch, some of them without a rank."""
    if lane == RETRY or len(rows) < limit:
        return False
    if not store.is_busy(connection, channel_id, lane, limit):
        return False
    return bool(store.unranked_in(connection, channel_id, lane, 1))


def _fewer(rows: Sequence[RowMapping], limit: int) -> Sequence[RowMapping]:
    """Part rows that keep failing from each other, until the one at fault is alone.

    A channel that is down is held before they get that far.
    """
    if not rows or (tries := rows[0]["attempts"]) <= SUSPECT:
        return [row for row in rows if row["attempts"] <= SUSPECT]
    most = max(1, limit >> 2 * (tries - SUSPECT))
    return [row for row in rows if row["attempts"] > SUSPECT][:most]

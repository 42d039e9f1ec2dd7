"""Noticing: which of its numbers a channel changed is asked for, after its orders.

The webhook of an edit gets lost, too, and all numbers are compared but a few times a
day. What a channel answers goes the way of every webhook (inbox, normalise, apply); of
each page only what is news is stored, so an overlap costs calls and no rows.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from adapters.levels import READ_LEVELS, Level, document
from app.domain.budget import BULK, Budget, newest
from app.domain.errors import CredentialsRefused, HubError, RetryLater
from app.domain.instants import HOUR, Instant, now as clock
from app.pipeline.publishing import circuit
from app.pipeline.publishing.rounds import FIRST, TURN_SECONDS
from app.pipeline.watching.observing import is_news
from app.store.engine import reading, writing
from app.store.receiving import inbox
from app.store.tables import channels
from app.store.watching import drifts, incidents

log = structlog.get_logger()

KIND: Final = "unpolled"
"""The kind of incident that says a channel's changes cannot be read."""
PATIENCE: Final[Instant] = HOUR
"""Numbers that could not be read for so long are told of."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a turn brought."""

    stored: int = 0
    wait: float | None = None
    """Seconds until there is more to be read; None: that was all."""


@dataclass(slots=True)
class _Reading:
    """One reading of a channel's changed numbers, kept between its turns."""

    adapter: Adapter
    mark: tuple[object, ...]
    """What it began from: others may have read on, or changed the channel."""
    began: Instant
    pages: Iterator[Sequence[Level]]
    stored: int = 0


class Noticer:
    """Reads changed numbers in turns. Not shared between threads."""

    def __init__(
        self, engine: Engine, lease: Callable[[str], bool], overlap: Instant
    ) -> None:
        """`lease` renews the lane that a channel's reads have in common; `overlap`
        before the last reading is read again."""
        self._engine = engine
        self._lease = lease
        self._overlap = overlap
        self._readings: dict[str, _Reading] = {}

    def turn(self, adapter: Adapter, row: RowMapping) -> Noticed:
        """Read and store for a while; raise nothing but what the database raises."""
        key = adapter.channel.key
        mine = self._readings.pop(key, None)
        if mine is None or mine.mark != _mark(row):
            mine = self._begin(adapter, row)
        before, wait = mine.stored, None
        try:
            wait = self._read(mine, row)
            if wait is None:
                self._finish(mine)
            else:
                self._readings[key] = mine
        except RetryLater as error:
            self._later(mine, row, error)
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - the next comparison makes up for it
            self._give_up(mine, error)
        return Noticed(mine.stored - before, wait)

    def _begin(self, adapter: Adapter, row: RowMapping) -> _Reading:
        # By the channel's clock, as its changes are.
        began = adapter.http.theirs(clock())
        since = (row["numbers_read_at"] or began - FIRST) - self._overlap
        return _Reading(adapter, _mark(row), began, adapter.shown_since(since))

    def _read(self, mine: _Reading, row: RowMapping) -> float | None:
        """Seconds until it may go on; None: that was all. The last of a call budget is
        left to what is more urgent, as comparisons leave it."""
        ends = time.monotonic() + TURN_SECONDS
        while True:
            budget = newest(mine.adapter.http.budget, Budget.of(row["budget"]))
            if budget is not None and (wait := budget.wait(BULK, clock())):
                return wait
            page = next(mine.pages, None)
            if page is None:
                return None
            self._store(mine, page)
            if time.monotonic() > ends or not self._lease(mine.adapter.channel.key):
                return 0.0

    def _store(self, mine: _Reading, page: Sequence[Level]) -> None:
        """Put what is news of a page into the inbox."""
        channel_id = mine.adapter.channel.id
        with reading(self._engine) as connection:
            items = {one.external_id for one in page}
            rows = drifts.of_items(connection, channel_id, items)
        news = [
            one
            for one in page
            if (row := rows.get((one.external_id, one.place))) is not None
            and is_news(row, one.available, one.changed_at)
        ]
        if not news:
            return
        found = (READ_LEVELS, document(news), inbox.READ)
        with writing(self._engine) as connection:
            inbox.store_read(connection, channel_id, [found], clock())
        mine.stored += 1

    # -- how it ended ----------------------------------------------------------------

    def _finish(self, mine: _Reading) -> None:
        with writing(self._engine, durable=False) as connection:
            _move(connection, mine)
            circuit.read_again(connection, mine.adapter, clock())
            incidents.close_incidents(connection, KIND, _subject(mine), clock())

    def _later(self, mine: _Reading, row: RowMapping, error: RetryLater) -> None:
        """The next poll asks again, from where this began."""
        log.warning("numbers not read", channel=row["key"], reason=str(error))
        if mine.began - (row["numbers_read_at"] or row["changed_at"]) > PATIENCE:
            with writing(self._engine) as connection:
                _tell(connection, mine, f"It is tried again by itself. {error}")

    def _give_up(self, mine: _Reading, error: Exception) -> None:
        """Leave what changed until now to the next comparison; a channel that cannot be
        asked is no trouble, what a person can mend is."""
        if isinstance(error, CredentialsRefused):
            words = f"Put in credentials that may read its numbers. {error}"
            with writing(self._engine) as connection:
                _tell(connection, mine, words)
            return
        log.warning(
            "numbers not read", channel=mine.adapter.channel.key, exc_info=error
        )
        with writing(self._engine) as connection:
            _move(connection, mine)
            if not isinstance(error, HubError):
                words = f"our adapter failed ({type(error).__name__})"
                _tell(connection, mine, words)


def _mark(row: RowMapping) -> tuple[object, ...]:
    return row["numbers_read_at"], row["changed_at"]


def _move(connection: Connection, mine: _Reading) -> None:
    """All that changed before it began need not be asked for again."""
    connection.execute(
        channels.update()
        .where(channels.c.id == mine.adapter.channel.id)
        .values(numbers_read_at=mine.began)
    )


def _subject(mine: _Reading) -> str:
    return f"{mine.adapter.channel.key}: numbers"


def _tell(connection: Connection, mine: _Reading, words: str) -> None:
    channel = mine.adapter.channel
    incidents.open_incident(
        connection,
        KIND,
        _subject(mine),
        f"{mine.adapter.title} ({channel.key}) cannot be asked which of its numbers "
        "changed, so an edit there whose webhook gets lost is found by the next "
        f"comparison only. {words}",
        now=clock(),
        channel_id=channel.id,
    )

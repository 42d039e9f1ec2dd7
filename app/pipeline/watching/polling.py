"""Polling: what changed at a channel is asked for, in case a webhook got lost.

What is read goes the way of every webhook (inbox, normalise, apply), so reading a
thing twice costs nothing. A round reads from the last one on, with an overlap, in turns
of some seconds; `orders_read_at` moves only after everything was stored, and a round
that is cut off goes on where it had got to.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, RowMapping

import adapters
from adapters.base import Adapter, Change
from app.domain.errors import CredentialsRefused, HubError, RetryLater
from app.domain.instants import HOUR, MINUTE, SECOND, Instant, now as clock
from app.domain.retry import delay
from app.pipeline.inbound import Inbound
from app.pipeline.publishing import circuit
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.tuning import Tuning, policy_of
from app.store.configuration import channels as channel_store
from app.store.engine import reading, writing
from app.store.publishing import retries
from app.store.receiving.inbox import store_read
from app.store.tables import channels
from app.store.vault import Vault
from app.store.watching import incidents

log = structlog.get_logger()

OVERLAP: Final[Instant] = 10 * MINUTE
"""Read again what changed just before: clocks differ, and lists come late."""
FIRST: Final[Instant] = HOUR
"""How far back a channel is read that never was."""
TURN_SECONDS: Final = 5.0
"""How long a round may keep its channel's messages waiting at a time."""
PORTION: Final = 50
"""Changes stored in one transaction, at most."""
PORTION_SECONDS: Final = 2.0
"""How long what was read may be unstored, and the lease not renewed, between calls."""
UNPOLLED: Final = "unpolled"
"""The kind of incident that says a channel's changes cannot be read."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What a turn brought: changes stored, and whether the round goes on."""

    stored: int = 0
    more: bool = False


NOTHING: Final = Polled()


@dataclass(slots=True)
class Round:
    """One reading of a channel, kept between its turns."""

    adapter: Adapter
    started: Instant
    resumed: Instant | None
    asked_from: Instant | None
    changed_at: Instant
    found: Iterator[Change]
    position: Instant | None
    stored: int = 0

    @property
    def began(self) -> Instant:
        """All before then will be known; by the channel's clock, as its changes are."""
        return self.resumed or self.adapter.http.theirs(self.started)


def due(connection: Connection, now: Instant) -> list[RowMapping]:
    """Rows of the channels that are to be polled now."""
    return [row for row in channel_store.rows(connection) if is_due(row, now)]


def is_due(row: RowMapping, now: Instant) -> bool:
    """Whether a channel can be polled, and should be now. A paused one, too."""
    return bool(
        row["poll_due_at"] <= now
        and row["provider"] in adapters.names()
        and (row["reads_held_until"] or 0) <= now
        and row["disconnected_at"] is None
        and row["paused_reason"] != "credentials refused"
        and adapters.get(row["provider"]).polls
    )


class Poller:
    """Polls channels in turns. One per worker process."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        settings: Tuning,
        lease: Callable[[str], bool],
    ) -> None:
        """`lease` takes or renews the lane that a channel's reads have in common."""
        self._engine = engine
        self._vault = vault
        self._settings = settings
        self._policy = policy_of(settings)
        self._lease = lease
        self._rounds: dict[str, Round] = {}
        self._inbound = Inbound(engine, vault)

    @property
    def woken(self) -> set[str]:
        """Lanes that got work; the worker wakes them."""
        return self._inbound.woken

    def poll_due(self, key: str) -> Polled:
        """Take one turn for a channel, if it is due."""
        with reading(self._engine) as connection:
            row = channel_store.row(connection, key)
            if not is_due(row, clock()):
                return NOTHING
            mine = self._rounds.pop(key, None)
            if mine is None or not _goes_on(mine, row):
                mine = self._begin(connection, row)
        before = mine.stored
        try:
            more = self._turn(key, mine)
        except RetryLater as error:
            self._later(mine, error)
            more = False
        except sa.exc.SQLAlchemyError:
            # The database failed, not the channel: nothing is given up.
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, a person is told
            self._give_up(mine, error)
            more = False
        if more:
            self._rounds[key] = mine
        return Polled(mine.stored - before, more)

    def _begin(self, connection: Connection, row: RowMapping) -> Round:
        now, since = clock(), row["poll_position"]
        if since is None:
            since = (row["orders_read_at"] or now - FIRST) - OVERLAP
            since = min(since, row["poll_from"] or since)
        adapter = reach(connection, self._vault, row, self._settings)
        return Round(
            adapter,
            now,
            # Whatever changes while it is cut off is the next round's.
            row["poll_began_at"],
            row["poll_from"],
            row["changed_at"],
            iter(adapter.changes(since)),
            row["poll_position"],
        )

    def _turn(self, key: str, mine: Round) -> bool:
        """Read and store for a while; False when the round is over."""
        ends, began_at = time.monotonic() + TURN_SECONDS, mine.position
        portion: list[Change] = []
        at, stored_at = clock(), time.monotonic()
        try:
            for change in mine.found:
                portion.append(change)
                moment = time.monotonic()
                if len(portion) < PORTION and moment - stored_at < PORTION_SECONDS:
                    continue
                if not self._lease(key):
                    return False
                self._store(mine, portion, at)
                portion, at, stored_at = [], clock(), time.monotonic()
                # Another worker may go on with it: it must not stay where it was.
                if moment > ends and mine.position != began_at:
                    return True
        except HubError:
            if portion:
                self._store(mine, portion, at)
            raise
        self._finish(mine, portion, at)
        return False

    def _store(self, mine: Round, portion: list[Change], at: Instant) -> None:
        """Put what was read into the inbox, and note how far that is."""
        known = [one.listed_at for one in portion if one.listed_at is not None]
        position = max([*known, mine.position or 0]) or None
        with writing(self._engine) as connection:
            _put(connection, mine, portion, at)
            _write(connection, mine, poll_began_at=mine.began, poll_position=position)
        mine.position = position
        mine.stored += len(portion)

    def _finish(self, mine: Round, portion: list[Change], at: Instant) -> None:
        """Everything that changed before the round began is stored now."""
        if mine.asked_from is not None:
            self._apply(mine, portion, at)
            portion = []
        read_at = channels.c.orders_read_at
        newest = sa.case((read_at > mine.began, read_at), else_=mine.began)
        adapter = mine.adapter
        with writing(self._engine) as connection:
            _put(connection, mine, portion, at)
            _write(
                connection,
                mine,
                orders_read_at=newest,
                poll_due_at=clock() + int(self._settings.poll_seconds * SECOND),
                poll_began_at=None,
                poll_position=None,
                poll_from=None,
            )
            if mine.asked_from is not None and adapter.stamps:
                retries.stamp(connection, adapter.channel.id, mine.began)
            circuit.read_again(connection, adapter)
            incidents.close_incidents(connection, UNPOLLED, adapter.channel.key, at)
        mine.stored += len(portion)

    def _apply(self, mine: Round, portion: list[Change], at: Instant) -> None:
        """Before a channel publishes again it is known what happened there."""
        if portion:
            self._store(mine, portion, at)
        while self._inbound.run(clock()):
            pass
        self.woken.add(f"outbound:{mine.adapter.channel.key}")

    # -- a turn that did not work -------------------------------------------------

    def _later(self, mine: Round, error: RetryLater) -> None:
        now = clock()
        with writing(self._engine) as connection:
            held = circuit.unread(connection, mine.adapter, error, self._policy, now)
            row = channel_store.row(connection, mine.adapter.channel.key)
            chosen = delay(row["reads_failed"], error, self._policy, random.random)
            _write(connection, mine, poll_due_at=chosen.after(now))
            if held is not None:
                _tell(connection, mine, f"It is tried again by itself. {error}", now)

    def _give_up(self, mine: Round, error: Exception) -> None:
        """Say what is wrong; publishing goes on, and the next poll comes in its time."""
        words = str(error)
        if not isinstance(error, HubError):
            log.exception("poll failed", channel=mine.adapter.channel.key)
            words = f"our adapter failed ({type(error).__name__})"
        advice = (
            "Put in credentials that may read its orders"
            if isinstance(error, CredentialsRefused)
            else "Run `onecount channels check`"
        )
        now = clock()
        with writing(self._engine) as connection:
            due_at = now + int(self._settings.poll_seconds * SECOND)
            # Nobody publishes less for it: what was asked for was tried.
            _write(connection, mine, poll_due_at=due_at, poll_from=None)
            _tell(connection, mine, f"{advice}. {words}", now)


def _tell(connection: Connection, mine: Round, words: str, now: Instant) -> None:
    channel = mine.adapter.channel
    incidents.open_incident(
        connection,
        UNPOLLED,
        channel.key,
        f"{mine.adapter.title} ({channel.key}) cannot be asked for what changed there, "
        f"so a webhook that gets lost stays lost. {words}",
        now=now,
        channel_id=channel.id,
    )


def _goes_on(mine: Round, row: RowMapping) -> bool:
    """Whether nobody went on with a round, began another or changed the channel."""
    known = (mine.position, mine.asked_from, mine.changed_at)
    return known == (row["poll_position"], row["poll_from"], row["changed_at"])


def _put(
    connection: Connection, mine: Round, portion: list[Change], at: Instant
) -> None:
    """`at` is before the first of them was read: it knows everything up to then."""
    found = [(one.topic, one.document) for one in portion]
    store_read(connection, mine.adapter.channel.id, found, at)


def _write(connection: Connection, mine: Round, **values: Any) -> None:
    """Change a channel's row, unless somebody asked for another round meanwhile."""
    connection.execute(
        channels.update()
        .where(
            channels.c.id == mine.adapter.channel.id,
            channels.c.poll_from.is_not_distinct_from(mine.asked_from),
        )
        .values(**values)
    )

"""Polling: what changed at a channel is asked for, in case a webhook got lost.

A round reads its orders from the last one on, with an overlap, in turns
(`publishing.rounds`); `orders_read_at` moves only after everything was stored. Then
come the numbers that changed there (`noticing`).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, RowMapping

import adapters
from app.domain.errors import CredentialsRefused, HubError, RetryLater
from app.domain.instants import MINUTE, SECOND, Instant, now as clock
from app.domain.retry import delay
from app.pipeline.inbound import Inbound
from app.pipeline.publishing import circuit
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.rounds import Round
from app.pipeline.publishing.tuning import Tuning, policy_of
from app.pipeline.watching.noticing import KIND as UNPOLLED, Noticer
from app.store.configuration import channels as channel_store
from app.store.engine import reading, writing
from app.store.publishing import retries
from app.store.vault import Vault
from app.store.watching import incidents

log = structlog.get_logger()

OVERLAP: Final[Instant] = 10 * MINUTE
"""Read again what changed just before: clocks differ, and lists come late."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What a turn brought: changes stored, and whether the round goes on."""

    stored: int = 0
    more: bool = False
    noticed: int = 0
    """Pages of changed numbers stored."""


NOTHING: Final = Polled()


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
        self._noticer = Noticer(engine, lease, OVERLAP)
        self._inbound = Inbound(engine, vault)

    @property
    def woken(self) -> set[str]:
        """Lanes that got work; the worker wakes them."""
        return self._inbound.woken

    def poll_due(self, key: str) -> Polled:
        """Take one turn for a channel, if it is due."""
        with reading(self._engine) as connection:
            row = channel_store.row(connection, key)
        if not is_due(row, clock()) or not self._lease(key):
            return NOTHING
        mine = self._rounds.pop(key, None)
        if mine is None or not mine.goes_on(row):
            with reading(self._engine) as connection:
                adapter = reach(connection, self._vault, row, self._settings)
            mine = Round(self._engine, adapter, row, OVERLAP)
        before = mine.stored
        try:
            if not mine.turn(partial(self._lease, key)):
                self._rounds[key] = mine
                return Polled(mine.stored - before, more=True)
            self._finish(mine)
        except RetryLater as error:
            self._later(mine, error)
        except sa.exc.SQLAlchemyError:
            # The database failed, not the channel: nothing is given up.
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, a person is told
            self._give_up(mine, error)
        else:
            return self._notice(mine, row, mine.stored - before)
        return Polled(mine.stored - before)

    def _notice(self, mine: Round, row: RowMapping, stored: int) -> Polled:
        """Also read which of its numbers changed, unless none of them is ours."""
        if not row["publish"]:
            return Polled(stored)
        # What it sold is known first: then the numbers that this left are no news.
        while stored and self._lease(row["key"]) and self._inbound.run(clock()):
            pass
        found = self._noticer.turn(mine.adapter, row)
        if found.wait is not None:
            due_at = clock() + int(found.wait * SECOND)
            with writing(self._engine, durable=False) as connection:
                channel_store.poll_by(connection, mine.adapter.channel.id, due_at)
        return Polled(stored, more=found.wait == 0, noticed=found.stored)

    def _finish(self, mine: Round) -> None:
        adapter, asked = mine.adapter, mine.asked_from is not None
        if asked:
            # Before a channel publishes again it is known what happened there.
            while self._inbound.run(clock()):
                pass
            self.woken.add(f"outbound:{adapter.channel.key}")
        due_at = clock() + int(self._settings.poll_seconds * SECOND)
        freed = {"free_since": clock()} if asked else {}
        with writing(self._engine) as connection:
            mine.finish(connection, poll_due_at=due_at, poll_from=None, **freed)
            if asked and adapter.stamps:
                retries.stamp(connection, adapter.channel.id, mine.began)
            circuit.read_again(connection, adapter, clock())
            incidents.close_incidents(
                connection, UNPOLLED, adapter.channel.key, clock()
            )

    # -- a turn that did not work -------------------------------------------------

    def _later(self, mine: Round, error: RetryLater) -> None:
        now = clock()
        with writing(self._engine) as connection:
            held = circuit.unread(connection, mine.adapter, error, self._policy, now)
            row = channel_store.row(connection, mine.adapter.channel.key)
            chosen = delay(row["reads_failed"], error, self._policy, random.random)
            mine.write(connection, poll_due_at=chosen.after(now))
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
            mine.write(connection, poll_due_at=due_at, poll_from=None)
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

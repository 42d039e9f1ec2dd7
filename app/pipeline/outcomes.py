"""Outcomes: what came of a call, written to its rows, its attempt and its channel.

Step 5 of the journey, second half. Every class of error has its consequence here and
nowhere else.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain import channels as words
from app.domain.channels import Outcome, Wish
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import MINUTE, SECOND, Instant, now as clock
from app.domain.retry import Delay, Policy, delay
from app.store import attempts, incidents, publications as store
from app.store.engine import writing
from app.store.tables import channels

log = structlog.get_logger()

MISSES = 5
"""Compare-and-set misses in a row before a person is asked."""
SLOW: Instant = 5 * MINUTE
"""How long a channel that timed out is served by the slow lane."""


@dataclass(slots=True)
class Call:
    """One call to a channel, from the rows claimed to the outcomes."""

    adapter: Adapter
    rows: Mapping[int, RowMapping]
    wishes: Sequence[Wish]
    started_at: Instant = 0
    attempt_id: int = 0
    troubled: bool = True
    """Whether the channel may have an open incident that an answer closes."""


class Recorder:
    """Writes outcomes down."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self._engine = engine
        self._policy = policy

    def record(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        now = clock()
        by_id = {wish.publication_id: wish for wish in call.wishes}
        accepted = [o for o in outcomes if o.verdict == words.ACCEPTED]
        result = (
            attempts.ACCEPTED if len(accepted) == len(outcomes) else attempts.PARTLY
        )
        taken = [by_id[o.publication_id] for o in accepted]
        # Lost, it is an attempt that nobody knows the end of: read or sent again.
        with writing(self._engine, durable=False) as connection:
            # All rows of the call in the order in which everybody locks them.
            store.lock(connection, by_id)
            store.accept(connection, taken, call.started_at)
            for outcome in outcomes:
                wish = by_id[outcome.publication_id]
                self._outcome(connection, call, wish, outcome, now)
            attempts.finish(
                connection,
                call.attempt_id,
                result if accepted else attempts.REFUSED,
                now,
                verdicts={o.publication_id: (o.verdict, o.reason) for o in outcomes},
            )
            self._answered(connection, call, now)

    def _outcome(
        self,
        connection: Connection,
        call: Call,
        wish: Wish,
        outcome: Outcome,
        now: Instant,
    ) -> None:
        if outcome.verdict == words.REJECTED:
            reason = outcome.reason or "the channel refused it"
            store.fail(connection, wish.publication_id, "GiveUp", reason, now)
        elif outcome.verdict == words.STALE:
            misses = call.rows[wish.publication_id]["misses"] + 1
            store.miss(connection, wish.publication_id, misses, now)
            if misses >= MISSES:
                self._ask(connection, call, wish, now)
        elif outcome.verdict != words.ACCEPTED:
            store.sure(connection, wish.publication_id)

    def _ask(
        self, connection: Connection, call: Call, wish: Wish, now: Instant
    ) -> None:
        words_ = (
            f"{call.adapter.title} keeps showing another number for {wish.sku} than "
            f"the {wish.expected} we read there; ours is {wish.available}"
        )
        store.fail(connection, wish.publication_id, "Contradiction", words_, now)
        incidents.open_incident(
            connection,
            "drift",
            f"{call.adapter.channel.key}:{wish.sku}",
            words_,
            now=now,
            channel_id=call.adapter.channel.id,
        )

    def _answered(self, connection: Connection, call: Call, now: Instant) -> None:
        channel = call.adapter.channel
        connection.execute(
            channels.update()
            .where(channels.c.id == channel.id)
            .values(answered_at=now, failures=0, last_error=None)
        )
        if call.troubled:
            incidents.close_incidents(connection, "channel", channel.key, now)

    def failed(self, call: Call, error: RetryLater | GiveUp) -> None:
        now = clock()
        key = call.adapter.channel.key
        log.warning(
            "push failed", channel=key, error=str(error), kind=type(error).__name__
        )
        sent = [wish.publication_id for wish in call.wishes] or list(call.rows)
        result, chosen = attempts.REFUSED, None
        with writing(self._engine) as connection:
            for publication_id in sorted(sent):
                row = call.rows[publication_id]
                if isinstance(error, RetryLater):
                    result = attempts.UNKNOWN if error.unknown else attempts.RETRY
                    chosen = self._later(connection, row, error, now)
                elif isinstance(error, CredentialsRefused):
                    store.sure(connection, publication_id)
                else:
                    store.fail(connection, publication_id, "GiveUp", str(error), now)
            if call.attempt_id:
                attempts.finish(
                    connection,
                    call.attempt_id,
                    result,
                    now,
                    error=str(error),
                    delay_reason=chosen.reason if chosen is not None else None,
                )
            self._channel_failed(connection, call.adapter, error, now)

    def _later(
        self,
        connection: Connection,
        row: RowMapping,
        error: RetryLater,
        now: Instant,
    ) -> Delay:
        tries = row["attempts"] + 1
        chosen = delay(tries, error, self._policy, random.random)
        dead = tries >= self._policy.limit
        store.retry_later(
            connection,
            row["id"],
            attempts=tries,
            next_attempt_at=chosen.after(now),
            unsure=error.unknown,
            error=str(error),
            failed_at=now if dead else None,
        )
        return chosen

    def _channel_failed(
        self,
        connection: Connection,
        adapter: Adapter,
        error: RetryLater | GiveUp,
        now: Instant,
    ) -> None:
        key = adapter.channel.key
        values: dict[str, Any] = {"last_error": str(error)}
        if isinstance(error, CredentialsRefused):
            values |= {"paused_at": now, "paused_reason": "credentials refused"}
            words_ = (
                f"{adapter.title} refuses our credentials for {key}: put in new ones, "
                f"then resume the channel. {error}"
            )
            incidents.open_incident(
                connection,
                "channel",
                key,
                words_,
                now=now,
                channel_id=adapter.channel.id,
            )
        elif isinstance(error, RetryLater):
            values["failures"] = channels.c.failures + 1
            if error.status == 429 and error.after is not None:
                values["held_until"] = now + int(error.after * SECOND)
            if error.timed_out:
                values["slow_until"] = now + SLOW
        connection.execute(
            channels.update()
            .where(channels.c.id == adapter.channel.id)
            .values(**values)
        )

"""Outcomes: what came of a call, written to its rows, its attempt and its channel.

Step 5 of the journey, second half. Every class of error has its consequence here and
nowhere else.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain import channels as words
from app.domain.channels import Outcome, Wish
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import Instant, now as clock
from app.domain.misses import next_look
from app.domain.retry import Policy, class_of, delay
from app.pipeline.publishing import circuit
from app.store.engine import writing
from app.store.publishing import attempts, publications as store, retries, tallies
from app.store.publishing.retries import Again
from app.store.vault import Vault

log = structlog.get_logger()


@dataclass(slots=True)
class Call:
    """One call to a channel, from the rows claimed to the outcomes."""

    adapter: Adapter
    rows: Mapping[int, RowMapping] = field(default_factory=dict)
    wishes: Sequence[Wish] = ()
    composed: Any = None
    """The wishes as the adapter sends them."""
    started_at: Instant = 0
    attempt_id: int = 0
    key: str = ""
    """By which the channel knows a repeat."""
    troubled: bool = True
    """Whether the channel may have an open incident that an answer closes."""
    has_read: bool = False
    """The channel was asked what it shows, and answered."""
    is_probe: bool = False
    """The channel is held: a failure says so again and costs its row no attempt."""

    def choose(self, rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
        """Be for these rows, a probe for any of them: one that the channel chokes on
        must not hold up the others."""
        chosen = [random.choice(rows)] if rows and self.is_probe else rows
        self.rows = {row["id"]: row for row in chosen}
        return chosen


def _meanwhile(wish: Wish, then: RowMapping, found: store.Found) -> store.Meanwhile:
    """What was heard of a row between its reading and now.

    A number told by the channel meanwhile may be ours already, or what the sales that we
    heard of since have left; any other stays in doubt, although ours was taken: whoever
    set it may have done so after us.
    """
    did = 0
    if found.believed is not None and then["believed"] is not None:
        did = found.believed - then["believed"]
    is_explained = found.observed in (wish.available, found.believed)
    if found.doubt_at is None or found.doubt_at == then["doubt_at"] or is_explained:
        return store.Meanwhile(did)
    return store.Meanwhile(did, found.doubt_at, found.next_attempt_at)


class Recorder:
    """Writes outcomes down."""

    def __init__(self, engine: Engine, vault: Vault, policy: Policy) -> None:
        self._engine = engine
        self._vault = vault
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
        quick = writing(self._engine, durable=False, planned_once=True)
        with quick as connection:
            # All rows of the call in the order in which everybody locks them.
            found = store.lock(connection, by_id)
            sent = [(wish, _sent_at(call, wish)) for wish in taken]
            meanwhile = {
                id_: _meanwhile(by_id[id_], call.rows[id_], row)
                for id_, row in found.items()
            }
            store.accept(connection, sent, call.started_at, meanwhile)
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
            circuit.answered(connection, call.adapter, now, troubled=call.troubled)
            self._count(
                connection,
                call,
                result if accepted else attempts.REFUSED,
                now,
                _wishes(call, outcomes, taken, now),
            )

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
            store.fail(connection, wish.publication_id, GiveUp(reason), now)
        elif outcome.verdict == words.STALE:
            misses = call.rows[wish.publication_id]["misses"] + 1
            missed_at = call.adapter.http.theirs(now)
            store.miss(connection, wish.publication_id, misses, missed_at)
            if misses > 1:
                until = next_look(misses - 1, now)
                store.put_off(connection, wish.publication_id, misses, until)
        elif outcome.verdict != words.ACCEPTED:
            store.sure(connection, wish.publication_id)

    # -- a call that did not work --------------------------------------------

    def failed(self, call: Call, error: RetryLater | GiveUp) -> None:
        now = clock()
        key, kind = call.adapter.channel.key, class_of(error)
        log.warning("push failed", channel=key, error=str(error), kind=kind)
        sent = [wish.publication_id for wish in call.wishes] or list(call.rows)
        result, reason, rejected = attempts.REFUSED, None, 0
        with writing(self._engine) as connection:
            store.lock(connection, sent)
            if isinstance(error, RetryLater):
                result = attempts.UNKNOWN if error.unknown else attempts.RETRY
                result = attempts.REFUSED if error.new_key else result
                reason = self._later(connection, call, sorted(sent), error, now)
                circuit.failed(connection, call.adapter, error, self._policy, now)
            elif isinstance(error, CredentialsRefused):
                self._sure(connection, sent)
                refusal = self._vault, call.adapter, error, now
                circuit.credentials_refused(connection, *refusal)
            else:
                rejected = len(sent)
                for publication_id in sorted(sent):
                    store.fail(connection, publication_id, error, now)
                circuit.refused(connection, call.adapter, error, now)
            if call.attempt_id:
                attempts.finish(
                    connection,
                    call.attempt_id,
                    result,
                    now,
                    error=str(error),
                    error_class=kind,
                    delay_reason=reason,
                )
            self._count(connection, call, kind, now, {tallies.REJECTED: rejected})

    def _later(
        self,
        connection: Connection,
        call: Call,
        sent: Sequence[int],
        error: RetryLater,
        now: Instant,
    ) -> str:
        """Choose when its rows are tried again, together; return why then."""
        if call.is_probe:
            if not error.unknown:
                self._sure(connection, sent)
            return "the channel is held; this was a probe and costs no attempt"
        chance = random.random()
        failures = {one: call.rows[one]["attempts"] + 1 for one in sent}
        # One draw for the call: its rows go out in one call again.
        chosen = {
            tries: delay(tries, error, self._policy, lambda: chance)
            for tries in set(failures.values())
        }
        again = [
            Again(
                publication_id,
                tries,
                chosen[tries].after(now),
                chosen[tries].reason,
                tries >= self._policy.limit,
            )
            for publication_id, tries in failures.items()
        ]
        retries.retry_later(connection, again, error, now)
        return chosen[max(chosen)].reason

    def _sure(self, connection: Connection, ids: Iterable[int]) -> None:
        for publication_id in sorted(ids):
            store.sure(connection, publication_id)

    # -- counting -------------------------------------------------------------

    def _count(
        self,
        connection: Connection,
        call: Call,
        result: str,
        now: Instant,
        wishes: Mapping[str, int] | None = None,
    ) -> None:
        took = (now - call.started_at) // 1000 if call.started_at else 0
        counts = {tallies.ATTEMPT + result: 1, tallies.MILLISECONDS: took}
        counts.update(wishes or {})
        tallies.add(connection, call.adapter.channel.id, counts, now)


def _sent_at(call: Call, wish: Wish) -> Instant:
    """When a number was sent, by the channel's clock: after all it had told by then."""
    told_at = call.rows[wish.publication_id]["observed_at"] or 0
    return max(call.adapter.http.theirs(call.started_at), told_at + 1)


def _wishes(
    call: Call, outcomes: Sequence[Outcome], taken: Sequence[Wish], now: Instant
) -> Mapping[str, int]:
    """What became of the wishes of a call, and how long those that were taken had been
    wanted; those that newer ones replaced, too."""
    counts = Counter(f"{tallies.WISH}{o.verdict}" for o in outcomes)
    counts[tallies.SUPERSEDED] = sum(
        wish.version - call.rows[wish.publication_id]["accepted_version"] - 1
        for wish in taken
    )
    waited = [now - call.rows[w.publication_id]["wanted_at"] for w in taken]
    return counts + tallies.delays(waited)

"""Publish: compute the number now, write the attempt down, call, record. Step 5.

Before: `apply` marked publications wanted. One drain at a time works on a channel,
under a lease. There is no queue of numbers to replay: a row is sent as it is now.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, RowMapping

import adapters
from adapters.base import Adapter
from adapters.http import Http
from app.domain import channels as words
from app.domain.channels import Outcome, Wish
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import HOUR, MINUTE, SECOND, Instant, now as clock
from app.domain.retry import Delay, Policy, delay
from app.pipeline import desired
from app.pipeline.house import HouseKeeper
from app.pipeline.reading import Readings
from app.pipeline.receive import with_address
from app.store import (
    attempts,
    channels as channel_store,
    deliveries,
    incidents,
    leases,
    publications as store,
)
from app.store.engine import writing
from app.store.tables import channels, publications
from app.store.vault import Vault

log = structlog.get_logger()

MISSES = 5
"""Compare-and-set misses in a row before a person is asked."""
SLOW: Instant = 5 * MINUTE
"""How long a channel that timed out is served by the slow lane."""
_TICK: Instant = 1_000
"""A millisecond: by how much one time stamp comes after another."""


class Tuning(Protocol):
    """The settings that matter here."""

    @property
    def lease_seconds(self) -> float:
        """How long a lane belongs to a worker that is not heard of again."""

    @property
    def push_deadline_seconds(self) -> float:
        """The total time of one call."""

    @property
    def retry_base_seconds(self) -> float:
        """The first delay, before jitter."""

    @property
    def retry_cap_seconds(self) -> float:
        """The longest delay."""

    @property
    def retry_limit(self) -> int:
        """Failures before a delivery is a dead letter."""

    @property
    def public_url(self) -> str:
        """Where the world reaches us."""


@dataclass(slots=True)
class Call:
    """One call to a channel, from the rows claimed to the outcomes."""

    adapter: Adapter
    rows: Mapping[int, RowMapping]
    wishes: Sequence[Wish]
    started_at: Instant = 0
    attempt_id: int = 0


class Publisher:
    """Drains channels. One per worker process; not shared between threads."""

    def __init__(self, engine: Engine, vault: Vault, settings: Tuning) -> None:
        self._engine = engine
        self._vault = vault
        self._settings = settings
        self._policy = Policy(
            settings.retry_base_seconds,
            settings.retry_cap_seconds,
            settings.retry_limit,
        )
        self._keeper = HouseKeeper()
        self._adapters: dict[str, Adapter] = {}
        self._readings = Readings(engine, vault)
        self.holder = str(uuid4())

    @property
    def woken(self) -> set[str]:
        """Lanes that got work by what was read from channels; the worker wakes them."""
        return self._readings.inbound.woken

    def lease(self, key: str) -> bool:
        """Take or renew the lease on a channel's lane: no lease, no send."""
        with writing(self._engine) as connection:
            return self._renew(connection, key)

    def _renew(self, connection: Connection, key: str) -> bool:
        seconds = self._settings.lease_seconds
        return leases.acquire(connection, f"outbound:{key}", self.holder, seconds)

    def release(self, key: str) -> None:
        """Give the lane back."""
        with writing(self._engine) as connection:
            leases.release(connection, f"outbound:{key}", self.holder)

    def push_due(self, key: str) -> bool:
        """Send one batch of what is due; False when there is nothing (more) to do."""
        now = clock()
        with self._engine.connect() as connection:
            channel = channel_store.row(connection, key)
            if is_held(channel, now):
                return False
            adapter = self._adapter(connection, channel)
            rows = due(connection, channel["id"], adapter.batch_limit, now)
        if not rows:
            return False
        try:
            if self._must_read(adapter, rows):
                if not self.lease(key):
                    return False
                rows = self._readings.look(adapter, rows, channel)
            self._push(adapter, rows)
        except (RetryLater, GiveUp) as error:
            self._failed(Call(adapter, {row["id"]: row for row in rows}, ()), error)
        return True

    def _adapter(self, connection: Connection, channel: RowMapping) -> Adapter:
        key = channel["key"]
        known = self._adapters.get(key)
        told = channel_store.find(connection, self._vault, key)
        assert told is not None  # noqa: S101 - its row was just read
        told = with_address(told, self._settings.public_url)
        if known is None or known.channel != told:
            kind = adapters.get(told.provider)
            http = Http(
                kind.title,
                key,
                deadline=self._settings.push_deadline_seconds,
                private=channel["private_addresses"],
            )
            known = self._adapters[key] = kind(told, http)
        return known

    def _must_read(self, adapter: Adapter, rows: Sequence[RowMapping]) -> bool:
        return adapter.reads and any(
            row["unsure"]
            or row["doubt_at"] is not None
            or (adapter.compares and row["believed"] is None)
            for row in rows
        )

    # -- one call ------------------------------------------------------------

    def _push(self, adapter: Adapter, rows: Sequence[RowMapping]) -> None:
        left = list(rows)
        while left:
            call, correct = self._prepare(adapter, left)
            if correct:
                self._settle(correct)
            if not call.wishes:
                return
            outcomes = self._send(call)
            unsent = {o.publication_id for o in outcomes if o.verdict == words.UNSENT}
            if len(unsent) == len(call.wishes):
                # Nobody in particular was at fault; come back later.
                return
            left = [row for row in left if row["id"] in unsent]

    def _prepare(
        self, adapter: Adapter, rows: Sequence[RowMapping]
    ) -> tuple[Call, Sequence[tuple[RowMapping, int]]]:
        """Versions were read with the rows; the levels are read now, after them."""
        now = clock()
        with self._engine.connect() as connection:
            house = self._keeper.house(connection)
            numbers = desired.numbers(connection, rows, house, now)
            names = store.names(connection, [row["id"] for row in rows])
        correct, wishes = [], []
        for row in rows:
            number = numbers[row["id"]]
            if shows_already(row, number):
                correct.append((row, number))
            else:
                wishes.append(_wish(adapter, row, names[row["id"]], number, now))
        call = Call(adapter, {row["id"]: row for row in rows}, wishes, now)
        return call, correct

    def _settle(self, correct: Sequence[tuple[RowMapping, int]]) -> None:
        with writing(self._engine) as connection:
            for row, number in correct:
                store.settle(connection, row["id"], row["wanted_version"], number)

    def _send(self, call: Call) -> Sequence[Outcome]:
        adapter = call.adapter
        composed = adapter.compose(call.wishes)
        text = json.dumps(composed, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        call.started_at = clock()
        with writing(self._engine) as connection:
            if not self._renew(connection, adapter.channel.key):
                return ()
            call.attempt_id, key = attempts.begin(
                connection, adapter.channel.id, digest, call.wishes, call.started_at
            )
        try:
            outcomes = adapter.send(composed, call.wishes, key)
        except (RetryLater, GiveUp) as error:
            self._failed(call, error)
            return ()
        self._record(call, outcomes)
        return outcomes

    # -- what came of it -----------------------------------------------------

    def _record(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        now = clock()
        by_id = {wish.publication_id: wish for wish in call.wishes}
        accepted = [o for o in outcomes if o.verdict == words.ACCEPTED]
        result = (
            attempts.ACCEPTED if len(accepted) == len(outcomes) else attempts.PARTLY
        )
        with writing(self._engine) as connection:
            for outcome in sorted(outcomes, key=lambda o: o.publication_id):
                wish = by_id[outcome.publication_id]
                self._outcome(connection, call, wish, outcome, now)
            attempts.finish(
                connection,
                call.attempt_id,
                result if accepted else attempts.REFUSED,
                now,
                verdicts={o.publication_id: (o.verdict, o.reason) for o in outcomes},
            )
            self._answered(connection, call.adapter, now)

    def _outcome(
        self,
        connection: Connection,
        call: Call,
        wish: Wish,
        outcome: Outcome,
        now: Instant,
    ) -> None:
        if outcome.verdict == words.ACCEPTED:
            store.accept(
                connection,
                wish.publication_id,
                wish.version,
                wish.available,
                call.started_at,
            )
        elif outcome.verdict == words.REJECTED:
            reason = outcome.reason or "the channel refused it"
            store.fail(connection, wish.publication_id, "GiveUp", reason, now)
        elif outcome.verdict == words.STALE:
            misses = call.rows[wish.publication_id]["misses"] + 1
            store.miss(connection, wish.publication_id, misses, now)
            if misses >= MISSES:
                self._ask(connection, call, wish, now)
        else:
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

    def _answered(self, connection: Connection, adapter: Adapter, now: Instant) -> None:
        connection.execute(
            channels.update()
            .where(channels.c.id == adapter.channel.id)
            .values(answered_at=now, failures=0, last_error=None)
        )
        key = adapter.channel.key
        incidents.close_incidents(connection, "channel", key, now)

    def _failed(self, call: Call, error: RetryLater | GiveUp) -> None:
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


def is_held(channel: RowMapping, now: Instant) -> bool:
    """Whether nothing is sent to a channel now: its wishes are kept."""
    return (
        channel["paused_at"] is not None
        or channel["disconnected_at"] is not None
        or (channel["held_until"] or 0) > now
    )


def due(
    connection: Connection, channel_id: int, limit: int, now: Instant
) -> Sequence[RowMapping]:
    """What is wanted and due, first tries before retries, oldest first."""
    query = (
        sa.select(publications)
        .where(
            publications.c.channel_id == channel_id,
            publications.c.wanted_version > publications.c.accepted_version,
            publications.c.next_attempt_at <= now,
            publications.c.failed_at.is_(None),
            publications.c.discarded_at.is_(None),
        )
        .order_by(
            sa.case((publications.c.attempts > 0, 1), else_=0),
            publications.c.next_attempt_at,
            publications.c.id,
        )
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def shows_already(row: RowMapping, number: int) -> bool:
    """Whether a reading newer than our last write already shows this number."""
    return (
        row["observed"] == number
        and not row["unsure"]
        and row["observed_at"] is not None
        and row["observed_at"] >= (row["accepted_at"] or 0)
    )


def _wish(
    adapter: Adapter, row: RowMapping, names: store.Names, number: int, now: Instant
) -> Wish:
    return Wish(
        publication_id=row["id"],
        sku=names.sku,
        external_id=names.external_id,
        external_parent_id=names.external_parent_id,
        place=row["place"] or None,
        available=number,
        version=row["wanted_version"],
        expected=row["believed"] if adapter.compares else None,
        stamp=stamp_of(row, now) if adapter.stamps else None,
    )


def stamp_of(row: RowMapping, now: Instant) -> Instant:
    """The time to write at, for channels that apply writes by their time stamp.

    Just after the newest event of the channel that we have applied, and above our
    previous stamp: a later one would swallow a till sale that has not been told yet.
    Providers refuse what is over a day old, so an old stamp moves up, by whole hours.
    """
    oldest = (now - 23 * HOUR) // HOUR * HOUR
    return int(max(row["effect_at"] + _TICK, row["stamp"] + _TICK, oldest))


def retry(
    engine: Engine,
    ids: Sequence[int] | None = None,
    filter: Mapping[str, Any] | None = None,
) -> tuple[int, set[str]]:
    """Let deliveries be tried at once; return how many matched and the lanes to wake.

    `filter` takes state, channel and sku as the list of publications does; without a
    state it means the failed ones.
    """
    with writing(engine) as connection:
        chosen = _chosen(connection, ids, filter or {})
        keys = store.arm(connection, chosen)
    return len(chosen), {f"outbound:{key}" for key in keys}


def _chosen(
    connection: Connection, ids: Sequence[int] | None, filter: Mapping[str, Any]
) -> list[int]:
    state = filter.get("state") or (deliveries.FAILED if ids is None else None)
    wanted = deliveries.Filter(
        state=state,
        channel=filter.get("channel"),
        sku=filter.get("sku"),
        ids=None if ids is None else tuple(ids),
    )
    found: list[int] = []
    while True:
        after = found[-1] if found else None
        rows = deliveries.page(connection, wanted, now=clock(), limit=1000, after=after)
        found += [row["id"] for row in rows]
        if len(rows) < 1000:
            return found


def discard(engine: Engine, ids: Sequence[int]) -> int:
    """Forget these deliveries until stock changes again; return how many."""
    with writing(engine) as connection:
        return store.discard(connection, ids, clock())

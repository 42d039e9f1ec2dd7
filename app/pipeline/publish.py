"""Publish: compute the number now, write the attempt down, call, record. Step 5.

Before: `apply`; `marking` reads off the ledger what is wanted. One drain at a time works
on a channel, under a lease. There is no queue of numbers to replay: a row is sent as it
is now. What is sold while a call is made waits for that call's end, so the way to the
next one is short: one transaction from the mark to the attempt, unless there is a doubt.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

import adapters
from adapters.base import Adapter
from adapters.http import Http
from app.domain import channels as words
from app.domain.budget import FIRST, Budget, newest
from app.domain.channels import Outcome, Wish
from app.domain.errors import GiveUp, RetryLater
from app.domain.instants import Instant, now as clock
from app.domain.misses import next_look
from app.pipeline.house import HouseKeeper
from app.pipeline.publishing import circuit, desired
from app.pipeline.publishing.answering import Answerer, unread
from app.pipeline.publishing.marking import mark, marked
from app.pipeline.publishing.outcomes import Call, Recorder
from app.pipeline.publishing.reaching import fault
from app.pipeline.publishing.reading import Readings
from app.pipeline.publishing.tuning import Tuning, policy_of
from app.pipeline.publishing.turns import Turn, Turns
from app.pipeline.publishing.wishes import (
    is_held,
    is_too_high,
    is_troubled,
    shows_already,
    wish_of,
)
from app.pipeline.receive import with_address
from app.store import leases
from app.store.configuration import channels as channel_store
from app.store.engine import reading, writing
from app.store.publishing import attempts, publications as store, tallies
from app.store.publishing.marks import last_entry
from app.store.vault import Vault

PATIENCE_SECONDS = 1.0
"""The longest wait for a call budget that a drain waits out itself."""


class Publisher:
    """Drains channels. One per worker process; not shared between threads."""

    def __init__(self, engine: Engine, vault: Vault, settings: Tuning) -> None:
        self._engine = engine
        self.vault = vault
        self._settings = settings
        self._recorder = Recorder(engine, vault, policy_of(settings))
        self.keeper = HouseKeeper()
        self._adapters: dict[str, tuple[Instant, Adapter]] = {}
        self.readings = Readings(engine, vault, self.lease)
        self._answerer = Answerer(engine, self.keeper, settings.heals_a_day)
        self._turns = Turns(engine, self.keeper)
        self.holder = str(uuid4())

    @property
    def woken(self) -> set[str]:
        """Lanes that got work by what was read from channels; the worker wakes them."""
        return self.readings.inbound.woken

    def lease(self, key: str) -> bool:
        """Take or renew the lease on a channel's lane: no lease, no send."""
        with writing(self._engine, durable=False) as connection:
            return self._renew(connection, key)

    def _renew(self, connection: Connection, key: str) -> bool:
        seconds = self._settings.lease_seconds
        return leases.acquire(connection, f"outbound:{key}", self.holder, seconds)

    def release(self, key: str) -> None:
        """Give the lane back."""
        with writing(self._engine, durable=False) as connection:
            leases.release(connection, f"outbound:{key}", self.holder)

    def push_due(self, key: str) -> bool:
        """Send one batch of what is due; False when there is nothing (more) to do."""
        now = clock()
        with reading(self._engine) as connection:
            channel, last = channel_store.row(connection, key), last_entry(connection)
            if is_held(channel, now):
                mark(self._engine, channel, now)
                return False
            call = Call(self.adapter(connection, channel))
        call.is_probe = channel["tripped_at"] is not None
        call.troubled = is_troubled(channel)
        try:
            if not self._begin_next(call, channel, last, now):
                return False
            self._push(call)
        except (RetryLater, GiveUp) as error:
            self._recorder.failed(call, error)
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the lane goes on
            self._recorder.failed(call, fault(key, error))
        return True

    def _begin_next(
        self, call: Call, channel: RowMapping, last: int, now: Instant
    ) -> bool:
        """Begin a call with what is due next, as of the `last` entry or a later one;
        False when nothing can be sent now."""
        adapter = call.adapter
        budget = newest(adapter.http.budget, Budget.of(channel["budget"]))
        asked = channel["id"], adapter.batch_limit, budget, now
        with marked(self._engine, channel, last, now) as connection:
            turn = self._turns.look(connection, *asked)
            rows = call.choose(turn.rows)
            if turn.is_ready and self._is_plain(adapter, rows):
                return self._begin(connection, call, rows)
        # The rest takes its time: nobody waits for the gate meanwhile.
        if turn.is_unranked:
            turn = self._turns.next(*asked)
            rows = call.choose(turn.rows)
        if not rows or not self._may_spend(adapter, turn, budget, now):
            return False
        told = unread(rows)
        if self._must_read(adapter, rows):
            if not self.lease(channel["key"]):
                return False
            rows, told = self.readings.look(adapter, rows, channel)
            call.has_read = True
        rows = self._answerer.answer(adapter, channel, told, rows)
        with writing(self._engine) as connection:
            return self._begin(connection, call, rows)

    def _may_spend(
        self, adapter: Adapter, turn: Turn, budget: Budget | None, now: Instant
    ) -> bool:
        """Whether the call budget lets a batch go; a short wait is waited for here."""
        if not turn.wait or budget is None:
            return True
        if turn.lane != FIRST:
            # The sweep comes again; what is told for the first time is not held.
            return False
        if turn.wait > PATIENCE_SECONDS:
            circuit.save_up(self._engine, adapter, budget, turn.wait, now)
            return False
        time.sleep(turn.wait)
        return True

    def adapter(self, connection: Connection, channel: RowMapping) -> Adapter:
        """The channel's adapter, made anew when its configuration changed."""
        key, changed_at = channel["key"], channel["changed_at"]
        known_at, known = self._adapters.get(key, (None, None))
        if known is not None and known_at == changed_at:
            return known
        told = channel_store.find(connection, self.vault, key)
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
            known = kind(told, http)
        self._adapters[key] = changed_at, known
        return known

    def _is_plain(self, adapter: Adapter, rows: Sequence[RowMapping]) -> bool:
        """Whether nothing is to be read or answered before these rows are sent."""
        if self._must_read(adapter, rows) or unread(rows):
            return False
        return all(row["disputed"] != 0 for row in rows)

    def _must_read(self, adapter: Adapter, rows: Sequence[RowMapping]) -> bool:
        return adapter.reads and any(
            row["unsure"]
            or row["doubt_at"] is not None
            or (adapter.compares and row["believed"] is None)
            for row in rows
        )

    # -- one call ------------------------------------------------------------

    def _begin(
        self, connection: Connection, call: Call, rows: Sequence[RowMapping]
    ) -> bool:
        """Write an attempt down for those of these rows that are to be sent; False when
        the lane is somebody else's by now.

        Versions were read with the rows; the levels are read now, after them.
        """
        adapter, now = call.adapter, clock()
        call.rows, call.wishes, call.attempt_id = {r["id"]: r for r in rows}, (), 0
        if not self._renew(connection, adapter.channel.key):
            return False
        house, names = self.keeper.house(connection), store.names(connection, call.rows)
        # A listing that was mapped anew meanwhile has another row by now.
        rows = [row for row in rows if row["id"] in names]
        numbers = desired.numbers(connection, rows, house, now)
        correct, kept, wishes = list[RowMapping](), list[RowMapping](), list[Wish]()
        for row in rows:
            number = numbers[row["id"]]
            if shows_already(row, number):
                correct.append(row)
            elif is_too_high(adapter, row, number):
                kept.append(row)
            else:
                wishes.append(wish_of(adapter, row, names[row["id"]], number, now))
        if correct or kept:
            # All rows of the call in the order in which everybody locks them.
            found = store.lock(connection, call.rows)
            self._settle(connection, adapter, correct, numbers, found)
            self._put_off(connection, kept)
        if not wishes:
            self._unsaid(connection, call, correct)
            return True
        call.wishes, call.composed = wishes, adapter.compose(wishes)
        digest, call.started_at = _digest(call.composed), clock()
        call.attempt_id, call.key = attempts.begin(
            connection, adapter.channel.id, digest, wishes, call.started_at
        )
        return True

    def _settle(
        self,
        connection: Connection,
        adapter: Adapter,
        rows: Sequence[RowMapping],
        numbers: Mapping[int, int],
        found: Mapping[int, store.Found],
    ) -> None:
        """The channel shows these numbers already, unless it has told another since
        they were read, or they went."""
        there = [row for row in rows if row["id"] in found]
        rows = [row for row in there if found[row["id"]].doubt_at == row["doubt_at"]]
        newer = sum(r["wanted_version"] - r["accepted_version"] - 1 for r in rows)
        counts = {tallies.CORRECT: len(rows), tallies.SUPERSEDED: newer}
        for row in rows:
            number = numbers[row["id"]]
            store.settle(connection, row["id"], row["wanted_version"], number)
        tallies.add(connection, adapter.channel.id, counts, clock())

    def _unsaid(
        self, connection: Connection, call: Call, correct: Sequence[RowMapping]
    ) -> None:
        """A channel that was in trouble answered, and shows what it should: nothing is
        left to be sent that would find out that it works again."""
        if call.troubled and call.has_read and correct:
            circuit.answered(connection, call.adapter, clock(), troubled=True)

    def _put_off(self, connection: Connection, rows: Sequence[RowMapping]) -> None:
        """Keep back numbers above what the channel shows, until that is explained."""
        for row in rows:
            misses = row["misses"] + 1
            until = next_look(misses, clock())
            store.put_off(connection, row["id"], misses, until)

    def _push(self, call: Call) -> None:
        """Make a call that was begun, and one more for what its neighbours kept back."""
        while call.wishes:
            outcomes = self._send(call)
            unsent = {o.publication_id for o in outcomes if o.verdict == words.UNSENT}
            if not unsent:
                return
            left = [row for row in call.rows.values() if row["id"] in unsent]
            with writing(self._engine) as connection:
                self._begin(connection, call, left)

    def _send(self, call: Call) -> Sequence[Outcome]:
        adapter = call.adapter
        try:
            outcomes = adapter.send(call.composed, call.wishes, call.key)
            if all(outcome.verdict == words.UNSENT for outcome in outcomes):
                who = f"{adapter.title} ({adapter.channel.key})"
                raise RetryLater(f"{who} took none of the numbers and blamed none")
        except (RetryLater, GiveUp) as error:
            self._recorder.failed(call, error)
            return ()
        self._recorder.record(call, outcomes)
        return outcomes


def _digest(composed: object) -> str:
    """What tells the same call from another."""
    text = json.dumps(composed, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()

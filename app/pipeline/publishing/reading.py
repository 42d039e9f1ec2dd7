"""Looking before writing again: what the channel shows, and the orders we missed.

A number that we cannot explain is most likely a sale whose webhook is on its way. So
the channel's own orders are read and applied before ours is published over it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain.channels import Reading, Wish
from app.domain.drift import OVERRIDE
from app.domain.errors import GiveUp
from app.domain.instants import MINUTE, Instant, now as clock
from app.domain.misses import EXPLAINED, OPEN, ROUNDS, judge
from app.pipeline.inbound import Inbound
from app.pipeline.publishing.answering import Unexplained
from app.pipeline.publishing.rounds import TURN_SECONDS, Round
from app.store.configuration import policies
from app.store.engine import writing
from app.store.publishing import attempts, publications as store
from app.store.vault import Vault

OVERLAP: Instant = 2 * MINUTE


class Readings:
    """Reads a channel on behalf of its drain."""

    def __init__(
        self, engine: Engine, vault: Vault, lease: Callable[[str], bool]
    ) -> None:
        """`lease` takes or renews the lane that a channel's pushes have in common."""
        self._engine = engine
        self._lease = lease
        self._rounds: dict[str, Round] = {}
        self.inbound = Inbound(engine, vault)

    def look(
        self, adapter: Adapter, rows: Sequence[RowMapping], channel: RowMapping
    ) -> tuple[Sequence[RowMapping], list[Unexplained]]:
        """Read what these rows show (and, in doubt, recent orders); return them anew,
        and what nothing explains.

        Those in doubt are left out while there are more orders to be read: the next
        turn goes on with them. Raises RetryLater, GiveUp or CredentialsRefused.
        """
        unclear = self._again([row for row in rows if _is_unclear(row)])
        started = clock()
        with self._engine.connect() as connection:
            names = store.names(connection, [row["id"] for row in unclear])
            careful = _careful(connection, adapter, channel, unclear)
        readings = adapter.read([question(row, names[row["id"]]) for row in unclear])
        read_at = adapter.http.theirs(started)
        by_id = {row["id"]: row for row in unclear}
        sent = self._sent(careful.values())
        doubted = [
            reading
            for reading in readings
            if _is_doubted(careful.get(reading.publication_id), reading, sent)
        ]
        is_doubt = doubted or any(row["doubt_at"] is not None for row in unclear)
        if is_doubt and not self.catch_up(adapter, channel):
            return self._again([row for row in rows if not _is_unclear(row)]), []
        after = {row["id"]: row for row in self._again(unclear)}
        odd: list[Unexplained] = []
        with writing(self._engine) as connection:
            for reading in readings:
                row = by_id[reading.publication_id]
                if reading.available is None:
                    _miss(connection, adapter, row, started)
                elif reading in doubted and row["id"] in after:
                    looked = _Looked(row, after[row["id"]], reading.available, read_at)
                    odd += self._judge(connection, channel, looked, sent.get(row["id"]))
                else:
                    store.read(connection, row["id"], reading.available, read_at)
                    odd += _overridden(row, after.get(row["id"]), reading, read_at)
        return self._again(rows), odd

    def _judge(
        self,
        connection: Connection,
        channel: RowMapping,
        seen: "_Looked",
        sent: int | None,
    ) -> Iterator[Unexplained]:
        """Take in a number that we did not expect, by what the orders made of it."""
        before, number, at = seen.before, seen.number, seen.at
        since = before["doubt_at"] or at
        previous = seen.previous()
        verdict = judge(number, seen.expected(sent), previous, since, at)
        known = seen.after["believed"]
        if verdict == OPEN and before["misses"] < ROUNDS:
            since = since if number in previous else at
            store.wonder(connection, before["id"], number, at, since)
            yield Unexplained(before["id"], number, known, at, is_settled=False)
            return
        store.read(connection, before["id"], number, at)
        if verdict != EXPLAINED:
            is_restless = verdict == OPEN
            yield Unexplained(
                before["id"], number, known, at, True, before, is_restless
            )
        elif number != before["believed"]:
            store.change(connection, before["id"], misses=0)

    def _sent(self, rows: Iterable[RowMapping]) -> dict[int, int]:
        """Publication id → the number of the write of which nobody knows the end.

        Not by its time: the clock may have been set back since.
        """
        with self._engine.connect() as connection:
            found = [
                (row["id"], attempts.last(connection, row["id"]))
                for row in rows
                if row["unsure"]
            ]
        return {id_: one["number"] for id_, one in found if one is not None}

    def _again(self, rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
        with self._engine.connect() as connection:
            found = store.rows(connection, [row["id"] for row in rows])
        return [row for row in found if row["failed_at"] is None]

    def catch_up(self, adapter: Adapter, channel: RowMapping) -> bool:
        """Take in what changed up to now, and apply it; whether that is all.

        It takes one turn (`rounds`); where that is not enough, the next call goes on.
        Raises RetryLater, GiveUp or CredentialsRefused.
        """
        key = channel["key"]
        begun = self._rounds.pop(key, None)
        if begun is not None and not begun.goes_on(channel):
            begun = None
        mine = begun or Round(self._engine, adapter, channel, OVERLAP)
        self.inbound.woken.add("inbound")
        if not mine.turn(partial(self._lease, key)):
            self._rounds[key] = mine
            return False
        with writing(self._engine) as connection:
            mine.finish(connection)
        ends = time.monotonic() + TURN_SECONDS
        while self.inbound.run(clock()):
            if time.monotonic() > ends or not self._lease(key):
                return False
        # What changed since a round began may have been listed before.
        return begun is None


@dataclass(frozen=True, slots=True)
class _Looked:
    """A row before and after the orders were applied, and what was read meanwhile."""

    before: RowMapping
    after: RowMapping
    number: int
    at: Instant

    def expected(self, sent: int | None) -> set[int]:
        """The numbers that what we know would lead to."""
        known = {self.after["believed"]}
        if sent is not None:
            known.add(sent + self.after["believed"] - self.before["believed"])
        return known

    def previous(self) -> set[int | None]:
        """The reading before: as it was, and less what was sold since."""
        last = self.before["observed"]
        if last is None:
            return set()
        return {last, last + self.after["believed"] - self.before["believed"]}


def _miss(
    connection: Connection, adapter: Adapter, row: RowMapping, now: Instant
) -> None:
    """The channel shows no number. What it never showed may not have been counted there
    yet: where none is needed to write over, ours is the first; what was sent is lost."""
    is_new = row["accepted"] is None and row["observed"] is None
    if is_new and not adapter.compares:
        store.sure(connection, row["id"])
        return
    unkept = GiveUp(f"{adapter.title} does not keep stock of this item there")
    store.fail(connection, row["id"], unkept, now)


def _is_unclear(row: RowMapping) -> bool:
    return row["unsure"] or row["doubt_at"] is not None or row["believed"] is None


def _overridden(
    before: RowMapping, row: RowMapping | None, reading: Reading, at: Instant
) -> Iterator[Unexplained]:
    """A number that was doubted, and that its orders, read since, do not explain."""
    if row is None or row["doubt_at"] is None or row["unsure"]:
        return
    if reading.available is not None and reading.available != row["believed"]:
        shown, known = reading.available, row["believed"]
        yield Unexplained(row["id"], shown, known, at, True, before)


def _careful(
    connection: Connection,
    adapter: Adapter,
    channel: RowMapping,
    rows: Sequence[RowMapping],
) -> dict[int, RowMapping]:
    """Those, by id, whose unexplained numbers are not just published over."""
    words = policies.drifting(connection, channel, rows)
    return {
        row["id"]: row
        for row in rows
        if adapter.compares or words[row["id"]] != OVERRIDE
    }


def _is_doubted(
    row: RowMapping | None, reading: Reading, sent: Mapping[int, int]
) -> bool:
    """Whether a reading of a careful row is another number than believed or sent."""
    if row is None or row["believed"] is None or reading.available is None:
        return False
    if row["doubt_at"] is not None:
        return True
    return reading.available not in (row["believed"], sent.get(row["id"]))


def question(row: RowMapping, names: store.Names) -> Wish:
    return Wish(
        publication_id=row["id"],
        sku=names.sku,
        external_id=names.external_id,
        external_parent_id=names.external_parent_id,
        place=row["place"] or None,
        available=0,
        version=row["wanted_version"],
    )

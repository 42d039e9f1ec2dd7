"""Answering: what the drift policy says to a number that a channel told by itself.

The quick way beside `comparing`: one number, told by a webhook or read before a push.
By then its orders had the time to explain it (`reading`, or a grace where the channel
cannot be asked). Echoes, and what our own pushes on their way explain, do not come here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain import drift
from app.domain.drift import Difference
from app.domain.instants import Instant, now as clock
from app.domain.misses import next_look
from app.pipeline.house import House, HouseKeeper
from app.pipeline.publishing import asking, desired
from app.pipeline.publishing.adopting import Takings, adopt, place_of
from app.pipeline.publishing.asking import Seen
from app.store.configuration import policies
from app.store.engine import reading, writing
from app.store.publishing import attempts, publications as store
from app.store.watching import drifts


class Unexplained(NamedTuple):
    """A number that a channel shows, and neither we nor its orders led to."""

    publication_id: int
    theirs: int
    expected: int | None
    at: Instant
    """When the channel was read, or told it."""
    is_settled: bool
    """Its orders had the time to explain the number."""
    before: RowMapping | None = None
    """Its row just before the channel was read; None where it cannot be read."""
    is_restless: bool = False
    """It was another one at every look: whatever the policy, a person is asked."""


def unread(rows: Sequence[RowMapping]) -> list[Unexplained]:
    """What a channel that cannot be read told, after the grace for its sales."""
    return [
        Unexplained(
            row["id"], row["observed"], row["believed"], row["observed_at"], True
        )
        for row in rows
        if row["doubt_at"] is not None
        and row["observed"] not in (None, row["believed"])
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A difference, and what is done about it."""

    seen: Seen
    place: str | None
    done: str
    is_held: bool = False
    """Nothing is sent until ours changes, a person decides or all is compared: it is
    raised there again and again."""


class Answerer:
    """Answers for one publisher. Not shared between threads."""

    def __init__(self, engine: Engine, keeper: HouseKeeper, heals_a_day: int) -> None:
        self._engine = engine
        self._keeper = keeper
        self._most = heals_a_day

    def answer(
        self,
        adapter: Adapter,
        channel: RowMapping,
        told: Sequence[Unexplained],
        rows: Sequence[RowMapping],
    ) -> Sequence[RowMapping]:
        """Do what the policy says; return those of `rows` that may be sent, anew."""
        over = [row["id"] for row in rows if row["disputed"] == 0]
        if not told and not over:
            return rows
        if over:
            with writing(self._engine) as connection:
                note = "what was told since explains the number"
                asking.end(connection, over, clock(), note)
        kept, takings = set(), Takings()
        # One by one: of two listings of a stock, the second is judged by what was done
        # about the first.
        for one in self._judged(adapter, channel, told, takings):
            if one.done == drift.TAKE:
                adopt(self._engine, channel, one.seen, one.place, takings)
            with writing(self._engine) as connection:
                self._write(connection, adapter, channel, one)
            if one.is_held or one.done == drift.LOOK:
                kept.add(one.seen.row["id"])
        with reading(self._engine) as connection:
            return _again(connection, [r["id"] for r in rows if r["id"] not in kept])

    # -- judging ---------------------------------------------------------------

    def _judged(
        self,
        adapter: Adapter,
        channel: RowMapping,
        told: Sequence[Unexplained],
        takings: Takings,
    ) -> Iterator[_Asked]:
        by_id = {one.publication_id: one for one in told}
        for _, one in sorted(by_id.items()):
            with reading(self._engine) as connection:
                house = self._keeper.house(connection)
                rows = _again(connection, [one.publication_id])
                numbers = desired.numbers(connection, rows, house, disputed=False)
                names = store.names(connection, numbers)
                words = policies.drifting(connection, channel, rows)
                asked = [
                    self._judge(
                        connection,
                        house,
                        drift.ASK if one.is_restless else words[row["id"]],
                        self._seen(
                            connection,
                            adapter,
                            row,
                            one,
                            (names[row["id"]], numbers[row["id"]]),
                        ),
                        takings,
                        is_settled=one.is_settled,
                    )
                    for row in rows
                ]
            yield from asked

    def _seen(
        self,
        connection: Connection,
        adapter: Adapter,
        row: RowMapping,
        one: Unexplained,
        known: tuple[store.Names, int],
    ) -> Seen:
        names, ours = known
        was = attempts.last(
            connection, row["id"], (row["accepted_at"] or 0) - 1, accepted=True
        )
        before = was["number"] if was and was["number"] != row["accepted"] else None
        is_known = adapter.reads and adapter.polls and one.is_settled
        unnamed_at = drifts.unnamed_at(connection, row["channel_id"])
        unnamed = asking.may_be_sold(row, one.theirs, one.expected, unnamed_at)
        difference = Difference(
            theirs=one.theirs,
            desired=ours,
            accepted=row["accepted"],
            believed=(one.expected, one.expected),
            first=one.expected,
            before=before,
            is_wanted=False,
            orders_read=is_known and not unnamed,
        )
        cause = drift.EDITED if difference.orders_read else drift.UNKNOWN
        if one.theirs == before:
            cause = drift.FALSE_SUCCESS
        # What was told without being asked for is dated as all that it tells.
        until = asking.dated(adapter, one.at) if adapter.reads else one.at
        return Seen(row, names, difference, one.at, until, cause, one.before)

    def _judge(
        self,
        connection: Connection,
        house: House,
        policy: str,
        seen: Seen,
        takings: Takings,
        *,
        is_settled: bool,
    ) -> _Asked:
        row, told = seen.row, seen.difference
        place = place_of(connection, house, row)
        can_take = place is not None and not takings.differ(seen, place)
        can_take = can_take and row["disputed"] is None
        is_asked = row["disputed"] is not None
        unnamed_at = drifts.unnamed_at(connection, row["channel_id"])
        sold = asking.may_be_sold(row, told.theirs, told.believed[1], unnamed_at)
        if (is_asked or sold) and (told.theirs or 0) < told.desired:
            policy = drift.ASK  # nor is a newer edit published over by the older one
        cause = seen.cause or drift.UNKNOWN
        done = drift.reply(
            cause, told, policy, is_settled=is_settled, can_take=can_take
        )
        is_sure = told.orders_read or told.desired == row["accepted"]
        if done == drift.PUBLISH and not is_sure:
            # Ours changed meanwhile, too: the sale of the one may be the other's.
            return _Asked(seen, place, drift.NOTHING)
        if done not in (drift.PUBLISH, drift.WAIT):
            return _Asked(seen, place, done)
        is_worn = asking.is_worn(connection, row, self._most)
        done = drift.WAIT if is_asked or is_worn else done
        is_held = is_asked and is_worn and (told.theirs or 0) > told.desired
        return _Asked(seen, place, done, is_held)

    # -- doing -----------------------------------------------------------------

    def _write(
        self, connection: Connection, adapter: Adapter, channel: RowMapping, one: _Asked
    ) -> None:
        row, told, now = one.seen.row, one.seen.difference, clock()
        if one.done == drift.LOOK:
            misses = row["misses"] + 1
            store.put_off(connection, row["id"], misses, next_look(misses, now))
            return
        if one.done == drift.NOTHING:
            if row["disputed"] is not None and told.theirs == told.desired:
                asking.end(connection, [row["id"]], now, "the channel shows ours now")
            return
        if one.done == drift.WAIT:
            asking.ask(
                connection, channel, adapter.title, one.seen, now, held=one.is_held
            )
            if told.theirs is not None:
                store.read(connection, row["id"], told.theirs, one.seen.read_at)
        else:
            asking.end(connection, [row["id"]], now)
        asking.outdate(connection, one.seen)
        asking.write_down(connection, channel, one.seen, one.done)
        if one.is_held:
            store.rest(connection, row["id"], row["wanted_version"])


def _again(connection: Connection, ids: Sequence[int]) -> Sequence[RowMapping]:
    return [row for row in store.rows(connection, ids) if row["failed_at"] is None]

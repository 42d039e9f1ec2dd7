"""Comparing: all numbers of a channel are read, page by page, and held against ours.

Beside the journey: webhooks are lost, people edit numbers, channels confirm what they
do not do. A difference is explained before anything is done about it (`domain.drift`),
and whoever compares holds the channel's lane, so that no push is on its way meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain import drift
from app.domain.budget import BULK, Budget, newest
from app.domain.drift import Difference
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import HOUR, Instant, now as clock
from app.pipeline.publish import Publisher
from app.pipeline.publishing import circuit, desired
from app.pipeline.publishing.asking import Seen, dated, may_be_sold
from app.pipeline.publishing.marking import mark
from app.pipeline.publishing.reaching import fault
from app.pipeline.publishing.reading import question
from app.pipeline.publishing.tuning import Tuning, policy_of
from app.pipeline.watching.healing import Found, Healer
from app.store.configuration import channels as channel_store, policies
from app.store.engine import reading, writing
from app.store.publishing import publications as store
from app.store.watching import drifts


class Timed(Tuning, Protocol):
    """The settings that matter here."""

    @property
    def compare_hours(self) -> float:
        """How often all numbers of a channel are compared; 0: only when asked to."""


@dataclass(slots=True)
class Page:
    """One page of a comparison."""

    compared: int = 0
    last: int | None = None
    """The last publication compared; None when there are no more."""
    found: list[Found] = field(default_factory=list)


class Comparer:
    """Compares channels with a publisher's hands. Not shared between threads."""

    def __init__(self, engine: Engine, publisher: Publisher, settings: Timed) -> None:
        self._engine = engine
        self._publisher = publisher
        self._healer = Healer(engine, publisher.keeper, settings.heals_a_day)
        self._policy = policy_of(settings)
        self._interval = int(settings.compare_hours * HOUR)

    def step(self, key: str) -> bool:
        """Compare one page, if it is time to; whether there is more at once."""
        now = clock()
        with reading(self._engine) as connection:
            channel = channel_store.row(connection, key)
            if not is_due(connection, channel, self._interval, now):
                return False
            adapter = self._publisher.adapter(connection, channel)
        budget = newest(adapter.http.budget, Budget.of(channel["budget"]))
        if budget is not None and budget.wait(BULK, now):
            return False  # the sweep comes again
        try:
            page = self.page(key, channel["compared_to"])
        except CredentialsRefused as error:
            with writing(self._engine) as connection:
                circuit.credentials_refused(
                    connection, self._publisher.vault, adapter, error, now
                )
            return False
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the lane goes on
            later = _later(key, error)
            with writing(self._engine) as connection:
                circuit.unread(connection, adapter, later, self._policy, now)
            return False
        if page.compared or page.last is None:
            with writing(self._engine, durable=False) as connection:
                drifts.move(connection, channel["id"], page.last or 0, now)
        return page.last is not None

    def page(
        self, key: str, after: int, *, policy: str | None = None, heal: bool = True
    ) -> Page:
        """Compare the next page of a channel whose lease is held.

        `policy` instead of the channel's own; not to `heal` is only to look. While the
        channel's orders are not all read, it is the same page that is next. Raises
        RetryLater, GiveUp or CredentialsRefused.
        """
        with reading(self._engine) as connection:
            channel = channel_store.row(connection, key)
            adapter = self._publisher.adapter(connection, channel)
            rows = drifts.next_rows(
                connection, channel["id"], after, adapter.batch_limit
            )
        if not rows or not adapter.reads:
            return Page()
        looked = self._look(adapter, channel, rows)
        if looked is None:
            return Page(last=after)
        seen, right = looked
        found = self._healer.treat(adapter, channel, seen, policy, heal=heal)
        if heal:
            self._healer.close(channel, right, found)
        return Page(len(rows), rows[-1]["id"], found)

    # -- looking ---------------------------------------------------------------

    def _look(
        self, adapter: Adapter, channel: RowMapping, rows: Sequence[RowMapping]
    ) -> tuple[list[Seen], list[store.Names]] | None:
        """What differs, and the names of what does not; None to look again."""
        with reading(self._engine) as connection:
            names = store.names(connection, [row["id"] for row in rows])
            numbers = self._numbers(connection, rows)
        shown = self._read(adapter, rows, names)
        suspects = [row for row in rows if shown[row["id"]] != numbers[row["id"]]]
        right = [names[row["id"]] for row in rows if _is_right(row, shown, numbers)]
        if not suspects:
            return [], right
        if not self._catch_up(adapter, channel):
            return None
        first = {row["id"]: row for row in self._again(suspects)}
        read_at = clock()
        shown = self._read(adapter, suspects, names)
        read_at = adapter.http.theirs(read_at)
        until = dated(adapter, read_at)
        if not self._catch_up(adapter, channel):
            return None
        mark(self._engine, channel, clock())
        with reading(self._engine) as connection:
            now_rows = self._again(suspects)
            numbers = self._numbers(connection, now_rows)
            unnamed = _unnamed(connection, now_rows, shown)
        began = {row["id"]: row for row in suspects}
        seen = []
        for row in now_rows:
            id_ = row["id"]
            told = row, began[id_], first[id_]
            is_read = adapter.polls and id_ not in unnamed
            one = _difference(*told, shown[id_], numbers[id_], is_read)
            cause = drift.cause_of(one)
            seen.append(Seen(row, names[id_], one, read_at, until, cause, first[id_]))
        return seen, right

    def _numbers(
        self, connection: Connection, rows: Sequence[RowMapping]
    ) -> dict[int, int]:
        house = self._publisher.keeper.house(connection)
        return desired.numbers(connection, rows, house)

    def _read(
        self,
        adapter: Adapter,
        rows: Sequence[RowMapping],
        names: Mapping[int, store.Names],
    ) -> dict[int, int | None]:
        wishes = [question(row, names[row["id"]]) for row in rows]
        shown: dict[int, int | None] = dict.fromkeys(w.publication_id for w in wishes)
        shown |= {one.publication_id: one.available for one in adapter.read(wishes)}
        return shown

    def _catch_up(self, adapter: Adapter, channel: RowMapping) -> bool:
        """Apply the channel's own orders, where it can tell them; False if more wait."""
        if not adapter.polls:
            return True
        with reading(self._engine) as connection:
            known = channel_store.row(connection, channel["key"])
        return self._publisher.readings.catch_up(adapter, known)

    def _again(self, rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
        with reading(self._engine) as connection:
            return store.rows(connection, [row["id"] for row in rows])


def _difference(
    row: RowMapping,
    began: RowMapping,
    first: RowMapping,
    theirs: int | None,
    ours: int,
    orders_read: bool,
) -> Difference:
    """What is known of a number: when it `began`, at `first`, and in its row now."""
    return Difference(
        theirs=theirs,
        desired=ours,
        accepted=row["accepted"],
        believed=(first["believed"], row["believed"]),
        first=began["believed"],
        before=_before(began),
        is_wanted=_is_wanted(row),
        orders_read=orders_read,
    )


def _is_right(
    row: RowMapping, shown: Mapping[int, int | None], numbers: Mapping[int, int]
) -> bool:
    """Whether it shows our number, and nobody is asked whether ours is the right one."""
    return shown[row["id"]] == numbers[row["id"]] and row["disputed"] is None


def _unnamed(
    connection: Connection,
    rows: Sequence[RowMapping],
    shown: Mapping[int, int | None],
) -> set[int]:
    """Those that a sale whose item nobody has named may have lowered there."""
    if not rows:
        return set()
    at = drifts.unnamed_at(connection, rows[0]["channel_id"])
    return {
        row["id"]
        for row in rows
        if may_be_sold(row, shown[row["id"]], row["believed"], at)
    }


def _before(row: RowMapping) -> int | None:
    """What a channel was read to show before it took our last number."""
    is_older = (row["observed_at"] or 0) < (row["accepted_at"] or 0)
    found: int | None = row["observed"] if is_older else None
    return found


def _is_wanted(row: RowMapping) -> bool:
    return bool(
        row["wanted_version"] > row["accepted_version"]
        or row["unsure"]
        or row["doubt_at"] is not None
    )


def is_due(
    connection: Connection, channel: RowMapping, interval: Instant, now: Instant
) -> bool:
    """Whether a channel's numbers are to be compared now, or are being compared."""
    if not channel["publish"] or channel["paused_at"] or channel["disconnected_at"]:
        return False
    if max(channel["held_until"] or 0, channel["reads_held_until"] or 0) > now:
        return False
    if channel["compared_to"] or not interval:
        return bool(channel["compared_to"])
    last: Instant | None = channel["compared_at"]
    if last is None:
        # Not since its configuration changed: some load it every hour.
        last = policies.published_since(connection, channel["id"])
    return (last or channel["changed_at"]) + interval <= now


def _later(key: str, error: Exception) -> RetryLater:
    """The next comparison comes in its time, whatever is wrong with this one."""
    if isinstance(error, RetryLater):
        return error
    return RetryLater(str(error)) if isinstance(error, GiveUp) else fault(key, error)

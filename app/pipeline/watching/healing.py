"""Healing: what is done about the differences that `comparing` found.

Ours is published again, theirs is taken, or a person is asked; every difference is
written down with its cause and what was done.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain import drift
from app.domain.instants import now as clock
from app.pipeline.house import HouseKeeper
from app.pipeline.publishing import asking, desired
from app.pipeline.publishing.adopting import Takings, adopt, place_of
from app.pipeline.publishing.asking import KIND, Seen
from app.store.configuration import policies
from app.store.engine import reading, writing
from app.store.publishing import publications as store
from app.store.watching import drifts, incidents

MANY: Final = 10
"""So many edited numbers, and half of a page: somebody should look first."""


class Found(NamedTuple):
    """One difference, and what was (or, only looking, would be) done about it."""

    sku: str
    place: str
    theirs: int | None
    ours: int
    cause: str
    done: str


class Healer:
    """Treats differences. Not shared between threads."""

    def __init__(self, engine: Engine, keeper: HouseKeeper, heals_a_day: int) -> None:
        self._engine = engine
        self._keeper = keeper
        self._most = heals_a_day

    def treat(
        self,
        adapter: Adapter,
        channel: RowMapping,
        seen: Sequence[Seen],
        policy: str | None,
        *,
        heal: bool,
    ) -> list[Found]:
        told = [one for one in seen if one.cause not in (None, drift.IN_FLIGHT)]
        edited = [o for o in told if o.cause in (drift.EDITED, drift.UNKNOWN)]
        is_too_many = len(edited) >= max(MANY, len(seen) // 2 + 1)
        with reading(self._engine) as connection:
            words = policies.drifting(connection, channel, [o.row for o in told])
        found, takings = [], Takings()
        for one in told:
            done = self._deed(one, policy, words[one.row["id"]], takings)
            if is_too_many and one in edited and policy is None:
                done = drift.WAIT
            if heal:
                self._do(adapter, channel, one, done, takings)
            difference = one.difference
            found.append(
                Found(
                    one.names.sku,
                    one.row["place"],
                    difference.theirs,
                    difference.desired,
                    one.cause or "",
                    done,
                )
            )
        return found

    def _deed(self, one: Seen, policy: str | None, usual: str, takings: Takings) -> str:
        place = self._place_of(one.row)
        is_asked = policy is None and one.row["disputed"] is not None
        can_take = place is not None and not takings.differ(one, place)
        done = drift.deed(
            one.cause or "",
            one.difference,
            policy or usual,
            can_take=can_take and not is_asked,
            is_told=policy is not None,
        )
        if policy is not None or done != drift.PUBLISH:
            return done
        with reading(self._engine) as connection:
            is_worn = asking.is_worn(connection, one.row, self._most)
        return drift.WAIT if is_worn or one.row["disputed"] is not None else done

    def _do(
        self,
        adapter: Adapter,
        channel: RowMapping,
        one: Seen,
        done: str,
        takings: Takings,
    ) -> None:
        if done == drift.TAKE:
            adopt(self._engine, channel, one, self._place_of(one.row), takings)
        now, row = clock(), one.row
        with writing(self._engine) as connection:
            self._note(connection, one, done)
            if done != drift.NOTHING:
                asking.outdate(connection, one)
            if done == drift.WAIT and self._is_known(row, one):
                if (one.difference.theirs or 0) > one.difference.desired:
                    # It was raised again, and waits for nothing: lower it once more.
                    store.mark_rows(connection, [row["id"]], now)
                return
            if done == drift.WAIT:
                house = self._keeper.house(connection)
                ours = desired.numbers(connection, [row], house, disputed=False)
                told = replace(one.difference, desired=ours[row["id"]])
                one = replace(one, difference=told)
                asking.ask(connection, channel, adapter.title, one, now)
            elif done == drift.PUBLISH:
                asking.end(connection, [row["id"]], now)
            if done != drift.NOTHING:
                store.mark_rows(connection, [row["id"]], now)
            asking.write_down(connection, channel, one, done)

    def _is_known(self, row: RowMapping, one: Seen) -> bool:
        """Whether a person was asked about these two numbers already."""
        seen = one.difference
        if row["disputed"] is None or seen.theirs is None:
            return False
        ours = seen.desired - min(0, row["disputed"])
        return bool(seen.theirs - ours == row["disputed"])

    def _note(self, connection: Connection, one: Seen, done: str) -> None:
        """Keep what was read, unless that was done when it was taken."""
        seen, id_ = one.difference, one.row["id"]
        if seen.theirs is None or done == drift.TAKE:
            return
        if seen.believed[0] == seen.believed[1]:
            store.read(connection, id_, seen.theirs, one.read_at)

    def _place_of(self, row: RowMapping) -> str | None:
        with reading(self._engine) as connection:
            return place_of(connection, self._keeper.house(connection), row)

    def close(
        self,
        channel: RowMapping,
        right: Sequence[store.Names],
        found: Sequence[Found] = (),
    ) -> None:
        """What was put before a person and is right now needs nobody any more, unless
        another number of its SKU there still does, `found` just now or before."""
        asked = {one.sku for one in found if one.done == drift.WAIT}
        skus = {names.sku for names in right} - asked
        subjects = {f"{channel['key']}:{sku}": sku for sku in skus}
        with reading(self._engine) as connection:
            open_ = [
                subject
                for subject in incidents.open_among(connection, KIND, subjects)
                if not drifts.is_disputed(connection, channel["id"], subjects[subject])
            ]
        if open_:
            with writing(self._engine) as connection:
                for subject in open_:
                    incidents.close_incidents(connection, KIND, subject, clock())

"""Healing: what is done about the differences that `comparing` found.

Ours is published again, theirs is taken, or a person is asked; every difference is
written down with its cause and what was done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain import drift, events as kinds
from app.domain.drift import Difference
from app.domain.events import StockEvent
from app.domain.instants import Instant, now as clock
from app.domain.shown import Policy
from app.pipeline.facts import record
from app.pipeline.house import HouseKeeper
from app.pipeline.ruling import ruling
from app.store import drifts, incidents, policies, publications as store
from app.store.engine import reading, writing

KIND: Final = "drift"
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


@dataclass(frozen=True, slots=True)
class Seen:
    """A difference with the row it is about."""

    row: RowMapping
    names: store.Names
    difference: Difference
    read_at: Instant
    cause: str | None


class Healer:
    """Treats differences. Not shared between threads."""

    def __init__(self, engine: Engine, keeper: HouseKeeper) -> None:
        self._engine = engine
        self._keeper = keeper

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
        found = []
        for one in told:
            chosen = policy or channel["drift"]
            done = drift.deed(
                one.cause or "",
                one.difference,
                chosen,
                can_take=self._place_of(channel, one.row) is not None,
                is_told=policy is not None,
            )
            if is_too_many and one in edited and policy is None:
                done = drift.WAIT
            if heal:
                self._do(adapter, channel, one, done)
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

    def _do(self, adapter: Adapter, channel: RowMapping, one: Seen, done: str) -> None:
        if done == drift.TAKE:
            self._take(channel, one)
        now, row, seen = clock(), one.row, one.difference
        with writing(self._engine) as connection:
            self._note(connection, one, done)
            if done in (drift.PUBLISH, drift.TAKE):
                store.mark_rows(connection, [row["id"]], now)
            written = (channel["id"], row["id"], seen.theirs, seen.desired)
            drifts.add(connection, [(*written, seen.believed[1], one.cause, done, now)])
            if done == drift.WAIT:
                self._ask(connection, adapter, channel, one, now)

    def _note(self, connection: Connection, one: Seen, done: str) -> None:
        """Keep what was read; what waits for a person is not what we believe."""
        seen, id_ = one.difference, one.row["id"]
        if seen.theirs is None or seen.believed[0] != seen.believed[1]:
            return
        if done == drift.WAIT:
            store.change(connection, id_, observed=seen.theirs, observed_at=one.read_at)
        else:
            store.read(connection, id_, seen.theirs, one.read_at)

    def _ask(
        self,
        connection: Connection,
        adapter: Adapter,
        channel: RowMapping,
        one: Seen,
        now: Instant,
    ) -> None:
        seen, key = one.difference, channel["key"]
        shows = "shows nothing" if seen.theirs is None else f"shows {seen.theirs}"
        incidents.open_incident(
            connection,
            KIND,
            f"{key}:{one.names.sku}",
            f"{adapter.title} ({key}) {shows} for {one.names.sku}, ours is "
            f"{seen.desired}: {drift.CAUSES[one.cause or '']}. Take one of the two: "
            f"onecount reconcile {key} --take ours (or theirs)",
            now=now,
            channel_id=channel["id"],
            details={
                "shown": seen.theirs,
                "expected": seen.believed[1],
                "ours": seen.desired,
                "cause": one.cause,
            },
        )

    def _take(self, channel: RowMapping, one: Seen) -> None:
        """Post the difference, with the channel as the one who says so."""
        place, seen = self._place_of(channel, one.row), one.difference
        if place is None or seen.theirs is None or seen.believed[1] is None:
            return
        event = StockEvent(
            kinds.ADJUSTED,
            seen.theirs - seen.believed[1],
            one.read_at,
            one.read_at,
            sku=one.names.sku,
            place=place,
            fact=f"drift-{one.row['id']}-{one.read_at}",
            line="1",
            reason=f"taken over from {channel['key']}, which shows {seen.theirs}",
        )
        record(self._engine, [event], actor=str(channel["key"]), now=clock())

    def _place_of(self, channel: RowMapping, row: RowMapping) -> str | None:
        """The one location whose stock a row shows as it is; None where it is not so
        simple."""
        with reading(self._engine) as connection:
            house = self._keeper.house(connection)
            own = policies.of_listings(connection, {row["listing_id"]})
        rules = ruling(house, house.channels[channel["id"]], own.get(row["listing_id"]))
        at = rules.at(row["place"])
        if at is None or len(at.draws_from) != 1 or at.policy != Policy():
            return None
        return house.names[at.draws_from[0]]

    def close(self, channel: RowMapping, right: Sequence[store.Names]) -> None:
        """What was put before a person and is right now needs nobody any more."""
        subjects = {f"{channel['key']}:{names.sku}" for names in right}
        with reading(self._engine) as connection:
            open_ = incidents.open_among(connection, KIND, subjects)
        if open_:
            with writing(self._engine) as connection:
                for subject in open_:
                    incidents.close_incidents(connection, KIND, subject, clock())

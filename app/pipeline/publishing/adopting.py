"""Adopting: the stock becomes what a channel shows, as a checkpoint in its clock.

The difference is posted as an adjustment. What the channel itself did before it was
read is in its number: told later, the adjustment is told anew with that much more or
less (`applying.adopted`), so that it counts once, whatever comes first.
"""

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import SECOND, Instant, now as clock
from app.domain.shown import Policy
from app.pipeline.acts.facts import record_in
from app.pipeline.apply import apply
from app.pipeline.applying.adopted import told_anew
from app.pipeline.house import House, current
from app.pipeline.publishing import asking
from app.pipeline.publishing.asking import Seen
from app.pipeline.publishing.ruling import ruling
from app.pipeline.watching import observing
from app.store.configuration import policies
from app.store.engine import applying
from app.store.publishing import publications as store
from app.store.watching import adoptions


class Takings:
    """What was just taken over of each stock: several listings may show the same one."""

    def __init__(self) -> None:
        self._taken: dict[tuple[int, str], tuple[int, str]] = {}
        """SKU and location → by how many units, and by which adjustment."""

    def differ(self, one: Seen, place: str) -> bool:
        """Whether another listing of that stock said something else."""
        taken = self._taken.get((one.row["sku_id"], place))
        return taken is not None and taken[0] != _units(one)

    def key(self, one: Seen, place: str) -> str | None:
        """The adjustment by which another listing's number was taken, which said the
        same."""
        taken = self._taken.get((one.row["sku_id"], place))
        return taken[1] if taken is not None else None

    def take(self, one: Seen, place: str, key: str) -> None:
        """It was taken by this adjustment."""
        self._taken[one.row["sku_id"], place] = _units(one), key


def _units(one: Seen) -> int:
    """By how many units what it shows differs from ours, by what was known before we
    looked: from what we believed, and that from ours where a person is asked."""
    if one.before is None:
        return 0
    believed, disputed = one.before["believed"] or 0, one.before["disputed"] or 0
    return (one.difference.theirs or 0) - believed + disputed


def adopt(
    engine: Engine, channel: RowMapping, one: Seen, place: str | None, takings: Takings
) -> None:
    """Take a channel's number into the stock of one location, believe it and ask nobody
    any more, at once; the channel is the one who says so."""
    row, theirs, before = one.row, one.difference.theirs, one.before
    if place is None or theirs is None or before is None or before["believed"] is None:
        return
    with applying(engine) as connection:
        until, now, house = inside(one.until), clock(), current(connection)
        key = takings.key(one, place)
        if key is None:
            event = StockEvent(
                kinds.ADJUSTED,
                _units(one),
                one.read_at,
                one.read_at,
                sku=one.names.sku,
                place=place,
                fact=f"drift-{row['id']}-{one.read_at}",
                line="1",
                reason=f"taken over from {channel['key']}, which shows {theirs}",
            )
            recorded, _ = record_in(
                connection, [event], actor=str(channel["key"]), now=now
            )
            key = recorded.events[0].key
        takings.take(one, place, key)
        adoptions.add(connection, row["id"], until, key)
        # What was told since we looked, of before the reading and of after it; what was
        # in an earlier number was put right there.
        done = observing.done_since(connection, house, before)
        if late := [e for e in done if before["adopted_until"] < e.at <= until]:
            apply(connection, house, told_anew(connection, late, now), now)
        if (row["believed_at"] or 0) < one.read_at:
            since = sum(effect.change for effect in done if effect.at > until)
            store.read(connection, row["id"], theirs, one.read_at)
            store.change(connection, row["id"], believed=theirs + since)
        asking.end(connection, [row["id"]], now)


def inside(until: Instant) -> Instant:
    """Up to when all that the channel did is in what was read: in the second of the
    reading it may have come after, for providers' clocks tick whole seconds."""
    return until - until % SECOND - 1


def place_of(connection: Connection, house: House, row: RowMapping) -> str | None:
    """The one location whose stock a row shows as it is; None where it is not so simple.

    A kit has no stock of its own that could be adjusted.
    """
    own = policies.of_listings(connection, {row["listing_id"]})
    channel = house.channels[row["channel_id"]]
    at = ruling(house, channel, own.get(row["listing_id"])).at(row["place"])
    is_plain = at is not None and len(at.draws_from) == 1 and at.policy == Policy()
    if at is None or not is_plain or row["sku_id"] in house.recipes:
        return None
    return house.names[at.draws_from[0]]

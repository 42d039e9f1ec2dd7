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
from app.pipeline.house import House, current
from app.pipeline.publishing.asking import Seen
from app.pipeline.publishing.ruling import ruling
from app.store.configuration import policies
from app.store.engine import applying
from app.store.publishing import publications as store
from app.store.watching import adoptions


class Takings:
    """What was just taken over of each stock: several listings may show the same one."""

    def __init__(self) -> None:
        self._units: dict[tuple[int, str], int] = {}

    def differ(self, one: Seen, place: str) -> bool:
        """Whether another listing of that stock said something else."""
        return self._units.get((one.row["sku_id"], place), _units(one)) != _units(one)

    def take(self, one: Seen, place: str) -> int:
        """The units to be posted: 0 where another listing said the same already."""
        stock, units = (one.row["sku_id"], place), _units(one)
        is_known = stock in self._units
        self._units[stock] = units
        return 0 if is_known else units


def _units(one: Seen) -> int:
    """By how many units what it shows differs from what we believed."""
    return (one.difference.theirs or 0) - (one.difference.believed[1] or 0)


def adopt(
    engine: Engine, channel: RowMapping, one: Seen, place: str | None, takings: Takings
) -> None:
    """Take a channel's number into the stock of one location, and believe it, at once;
    the channel is the one who says so."""
    row, theirs = one.row, one.difference.theirs
    if place is None or theirs is None or one.difference.believed[1] is None:
        return
    units = takings.take(one, place)
    with applying(engine) as connection:
        until = _inside(one.read_at)
        location_id = current(connection).codes[place]
        # What was told since we looked, of before the reading and of after it.
        done = adoptions.done_since(connection, row, location_id, one.known_to)
        late = sum(change for at, change in done if at <= until)
        since = sum(change for at, change in done if at > until)
        if units:
            event = StockEvent(
                kinds.ADJUSTED,
                units - late,
                one.read_at,
                one.read_at,
                sku=one.names.sku,
                place=place,
                fact=f"drift-{row['id']}-{one.read_at}",
                line="1",
                reason=f"taken over from {channel['key']}, which shows {theirs}",
            )
            post(
                connection, row["id"], event, one.read_at, str(channel["key"]), clock()
            )
        if (row["believed_at"] or 0) < one.read_at:
            store.read(connection, row["id"], theirs, one.read_at)
            store.change(connection, row["id"], believed=theirs + since)


def post(
    connection: Connection,
    publication_id: int,
    event: StockEvent,
    read_at: Instant,
    actor: str,
    now: Instant,
) -> set[str]:
    """Record the adjustment by which ours becomes a number that was read then; return
    the lanes to wake."""
    recorded, lanes = record_in(connection, [event], actor=actor, now=now)
    key = recorded.events[0].key
    adoptions.add(connection, publication_id, _inside(read_at), key)
    return lanes


def _inside(read_at: Instant) -> Instant:
    """Up to when all that the channel did is in what was read: in the second of the
    reading it may have come after, for providers' clocks tick whole seconds."""
    return read_at - read_at % SECOND - 1


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

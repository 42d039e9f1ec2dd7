"""Observing: what channels tell of their own numbers, beside what they did themselves.

Only a reading sets `observed`. `believed` is the last reading or accepted write plus the
channel's own effects since; its use is as the expected value of a compare-and-set.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import SECOND, Instant
from app.pipeline.applying.told import event_of
from app.pipeline.house import House, Place
from app.store import bulk
from app.store.publishing import publications as store
from app.store.tables import listings, publications
from app.store.watching import adoptions


@dataclass(frozen=True, slots=True)
class Observation:
    """What a channel told that it shows."""

    channel_id: int
    external_id: str | None
    """The listing's; None where it told our SKU: then that of every listing of it."""
    sku_id: int | None
    place: str
    available: int
    observed_at: Instant


class Effect(NamedTuple):
    """What a channel did to its own number itself."""

    channel_id: int
    sku_id: int
    location_id: int
    at: Instant
    """When its number changed: if it is about an order that was cancelled, by then."""
    change: int
    """Of what is available."""
    item: str | None
    """What the channel called the item: a SKU may have several listings there."""


class Late(NamedTuple):
    """An effect that was in a number which was taken into the stock before it was told."""

    publication_id: int
    sku_id: int
    at: Instant
    change: int


def follow(
    connection: Connection, house: House, effects: Iterable[Effect]
) -> list[Late]:
    """Carry a channel's own effects over to the number we believe it shows.

    One dated before the last reading, or accepted write, is inside that number; one of
    another listing of the SKU did not change it. Return those that are in what was
    taken into the stock already.
    """
    by_row: dict[tuple[int, int], list[Effect]] = defaultdict(list)
    for effect in effects:
        by_row[effect.channel_id, effect.sku_id].append(effect)
    rows = connection.execute(
        sa.select(publications)
        .where(
            publications.c.sku_id.in_({sku for _, sku in by_row}),
            publications.c.channel_id.in_({channel for channel, _ in by_row}),
        )
        .order_by(publications.c.id)
    ).all()
    others = _names_of_others(connection, rows)
    changed, late = [], list[Late]()
    for row in rows:
        place, theirs = house.channels[row.channel_id], others.get(row.listing_id, ())
        here = place.shown_at(row.place)
        mine = [
            one
            for one in by_row[row.channel_id, row.sku_id]
            if one.location_id in here and one.item not in theirs
        ]
        changed.append((*_carried_over(row, _known_at(row, place), mine), row.id))
        late += _adopted(row, mine)
    columns = ("believed", "effect_at", "disputed")
    bulk.change(connection, publications, columns, changed)
    return late


def _carried_over(
    row: sa.Row[Any], known_at: Instant, effects: Sequence[Effect]
) -> tuple[int | None, Instant, int | None]:
    believed, newest, disputed = row.believed, row.effect_at, row.disputed
    for one in effects:
        newest = max(newest, one.at)
        if believed is not None and one.at > known_at:
            believed += one.change
        if disputed is not None and one.at <= row.disputed_at:
            # Told late, it explains some of what a person is asked about.
            disputed -= one.change
    return believed, newest, disputed


def _adopted(row: sa.Row[Any], effects: Sequence[Effect]) -> Iterator[Late]:
    for one in effects:
        if one.at <= row.adopted_until:
            yield Late(row.id, row.sku_id, one.at, one.change)


def done_since(connection: Connection, house: House, row: sa.RowMapping) -> list[Late]:
    """What its channel did to a publication's number itself, by what was written down
    since its row was looked up."""
    here = house.channels[row["channel_id"]].shown_at(row["place"])
    theirs = _names_of_others(connection, _alike(connection, row))
    found = adoptions.done_since(connection, row, here)
    return [
        Late(row["id"], row["sku_id"], _done_at(one), int(one.change))
        for one in found
        if event_of(one).item not in theirs.get(row["listing_id"], ())
    ]


def _alike(connection: Connection, row: sa.RowMapping) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(publications).where(
            publications.c.channel_id == row["channel_id"],
            publications.c.sku_id == row["sku_id"],
        )
    ).all()


def _done_at(one: sa.Row[Any]) -> Instant:
    at, version = int(one.entry_at), int(one.version)
    if not one.was_told:
        return at
    return max(at, version if version >= one.occurred_at else int(one.recorded_at))


def _names_of_others(
    connection: Connection, rows: Sequence[sa.Row[Any]]
) -> dict[int, set[str]]:
    """Listing id → what only other listings of its SKU there are called.

    Nothing is looked up for listings that are the only ones of their SKU.
    """
    alike: dict[tuple[int, int], set[int]] = defaultdict(set)
    for row in rows:
        alike[row.channel_id, row.sku_id].add(row.listing_id)
    several = [ids for ids in alike.values() if len(ids) > 1]
    if not several:
        return {}
    found = connection.execute(
        sa.select(
            listings.c.id, listings.c.external_id, listings.c.external_parent_id
        ).where(listings.c.id.in_(set().union(*several)))
    )
    names = {id_: {word for word in words if word} for id_, *words in found}
    return {
        one: set().union(*(names[other] for other in ids)) - names[one]
        for ids in several
        for one in ids
    }


def _known_at(row: sa.Row[Any], place: Place) -> Instant:
    """What is dated up to then is in the number that we believe the channel shows."""
    known_at: Instant = row.believed_at or 0
    if place.compares and known_at == row.accepted_at:
        # What happened before and we had not heard of would have made the write miss,
        # so what is dated in its second came after: their times have no smaller parts.
        return known_at - known_at % SECOND - 1
    return known_at


GRACE: Instant = 5 * SECOND
"""How long an unexplained number waits for the sale that may explain it."""
READ_GRACE: Instant = 1 * SECOND
"""The same where the channel's own orders are read before ours is written."""


def observe(
    connection: Connection, house: House, seen: Sequence[Observation], now: Instant
) -> set[int]:
    """Take observations in; return the channels where one cannot be explained.

    Such a row is wanted again after a grace: the webhook of the sale that changed the
    number is most likely on its way.
    """
    woken: set[int] = set()
    for one in seen:
        if one.sku_id is None:
            continue
        rows = connection.execute(_told_of(one)).mappings()
        channel = house.channels[one.channel_id]
        can_read = channel.reads
        for row in rows.all():
            if _take(connection, row, one, channel):
                woken |= store.mark_rows(connection, [row["id"]], now)
                # Not put off again: an item that sells every second would never
                # be told of what the others sell.
                wait = READ_GRACE if can_read else GRACE
                until = 0 if row["doubt_at"] is not None else now + wait
                store.doubt(connection, row["id"], one.observed_at, until)
    return woken


def _told_of(one: Observation) -> sa.Select[Any]:
    """The publications that show the number: another listing of the SKU may show
    another."""
    query = sa.select(publications).where(
        publications.c.channel_id == one.channel_id,
        publications.c.sku_id == one.sku_id,
        publications.c.place == one.place,
    )
    if one.external_id is None:
        return query
    its_own = sa.select(listings.c.id).where(
        listings.c.channel_id == one.channel_id,
        listings.c.external_id == one.external_id,
    )
    return query.where(publications.c.listing_id.in_(its_own))


CLOSE: Instant = 2 * SECOND
"""Times nearer than this cannot be ordered: providers' clocks tick whole seconds."""


def is_news(row: sa.RowMapping, number: int, at: Instant) -> bool:
    """Whether a number that a channel dates so tells more of a row than we know.

    What we believe it shows is none: our own number, or a sale that we heard of. What
    never took a number of ours is read before it gets one.
    """
    if row["accepted"] is None:
        return False
    is_asked_about = row["doubt_at"] is not None or row["disputed"] is not None
    if number == row["believed"] and not is_asked_about:
        return False
    observed_at = row["observed_at"] or 0
    if number == row["observed"] and at <= observed_at:
        return False
    return bool(at >= max(observed_at, row["believed_at"] or 0) - CLOSE)


def _take(
    connection: Connection, row: sa.RowMapping, seen: Observation, channel: Place
) -> bool:
    """Store one observation; True when it shows something that we cannot explain.

    Only a reading sets `observed`; one dated before the last reading changes nothing,
    unless the clocks cannot tell: then the channel is read, and that decides.
    """
    at, number = seen.observed_at, seen.available
    last = max(row["observed_at"] or 0, row["believed_at"] or 0)
    foreign = number != row["believed"] and row["accepted"] is not None
    values: dict[str, object] = {}
    if at > (row["observed_at"] or 0):
        values = {"observed": number, "observed_at": at}
    if at >= last:
        if not foreign:
            # What is foreign is judged by what was believed before and the orders
            # since: seen twice, a number that nothing explains would explain itself.
            values |= {"believed": number, "believed_at": at, "doubt_at": None}
        elif number != row["accepted"]:
            # Channels ordered by time stamps: ours must come after this to win.
            values["effect_at"] = max(row["effect_at"], at)
    elif not channel.reads or last - at > CLOSE:
        foreign = False
    if values:
        store.change(connection, row["id"], **values)
    return foreign

"""Observing: what channels tell of their own numbers, beside what they did themselves.

Only a reading sets `observed`. `believed` is the last reading or accepted write plus the
channel's own effects since; its use is as the expected value of a compare-and-set.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import SECOND, Instant
from app.pipeline.house import House, Place
from app.store import bulk
from app.store.publishing import publications as store
from app.store.tables import listings, publications


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


def follow(
    connection: Connection,
    house: House,
    effects: Iterable[tuple[int, int, int, Instant, int]],
) -> None:
    """Carry a channel's own effects over to the number we believe it shows.

    Effects are (channel, sku, location, occurred_at, change of available). One dated
    before the last reading, or accepted write, is inside that number.
    """
    by_row: dict[tuple[int, int], list[tuple[int, Instant, int]]] = defaultdict(list)
    for channel, sku, location, occurred_at, change in effects:
        by_row[channel, sku].append((location, occurred_at, change))
    rows = connection.execute(
        sa.select(publications)
        .where(
            publications.c.sku_id.in_({sku for _, sku in by_row}),
            publications.c.channel_id.in_({channel for channel, _ in by_row}),
        )
        .order_by(publications.c.id)
    ).all()
    changed = []
    for row in rows:
        place = house.channels[row.channel_id]
        here, known_at = place.shown_at(row.place), _known_at(row, place)
        believed, newest, disputed = row.believed, row.effect_at, row.disputed
        for location, occurred_at, change in by_row[row.channel_id, row.sku_id]:
            if location not in here:
                continue
            newest = max(newest, occurred_at)
            if believed is not None and occurred_at > known_at:
                believed += change
            if disputed is not None and occurred_at <= row.disputed_at:
                # Told late, it explains some of what a person is asked about.
                disputed -= change
        changed.append((believed, newest, disputed, row.id))
    columns = ("believed", "effect_at", "disputed")
    bulk.change(connection, publications, columns, changed)


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

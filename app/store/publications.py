"""Publications: what each listing should show, what was accepted, what was observed.

Apply only raises `wanted_version`; the number itself is worked out when it is read or
sent, so no stored number can be skewed by two writers.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import SECOND, Instant
from app.store import bulk
from app.store.engine import is_sqlite
from app.store.tables import publications

if TYPE_CHECKING:
    from app.pipeline.house import House


@dataclass(frozen=True, slots=True)
class Observation:
    """What a channel told that it shows."""

    channel_id: int
    external_id: str
    sku_id: int | None
    place: str
    available: int
    observed_at: Instant


_MARK = """
UPDATE publications SET
  wanted_version = wanted_version + 1,
  wanted_at = CASE WHEN wanted_version = accepted_version THEN {now} ELSE wanted_at END,
  attempts = CASE WHEN failed_at IS NOT NULL AND error_class = 'RetryLater'
    THEN 0 ELSE attempts END,
  next_attempt_at = CASE WHEN failed_at IS NOT NULL AND error_class = 'RetryLater'
    THEN 0 ELSE next_attempt_at END,
  failed_at = CASE WHEN error_class = 'RetryLater' THEN NULL ELSE failed_at END,
  discarded_at = NULL
WHERE id {among} RETURNING channel_id
"""


def mark_wanted(
    connection: Connection, sku_ids: Collection[int], now: Instant
) -> set[int]:
    """Say that these SKUs' numbers may have changed; return the channels to wake.

    A row that failed with RetryLater is tried again; one the channel refused for good
    waits for a person or for a change of its listing.
    """
    if not sku_ids:
        return set()
    ending = "" if is_sqlite(connection) else " ORDER BY id FOR UPDATE"
    ids = bulk.select(
        connection,
        f"SELECT id FROM publications WHERE sku_id {{among}}{ending}",
        sorted(sku_ids),
        "bigint",
    )
    return mark_rows(connection, [row[0] for row in ids], now)


def mark_rows(connection: Connection, ids: Sequence[int], now: Instant) -> set[int]:
    """The same for single publications."""
    marked = bulk.select(
        connection, _MARK.replace("{now}", str(int(now))), ids, "bigint"
    )
    return {row[0] for row in marked}


def follow(
    connection: Connection,
    house: "House",
    effects: Iterable[tuple[int, int, int, Instant, int]],
) -> None:
    """Carry a channel's own effects over to the number we believe it shows.

    Effects are (channel, sku, location, occurred_at, change of available). One dated
    before the last reading is inside that reading.
    """
    told = list(effects)
    rows = connection.execute(
        sa.select(
            publications.c.id,
            publications.c.channel_id,
            publications.c.sku_id,
            publications.c.place,
            publications.c.believed,
            publications.c.believed_at,
            publications.c.effect_at,
        )
        .where(
            publications.c.sku_id.in_({effect[1] for effect in told}),
            publications.c.channel_id.in_({effect[0] for effect in told}),
        )
        .order_by(publications.c.id)
    ).all()
    by_row: dict[tuple[int, int], list[tuple[int, Instant, int]]] = defaultdict(list)
    for channel, sku, location, occurred_at, change in told:
        by_row[channel, sku].append((location, occurred_at, change))
    changed = []
    for row in rows:
        here = house.channels[row.channel_id].places.get(row.place, ())
        believed, newest = row.believed, row.effect_at
        for location, occurred_at, change in by_row[row.channel_id, row.sku_id]:
            if location not in here:
                continue
            newest = max(newest, occurred_at)
            if believed is not None and occurred_at > (row.believed_at or 0):
                believed += change
        changed.append((believed, newest, row.id))
    bulk.change(connection, publications, ("believed", "effect_at"), changed)


GRACE: Instant = 5 * SECOND
"""How long an unexplained number waits for the sale that may explain it."""


def observe(
    connection: Connection, house: "House", seen: Sequence[Observation], now: Instant
) -> set[int]:
    """Take observations in; return the channels where one cannot be explained.

    Such a row is wanted again after a grace: the webhook of the sale that changed the
    number is most likely on its way.
    """
    woken: set[int] = set()
    for one in seen:
        if one.sku_id is None:
            continue
        rows = connection.execute(
            sa.select(publications).where(
                publications.c.channel_id == one.channel_id,
                publications.c.sku_id == one.sku_id,
                publications.c.place == one.place,
            )
        ).mappings()
        can_read = house.channels[one.channel_id].reads
        for row in rows.all():
            if _take(connection, row, one, can_read):
                woken |= mark_rows(connection, [row["id"]], now)
                doubt(connection, row["id"], one.observed_at, now + GRACE)
    return woken


CLOSE: Instant = 2 * SECOND
"""Times nearer than this cannot be ordered: providers' clocks tick whole seconds."""


def _take(
    connection: Connection, row: sa.RowMapping, seen: Observation, can_read: bool
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
        values |= {"believed": number, "believed_at": at}
        if not foreign:
            values["doubt_at"] = None
        elif number != row["accepted"]:
            # Channels ordered by time stamps: ours must come after this to win.
            values["effect_at"] = max(row["effect_at"], at)
    elif not can_read or last - at > CLOSE:
        foreign = False
    if values:
        _set(connection, row["id"], **values)
    return foreign


def doubt(
    connection: Connection, publication_id: int, at: Instant, until: Instant
) -> None:
    """Say that a row shows an unexplained number; nothing is sent before `until`."""
    connection.execute(
        publications.update()
        .where(publications.c.id == publication_id)
        .values(
            doubt_at=at,
            next_attempt_at=sa.case(
                (
                    publications.c.next_attempt_at > until,
                    publications.c.next_attempt_at,
                ),
                else_=until,
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class Names:
    """How a publication's item is called, here and there."""

    sku: str
    external_id: str
    external_parent_id: str | None


def names(connection: Connection, ids: Collection[int]) -> dict[int, Names]:
    """Publication id → names."""
    found = bulk.select(
        connection,
        "SELECT p.id, s.sku, l.external_id, l.external_parent_id FROM publications p "
        "JOIN listings l ON l.id = p.listing_id JOIN skus s ON s.id = p.sku_id "
        "WHERE p.id {among}",
        sorted(ids),
        "bigint",
    )
    return {row[0]: Names(row[1], row[2], row[3]) for row in found}


def _set(connection: Connection, publication_id: int, **values: object) -> None:
    connection.execute(
        publications.update()
        .where(publications.c.id == publication_id)
        .values(**values)
    )


_FINE = {
    "unsure": False,
    "attempts": 0,
    "next_attempt_at": 0,
    "misses": 0,
    "doubt_at": None,
    "failed_at": None,
    "error_class": None,
    "last_error": None,
}


def accept(
    connection: Connection,
    publication_id: int,
    version: int,
    number: int,
    started_at: Instant,
) -> None:
    """The channel took the number that was wanted at this version."""
    _set(
        connection,
        publication_id,
        accepted=number,
        accepted_at=started_at,
        accepted_version=version,
        believed=number,
        believed_at=started_at,
        **_FINE,
    )


def settle(
    connection: Connection, publication_id: int, version: int, number: int
) -> None:
    """The channel already shows the number: nothing needs to be sent."""
    _set(
        connection,
        publication_id,
        accepted=number,
        accepted_version=version,
        **_FINE,
    )


def read(
    connection: Connection, publication_id: int, number: int, read_at: Instant
) -> None:
    """We read the channel's own number: now we know what it shows."""
    _set(
        connection,
        publication_id,
        observed=number,
        observed_at=read_at,
        believed=number,
        believed_at=read_at,
        unsure=False,
        doubt_at=None,
    )


def sure(connection: Connection, publication_id: int) -> None:
    """The attempt certainly had no effect."""
    _set(connection, publication_id, unsure=False)


def miss(
    connection: Connection, publication_id: int, misses: int, now: Instant
) -> None:
    """The channel shows another number than we believed: look before writing."""
    _set(
        connection,
        publication_id,
        misses=misses,
        believed=None,
        unsure=False,
        doubt_at=now,
    )


def fail(
    connection: Connection,
    publication_id: int,
    error_class: str,
    error: str,
    now: Instant,
) -> None:
    """It waits for a person or for a change of its listing."""
    _set(
        connection,
        publication_id,
        unsure=False,
        failed_at=now,
        error_class=error_class,
        last_error=error,
        attempts=publications.c.attempts + 1,
    )


def retry_later(
    connection: Connection,
    publication_id: int,
    *,
    attempts: int,
    next_attempt_at: Instant,
    unsure: bool,
    error: str,
    failed_at: Instant | None,
) -> None:
    """It is tried again at a time; or, past the limit, is a dead letter."""
    _set(
        connection,
        publication_id,
        attempts=attempts,
        next_attempt_at=next_attempt_at,
        unsure=unsure,
        error_class="RetryLater",
        last_error=error,
        failed_at=failed_at,
    )


def arm(connection: Connection, ids: Sequence[int]) -> set[str]:
    """Make rows due at once; return the keys of their channels."""
    marked = bulk.select(
        connection,
        "UPDATE publications SET attempts = 0, next_attempt_at = 0, failed_at = NULL, "
        "discarded_at = NULL, misses = 0, wanted_version = CASE WHEN "
        "wanted_version = accepted_version THEN wanted_version + 1 "
        "ELSE wanted_version END WHERE id {among} RETURNING channel_id",
        sorted(ids),
        "bigint",
    )
    found = bulk.select(
        connection,
        "SELECT key FROM channels WHERE id {among}",
        sorted({row[0] for row in marked}),
        "bigint",
    )
    return {row[0] for row in found}


def discard(connection: Connection, ids: Sequence[int], now: Instant) -> int:
    """Forget what is not delivered; the next change of stock is a new wish."""
    changed = connection.execute(
        publications.update()
        .where(
            publications.c.id.in_(list(ids)),
            publications.c.wanted_version > publications.c.accepted_version,
        )
        .values(discarded_at=now, failed_at=None, next_attempt_at=0, attempts=0)
    )
    return int(changed.rowcount)

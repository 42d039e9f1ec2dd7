"""Publications, read: what each channel should show, and how far that has got."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain import retry
from app.domain.instants import Instant
from app.store import keyset
from app.store.keyset import Page, Position
from app.store.publishing.marks import behind, is_behind
from app.store.stock import aliases, cases
from app.store.tables import (
    IS_DUE,
    IS_STOPPED,
    channel_locations,
    channels,
    listings,
    locations,
    publications,
    skus,
)

WAITING: Final = "waiting"
RETRYING: Final = "retrying"
HELD: Final = "held"
FAILED: Final = "failed"
SETTLED: Final = "settled"
DISCARDED: Final = "discarded"
STATES: Final = (WAITING, RETRYING, HELD, FAILED, SETTLED, DISCARDED)
UNDELIVERED: Final = "undelivered"
"""In a filter: any of the states in which a number is still to be delivered."""
URGENCY: Final = (FAILED, HELD, RETRYING, WAITING)
"""Those states, the most urgent first."""
ERRORS: Final = ("RetryLater", "GiveUp", *retry.CLASSES)
"""In a filter: what we do about an error, or more closely what kind of error it is."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which publications; None means any.

    The list on the page and at the API, its histogram, kept views and what is done to
    many at once all mean the same by it.
    """

    state: str | None = None
    """One of the states, or UNDELIVERED."""
    channel: str | None = None
    sku: str | None = None
    """A SKU, or an alias of one."""
    product: str | None = None
    """A part of the SKU or of the name."""
    error: str | None = None
    """One of ERRORS."""
    code: tuple[int, int] | None = None
    """The last failure was answered with an HTTP status from here to there."""
    attempts: int | None = None
    """At least so many that failed, one after the other."""
    order: str | None = None
    """The number or id of an order that changed the number to be shown."""
    since: Instant | None = None
    """The newest wish is not older; `until`: not newer."""
    until: Instant | None = None
    ids: tuple[int, ...] | None = None
    """Of these only."""


def state_at(now: Instant) -> sa.ColumnElement[str]:
    """The word for how far a publication has got; needs `channels` joined."""
    publication, channel = publications.c, channels.c
    is_held = sa.or_(
        channel.paused_at.is_not(None),
        channel.disconnected_at.is_not(None),
        channel.held_until > now,
        channel.tripped_at.is_not(None),
        channel.poll_from.is_not(None),
    )
    is_settled = sa.and_(
        publication.wanted_version == publication.accepted_version,
        publication.unsure.is_(sa.false()),
        sa.not_(is_behind()),
    )
    return sa.case(
        (publication.discarded_at.is_not(None), DISCARDED),
        (publication.failed_at.is_not(None), FAILED),
        (is_settled, SETTLED),
        (is_held, HELD),
        (publication.attempts > 0, RETRYING),
        else_=WAITING,
    )


def is_open() -> sa.ColumnElement[bool]:
    """Whether a publication is anything but settled; found by three indexes, so that
    those which are settled are not read, however many there are."""
    ids = publications.c.id
    return ids.in_(
        sa.union_all(
            sa.select(ids).where(IS_DUE),
            sa.select(ids).where(IS_STOPPED),
            behind(),
        )
    )


def is_in(state: str, now: Instant) -> list[sa.ColumnElement[bool]]:
    """The conditions of a state, in a form that an index answers."""
    if state == UNDELIVERED:
        return [is_open(), state_at(now).in_(URGENCY)]
    conditions = [state_at(now) == state]
    if state in (FAILED, DISCARDED):
        column = publications.c[f"{state}_at"]
        conditions += [IS_STOPPED, column.is_not(None)]
    elif state != SETTLED:
        conditions.append(is_open())
    return conditions


def page(
    connection: Connection,
    wanted: Filter,
    *,
    now: Instant,
    limit: int,
    after: Position | None = None,
) -> Page[RowMapping]:
    """Up to `limit` publications by id: every column, and `state`, `channel`, `sku`,
    `name`, `external_id`, `external_parent_id`, `provider`."""
    query = _filtered(
        sa.select(
            publications,
            state_at(now).label("state"),
            channels.c.key.label("channel"),
            channels.c.provider,
            skus.c.sku,
            skus.c.name,
            listings.c.external_id,
            listings.c.external_parent_id,
        ),
        wanted,
        now,
    )
    return keyset.read(connection, query, [publications.c.id], limit=limit, after=after)


def matching(wanted: Filter, now: Instant) -> sa.Select[Any]:
    """The ids of all publications of a filter, with their channels' ids."""
    return (
        sa.select(publications.c.id, publications.c.channel_id)
        .select_from(publications)
        .join(channels, channels.c.id == publications.c.channel_id)
        .where(*_conditions(wanted, now))
    )


def places(connection: Connection) -> dict[tuple[int, str], str]:
    """Channel id and the channel's own location id → our codes, joined by a comma."""
    found = connection.execute(
        sa.select(
            channel_locations.c.channel_id,
            channel_locations.c.external_id,
            locations.c.code,
        )
        .join(locations, locations.c.id == channel_locations.c.location_id)
        .order_by(channel_locations.c.position)
    )
    codes: dict[tuple[int, str], str] = {}
    for channel_id, external_id, code in found:
        known = codes.get((channel_id, external_id))
        codes[channel_id, external_id] = f"{known},{code}" if known else code
    return codes


def due_at() -> sa.ColumnElement[Instant]:
    """Since (or from) when a wanted publication can be sent; needs `channels` joined."""
    publication = publications.c
    own = _later(publication.next_attempt_at, publication.wanted_at)
    return _later(sa.func.coalesce(channels.c.free_since, 0), own)


def _later(
    one: sa.ColumnElement[Instant], other: sa.ColumnElement[Instant]
) -> sa.ColumnElement[Instant]:
    return sa.case((one > other, one), else_=other)


def oldest_due(connection: Connection, now: Instant) -> Instant | None:
    """Since when the longest waiting publication could have been sent, or None."""
    publication = publications.c
    return connection.execute(
        sa.select(sa.func.min(due_at()))
        .select_from(publications)
        .join(channels, channels.c.id == publication.channel_id)
        .where(
            IS_DUE,
            state_at(now).in_((WAITING, RETRYING)),
            due_at() <= now,
        )
    ).scalar()


def _filtered(query: sa.Select[Any], wanted: Filter, now: Instant) -> sa.Select[Any]:
    query = (
        query.select_from(publications)
        .join(channels, channels.c.id == publications.c.channel_id)
        .join(skus, skus.c.id == publications.c.sku_id)
        .join(listings, listings.c.id == publications.c.listing_id)
    )
    return query.where(*_conditions(wanted, now))


def _conditions(wanted: Filter, now: Instant) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.state is not None:
        found += is_in(wanted.state, now)
    is_troubled = wanted.error or wanted.code or wanted.attempts
    if is_troubled and wanted.state in (None, SETTLED):
        # What is settled has none: it need not be read to find out.
        found.append(is_open())
    row = publications.c
    tests: tuple[tuple[Any, Callable[[Any], sa.ColumnElement[bool]]], ...] = (
        (wanted.channel, lambda key: channels.c.key == key),
        (wanted.sku, lambda word: _is_of(aliases.names(word), wanted)),
        (wanted.product, lambda part: _is_of(_holds(part), wanted)),
        (wanted.error, _went_wrong),
        (wanted.code, lambda code: row.error_status.between(*code)),
        (wanted.attempts, lambda least: row.attempts >= least),
        (wanted.order, lambda order: row.sku_id.in_(cases.skus_of(order))),
        (wanted.since, lambda at: row.wanted_at >= at),
        (wanted.until, lambda at: row.wanted_at <= at),
        (wanted.ids, row.id.in_),
    )
    return found + [test(value) for value, test in tests if value is not None]


def _went_wrong(error: str) -> sa.ColumnElement[bool]:
    row = publications.c
    return (row.error_kind if error in retry.CLASSES else row.error_class) == error


def _is_of(named: sa.ColumnElement[bool], wanted: Filter) -> sa.ColumnElement[bool]:
    """Of a SKU with such a name: each name is looked at once, not for every channel; or
    only the names of the few rows that are not settled."""
    found, its_sku = sa.select(skus.c.id).where(named), publications.c.sku_id
    if wanted.state in (None, SETTLED):
        return its_sku.in_(found)
    return found.where(skus.c.id == its_sku).correlate(publications).exists()


def _holds(part: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        skus.c.sku.icontains(part, autoescape=True),
        skus.c.name.icontains(part, autoescape=True),
    )

"""Policies: what channels and listings are told to show, and ever were.

What is in force stands with the channel (`publish`) and the listing (`policy`). Every
change adds a version here, so that a number of the past can be explained.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import listings, policies


@dataclass(frozen=True, slots=True)
class Version:
    """One policy, as it was from a moment on."""

    version: int
    policy: Mapping[str, Any] | None
    """None: the channel only listens, or the listing follows its channel."""
    locations: Mapping[str, str]
    """Of a channel: our location code → the channel's own id, in order."""
    changed_at: Instant
    actor: str | None


def keep_channel(
    connection: Connection,
    channel_id: int,
    publish: Mapping[str, Any] | None,
    locations: Mapping[str, str],
    now: Instant,
    actor: str | None = None,
) -> None:
    """Add a version when a channel's policy or its locations differ from the newest."""
    given = _json(publish), json.dumps(dict(locations))
    newest = _newest(connection, channel_id, None)
    if newest is None or (newest.policy, newest.locations) != given:
        _add(connection, channel_id, None, newest, given, now, actor)


def keep_listing(
    connection: Connection,
    channel_id: int,
    listing_id: int,
    policy: Mapping[str, Any] | None,
    now: Instant,
    actor: str | None,
) -> None:
    """Give a listing this policy, and add a version when that is another one."""
    given = _json(policy)
    newest = _newest(connection, channel_id, listing_id)
    if given == (None if newest is None else newest.policy):
        return
    same = listings.c.id == listing_id
    connection.execute(listings.update().where(same).values(policy=given))
    _add(connection, channel_id, listing_id, newest, (given, None), now, actor)


def of_listings(
    connection: Connection, ids: Collection[int]
) -> dict[int, Mapping[str, Any]]:
    """Listing id → its own policy, of those that have one."""
    found = bulk.select(
        connection,
        "SELECT id, policy FROM listings WHERE policy IS NOT NULL AND id {among}",
        sorted(set(ids)),
        "bigint",
    )
    return {row[0]: json.loads(row[1]) for row in found}


def drifting(
    connection: Connection, channel: RowMapping, rows: Collection[RowMapping]
) -> dict[int, str]:
    """Publication id → what an edit there is answered with (`domain.drift`).

    Rows are the channel's publications; a listing's own word goes before its channel's.
    """
    own = of_listings(connection, {row["listing_id"] for row in rows})
    return {
        row["id"]: own.get(row["listing_id"], {}).get("drift", channel["drift"])
        for row in rows
    }


def published_since(connection: Connection, channel_id: int) -> Instant | None:
    """When a channel was first published to, or None."""
    its_own = (policies.c.channel_id == channel_id, policies.c.listing_id.is_(None))
    query = sa.select(sa.func.min(policies.c.changed_at)).where(
        *its_own, policies.c.policy.is_not(None)
    )
    found: Instant | None = connection.scalar(query)
    return found


def of_channels_at(connection: Connection, at: Instant) -> dict[int, Version]:
    """Channel id → the version in force at a moment, of channels known by then."""
    newest = (
        sa.select(sa.func.max(policies.c.id))
        .where(policies.c.changed_at <= at, policies.c.listing_id.is_(None))
        .group_by(policies.c.channel_id)
    )
    rows = connection.execute(sa.select(policies).where(policies.c.id.in_(newest)))
    return {row.channel_id: _version(row) for row in rows}


def of_listing_at(
    connection: Connection, channel_id: int, listing_id: int, at: Instant
) -> Version | None:
    """The version of a listing's own policy in force at a moment, or None."""
    found = _newest(connection, channel_id, listing_id, at)
    return None if found is None else _version(found)


def _newest(
    connection: Connection,
    channel_id: int,
    listing_id: int | None,
    at: Instant | None = None,
) -> Any:
    query = sa.select(policies).where(
        policies.c.channel_id == channel_id, policies.c.listing_id == listing_id
    )
    if at is not None:
        query = query.where(policies.c.changed_at <= at)
    return connection.execute(query.order_by(policies.c.id.desc()).limit(1)).first()


def _add(
    connection: Connection,
    channel_id: int,
    listing_id: int | None,
    newest: Any,
    given: tuple[str | None, str | None],
    now: Instant,
    actor: str | None,
) -> None:
    bulk.insert_one(
        connection,
        policies,
        channel_id=channel_id,
        listing_id=listing_id,
        version=1 if newest is None else newest.version + 1,
        policy=given[0],
        locations=given[1],
        changed_at=now,
        actor=actor,
    )


def _json(policy: Mapping[str, Any] | None) -> str | None:
    return None if policy is None else json.dumps(dict(policy))


def _version(row: Any) -> Version:
    return Version(
        row.version,
        None if row.policy is None else json.loads(row.policy),
        json.loads(row.locations or "{}"),
        row.changed_at,
        row.actor,
    )

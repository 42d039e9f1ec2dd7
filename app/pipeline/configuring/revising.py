"""Revising: another policy, and exactly the publications for which it makes another rule.

A new number is worked out when it is sent; here only the wish is made.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import Instant
from app.pipeline.configuring.following import follow, left_behind
from app.pipeline.configuring.listings import lanes, publish_listings, save_listing
from app.pipeline.configuring.parked import unpark
from app.pipeline.house import House, read_house
from app.pipeline.publishing.ruling import changed, check_own, ruling
from app.store.configuration import channels as channel_store, policies
from app.store.engine import applying
from app.store.publishing import publications as store, retries
from app.store.stock import aliases
from app.store.tables import channels, listings, publications, skus, stock_levels

Told = Mapping[str, Any]
"""A listing as told: `channel`, `sku`, `external_id`; what else is missing stays."""
MOVE, STAY = "move", "stay"
"""What is to become of the open lines of a listing that is mapped to another SKU."""


def is_mapped(connection: Connection, told: Told) -> bool:
    """Whether a listing is known just so: then only its policy can be meant."""
    known = _known(connection, told)
    parent = told.get("external_parent_id", known and known.external_parent_id)
    return (
        known is not None
        and known.gone_at is None
        and known.sku_id == aliases.sku_id(connection, told["sku"])
        and known.external_parent_id == parent
    )


def relist(
    engine: Engine, told: Told, *, now: Instant, actor: str | None = None
) -> tuple[dict[str, Any], set[str]]:
    """Map a listing and set its policy; return it and the lanes to wake.

    Raises UnknownName and BadConfiguration, naming the field.
    """
    with applying(engine) as connection:
        return relist_in(connection, told, now=now, actor=actor)


def relist_in(
    connection: Connection, told: Told, *, now: Instant, actor: str | None = None
) -> tuple[dict[str, Any], set[str]]:
    """The same inside a caller's `applying` transaction."""
    known = _known(connection, told)
    parent = told.get("external_parent_id", known and known.external_parent_id)
    listing = save_listing(
        connection, told["channel"], told["sku"], told["external_id"], parent
    )
    house = read_house(connection)
    revised = _revise(connection, house, listing, told, now, actor)
    woken = publish_listings(connection, house, now, [listing["id"]])
    if known is not None:
        woken |= _let_follow(connection, house, known.sku_id, listing, told, now, actor)
    woken |= wish_again(connection, revised, now)
    woken |= unpark(connection, house, now)
    return listing, lanes(house, woken)


def _let_follow(
    connection: Connection,
    house: House,
    former: int,
    listing: dict[str, Any],
    told: Told,
    now: Instant,
    actor: str | None,
) -> set[int]:
    """Let open lines of a listing follow it where that is told; note how many do not."""
    channel = house.known(told["channel"])
    items = {listing["external_id"], listing["external_parent_id"]} - {None}
    sku_id = aliases.sku_id(connection, told["sku"]) or 0
    if told.get("open_lines") == MOVE:
        return follow(connection, house, channel, items, sku_id, now=now, actor=actor)
    if former != sku_id:
        listing["open_lines"] = left_behind(connection, channel, items, sku_id)
    return set()


def republish_in(
    connection: Connection,
    key: str,
    publish: Mapping[str, Any],
    *,
    now: Instant,
    actor: str | None = None,
) -> set[str]:
    """Give a channel another policy inside a caller's `applying` transaction.

    Returns the lanes to wake. Raises UnknownName, and BadConfiguration for a channel
    that only listens or a `from` that it does not map.
    """
    before = read_house(connection)
    channel = before.known(key)
    if channel.publish is None:
        raise BadConfiguration(f"{key} only listens; load a file to publish to it")
    check_own(before, channel, publish)
    mapped = {before.names[ours]: external for ours, external in channel.links}
    channel_store.republish(connection, channel.id, publish, mapped, now, actor)
    after = read_house(connection)
    again = ruled_anew(connection, before, after)
    woken = publish_listings(connection, after, now)
    woken |= wish_again(connection, again, now)
    return lanes(after, woken)


def keep_at_most(
    engine: Engine,
    listing_id: int,
    cap: int | None,
    *,
    now: Instant,
    actor: str | None = None,
) -> tuple[dict[str, Any], set[str]]:
    """Never show more than `cap` of one listing; None: as its channel again.

    The rest of its policy stays. Raises UnknownName when there is no such listing.
    """
    with engine.connect() as connection:
        row = connection.execute(
            sa.select(
                channels.c.key, skus.c.sku, listings.c.external_id, listings.c.policy
            )
            .join(channels, channels.c.id == listings.c.channel_id)
            .join(skus, skus.c.id == listings.c.sku_id)
            .where(listings.c.id == listing_id)
        ).first()
    if row is None:
        raise UnknownName(f"there is no listing {listing_id}", "id")
    own = {k: v for k, v in json.loads(row.policy or "{}").items() if k != "cap"}
    told = {
        "channel": row.key,
        "sku": row.sku,
        "external_id": row.external_id,
        "policy": own if cap is None else {**own, "cap": cap},
    }
    return relist(engine, told, now=now, actor=actor)


def _known(connection: Connection, told: Told) -> Any:
    return connection.execute(
        sa.select(listings.c.external_parent_id, listings.c.gone_at, listings.c.sku_id)
        .join(channels, channels.c.id == listings.c.channel_id)
        .where(
            channels.c.key == told["channel"],
            listings.c.external_id == told["external_id"],
        )
    ).first()


def _revise(
    connection: Connection,
    house: House,
    listing: dict[str, Any],
    told: Told,
    now: Instant,
    actor: str | None,
) -> list[int]:
    """Set a listing's policy if one is told; return the publications it changes."""
    listing_id = listing["id"]
    own = policies.of_listings(connection, [listing_id]).get(listing_id)
    listing["policy"] = own
    if "policy" not in told:
        return []
    channel = house.channels[house.by_key[told["channel"]]]
    given = told["policy"] or None
    check_own(house, channel, given)
    policies.keep_listing(connection, channel.id, listing_id, given, now, actor)
    listing["policy"] = given
    found = connection.execute(
        sa.select(
            publications.c.id, publications.c.listing_id, publications.c.place
        ).where(publications.c.listing_id == listing_id)
    )
    before = {listing_id: ruling(house, channel, own)}
    return changed(found, before, {listing_id: ruling(house, channel, given)})


def ruled_anew(connection: Connection, before: House, after: House) -> list[int]:
    """Ids of the publications for which channels' policies now say something else."""
    revised = [
        id_
        for id_, channel in after.channels.items()
        if id_ in before.channels and before.channels[id_].publish != channel.publish
    ]
    rows = connection.execute(
        sa.select(
            publications.c.id,
            publications.c.channel_id,
            publications.c.listing_id,
            publications.c.place,
            listings.c.policy,
        )
        .join(listings, listings.c.id == publications.c.listing_id)
        .where(publications.c.channel_id.in_(revised))
    ).all()
    own = {row.listing_id: row.policy and json.loads(row.policy) for row in rows}
    homes = {row.listing_id: row.channel_id for row in rows}
    then, now = (
        {id_: ruling(house, house.channels[homes[id_]], own[id_]) for id_ in own}
        for house in (before, after)
    )
    found = changed(rows, then, now)
    return [*found, *_released(connection, before, after, revised)]


def _released(
    connection: Connection, before: House, after: House, revised: Iterable[int]
) -> Sequence[int]:
    """Publications of SKUs with promises that may now be served from elsewhere.

    What a channel without locations of its own promises comes from where it sells:
    that leaves more or less for the other channels.
    """
    moved = [
        id_
        for id_ in revised
        if not after.channels[id_].mapped
        and before.channels[id_].draws_from != after.channels[id_].draws_from
    ]
    spots = [spot for spot, id_ in after.unassigned.items() if id_ in moved]
    promised = sa.select(stock_levels.c.sku_id).where(
        stock_levels.c.location_id.in_(spots), stock_levels.c.available < 0
    )
    found = sa.select(publications.c.id).where(publications.c.sku_id.in_(promised))
    return connection.execute(found).scalars().all() if spots else ()


def wish_again(connection: Connection, ids: Collection[int], now: Instant) -> set[int]:
    """Want these numbers anew, what the channel refused too; return the channels."""
    chosen = sorted(set(ids))
    if not chosen:
        return set()
    store.lock(connection, chosen)
    retries.arm(connection, chosen)
    return store.mark_rows(connection, chosen, now)

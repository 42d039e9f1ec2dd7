"""Listings: which item of a channel is which SKU of ours, and what follows from it."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.errors import BadConfiguration, UnknownName
from app.domain.events import ListingSeen
from app.domain.instants import Instant, now as clock
from app.pipeline.configuring.parked import unpark
from app.pipeline.configuring.toml import id_problem
from app.pipeline.configuring.unstocked import take_in_all
from app.pipeline.house import House, read_house
from app.pipeline.publishing import asking
from app.pipeline.publishing.ruling import ruling
from app.store import bulk
from app.store.configuration import channels as channel_store
from app.store.engine import applying
from app.store.stock import aliases
from app.store.tables import listings, publications, skus


def add_sku(
    connection: Connection, sku: str, name: str = "", barcode: str | None = None
) -> int:
    """Insert a SKU, or change the name and barcode of a known one; return its id.

    A text that is an alias names the SKU it is an alias of: an old export stays right.
    """
    known = aliases.sku_id(connection, sku)
    if known is None:
        return bulk.insert_one(connection, skus, sku=sku, name=name, barcode=barcode)
    values = {key: v for key, v in (("name", name), ("barcode", barcode)) if v}
    if values:
        connection.execute(skus.update().where(skus.c.id == known).values(**values))
    return int(known)


def map_listing(
    engine: Engine,
    channel_key: str,
    sku: str,
    external_id: str,
    external_parent_id: str | None = None,
    *,
    now: Instant,
) -> tuple[dict[str, Any], set[str]]:
    """Say which SKU a channel's item is; return the listing and the lanes to wake.

    Raises UnknownName for an unknown channel or SKU.
    """
    with applying(engine) as connection:
        listing = save_listing(
            connection, channel_key, sku, external_id, external_parent_id
        )
        house = read_house(connection)
        woken = publish_listings(connection, house, now, [listing["id"]])
        woken |= unpark(connection, house, now)
    return listing, lanes(house, woken)


def lanes(house: House, channel_ids: Iterable[int]) -> set[str]:
    """The outbound lanes of these channels."""
    return {f"outbound:{house.channels[one].key}" for one in channel_ids}


def save_listing(
    connection: Connection,
    channel_key: str,
    sku: str,
    external_id: str,
    external_parent_id: str | None,
) -> dict[str, Any]:
    """Insert or change one listing. Raises UnknownName and BadConfiguration."""
    channel = channel_store.row(connection, channel_key)
    channel_id = channel["id"]
    sku_id = aliases.sku_id(connection, sku)
    if sku_id is None:
        raise UnknownName(f"there is no SKU {sku!r}; import it first", "sku")
    _check_ids(external_id, external_parent_id)
    if left_out := {external_id, external_parent_id} & channel_store.not_stock(channel):
        take_in_all(connection, channel_key, left_out, clock())
    known = _known_listing(connection, channel_id, external_id)
    parent = {"external_parent_id": external_parent_id}
    values = {"sku_id": sku_id, **parent, "gone_at": None}
    if known is None:
        ids = {"channel_id": channel_id, "external_id": external_id}
        known = bulk.insert_one(connection, listings, **ids, **values)
    else:
        same = listings.c.id == known
        connection.execute(listings.update().where(same).values(**values))
        # What was published under another SKU is not this listing's number.
        others = sa.select(publications.c.id).where(
            publications.c.listing_id == known, publications.c.sku_id != sku_id
        )
        _drop(connection, connection.scalars(others).all(), clock())
    return {
        "id": known,
        "channel": channel_key,
        "sku": sku,
        "external_id": external_id,
        "external_parent_id": external_parent_id,
    }


def _check_ids(external_id: str, external_parent_id: str | None) -> None:
    if not external_id:
        raise BadConfiguration("external_id is empty", "external_id")
    ids = {"external_id": external_id, "external_parent_id": external_parent_id}
    for field, given in ids.items():
        if problem := id_problem(given or ""):
            raise BadConfiguration(problem, field)


def _known_listing(
    connection: Connection, channel_id: int, external_id: str
) -> int | None:
    return connection.execute(
        sa.select(listings.c.id).where(
            listings.c.channel_id == channel_id,
            listings.c.external_id == external_id,
        )
    ).scalar()


def publish_listings(
    connection: Connection,
    house: House,
    now: Instant,
    ids: Sequence[int] | None = None,
) -> set[int]:
    """Make the publications that channels' settings call for; drop the others.

    `ids` limits it to some listings. Returns the channels with new wishes.
    """
    query = sa.select(
        listings.c.id, listings.c.channel_id, listings.c.sku_id, listings.c.policy
    ).where(listings.c.gone_at.is_(None))
    kept = sa.select(publications.c.id, publications.c.listing_id, publications.c.place)
    if ids is not None:
        query = query.where(listings.c.id.in_(ids))
        kept = kept.where(publications.c.listing_id.in_(ids))
    wanted = {
        (row.id, place): row
        for row in connection.execute(query)
        for place in _places(house, row.channel_id, row.policy)
    }
    there = {(row.listing_id, row.place): row.id for row in connection.execute(kept)}
    new = [(key, wanted[key]) for key in sorted(wanted.keys() - there.keys())]
    # Versions begin at the time: who was sent some before it was dropped knows lower ones.
    since = {"wanted_at": now, "wanted_version": now, "accepted_version": now - 1}
    bulk.insert(
        connection,
        publications,
        ("channel_id", "listing_id", "sku_id", "place", *since),
        [
            (row.channel_id, listing_id, row.sku_id, place, *since.values())
            for (listing_id, place), row in new
        ],
        or_ignore=True,
    )
    gone = sorted(there[key] for key in there.keys() - wanted.keys())
    _drop(connection, gone, now)
    return {row.channel_id for _, row in new}


def _drop(connection: Connection, ids: Sequence[int], now: Instant) -> None:
    """Publish these no more; nobody is asked about their numbers then."""
    asking.end(connection, ids, now, "it is published there no more")
    dropped = "DELETE FROM publications WHERE id {among} RETURNING id"
    bulk.select(connection, dropped, ids, "bigint")


def _places(house: House, channel_id: int, own: str | None) -> Iterable[str]:
    """The channel's own places where a listing is published."""
    channel = house.channels.get(channel_id)
    if channel is None or channel.publish is None:
        return ()
    if own is None:
        return channel.places
    return ruling(house, channel, json.loads(own)).places


def keep_up(
    connection: Connection,
    channel_id: int,
    seen: ListingSeen,
    now: Instant,
    *,
    is_old: bool = False,
) -> bool:
    """Follow what a channel says of an item that we know; return whether its orders may
    have named it by an id that was unknown until now. What `is_old` only tells what
    nobody has told since."""
    values: dict[str, Any] = {}
    if not is_old:
        values["gone_at"] = now if seen.gone else None
    if seen.external_parent_id is not None:
        values["external_parent_id"] = seen.external_parent_id
    if seen.name is not None:
        values["name"] = seen.name
    known = connection.execute(
        sa.select(listings).where(
            listings.c.channel_id == channel_id,
            listings.c.external_id == seen.external_id,
        )
    ).one_or_none()
    if known is None:
        return False
    news = {
        name: value
        for name, value in values.items()
        if getattr(known, name) != value and not (is_old and getattr(known, name))
    }
    if news:
        same = listings.c.id == known.id
        connection.execute(listings.update().where(same).values(**news))
    return "external_parent_id" in news

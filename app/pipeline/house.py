"""The configuration as the applier needs it, read once and again when it changes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

import adapters
from adapters.base import Adapter
from app.domain.errors import UnknownChannel
from app.domain.instants import Instant
from app.domain.kits import NO_PARTS, Parts, Recipes, ordered_at
from app.domain.pools import places as places_of, pools
from app.domain.targets import Rules, Targets
from app.store.configuration import channels as store, policies
from app.store.publishing.waits import Behind, behind
from app.store.stock import recipes
from app.store.tables import channel_locations, channels, locations

API = "api"
"""The source name of facts that people and tokens write."""


@dataclass(frozen=True, slots=True)
class Place:
    """A channel seen from stock: where it is, what it may draw from, who is right."""

    id: int
    key: str
    provider: str
    rules: Rules
    by_external: Mapping[str, int]
    """The channel's own location id → ours (the first, if it maps several of ours)."""
    mapped: tuple[int, ...]
    promise_place: int | None
    """Where a promise without a place sits."""
    publish: Mapping[str, Any] | None
    draws_from: tuple[int, ...]
    """Our locations this channel may sell from."""
    places: Mapping[str, tuple[int, ...]]
    """For publishing: the channel's own place ('' for none) → our locations."""
    links: tuple[tuple[int, str], ...]
    """Its locations, in order: ours, and the channel's own id."""
    reads: bool
    """Its own numbers can be asked for."""
    compares: bool
    """It takes a number only in place of the one that it is believed to show."""
    rereads: bool
    """Its clock ticks whole seconds: orders are read again when webhooks tie."""
    keeps_unpaid: bool
    """Its number falls when an order is paid; else, when it is placed."""
    not_stock: frozenset[str]
    """What it calls the items that nobody keeps: their lines move nothing."""
    until_paid: int | None
    """Seconds for which its orders are held until they are paid; None: it never waited
    for payments, 0: it does no more."""

    def shown_at(self, place: str) -> tuple[int, ...]:
        """Our locations whose sales by this channel change what it shows at a place."""
        linked = (ours for ours, external in self.links if external == place)
        return self.places.get(place) or tuple(linked)


@dataclass(frozen=True, slots=True)
class House:
    """Every channel, location and recipe."""

    channels: Mapping[int, Place]
    by_key: Mapping[str, int]
    codes: Mapping[str, int]
    names: Mapping[int, str]
    """Location id → its code."""
    physical: tuple[int, ...]
    unassigned: Mapping[int, int]
    """Virtual location id → the channel whose promises sit there."""
    pools: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """The first of several locations that are one of a channel's → all of them."""
    publishing: frozenset[int] = frozenset()
    """Ids of the channels that are told of every change."""
    recipes: Recipes = field(default_factory=Recipes)
    behind: Behind = field(default_factory=Behind)
    mark: store.Mark = field(default=(0, 0, 0, 0))

    @property
    def waits_for_payment(self) -> bool:
        """Whether any channel waits for payments, or once did."""
        return any(one.until_paid is not None for one in self.channels.values())

    def named(self, key: str) -> Place | None:
        """The channel with this key."""
        found = self.by_key.get(key)
        return None if found is None else self.channels[found]

    def known(self, key: str) -> Place:
        """The same; raise UnknownChannel when there is none."""
        channel = self.named(key)
        if channel is None:
            raise UnknownChannel(key, self.by_key)
        return channel

    def rules_of(self, channel_id: int | None) -> Rules:
        """The rules by which the channel's cases are judged."""
        owner = self.channels.get(channel_id or 0)
        return owner.rules if owner is not None else Rules()

    def is_kit(self, sku_id: int, at: Instant) -> bool:
        """Whether a SKU was a kit at a time."""
        return sku_id in self.recipes and bool(self.recipes.components(sku_id, at))

    def parts_of(self, sku_id: int, targets: Targets) -> Parts:
        """What a case moves when its SKU was a kit at the time it was ordered."""
        if sku_id not in self.recipes:
            return NO_PARTS
        return self.recipes.parts(sku_id, ordered_at(targets))

    def source_of(self, channel_id: int | None) -> str:
        """How a case names who reported something."""
        return API if channel_id is None else str(channel_id)


class HouseKeeper:
    """Keeps a House and reads it again when configuration changed."""

    def __init__(self) -> None:
        self._house: House | None = None

    def house(self, connection: Connection, mark: store.Mark | None = None) -> House:
        """The configuration now; its mark need not be read by who has just done so."""
        mark = mark or store.changed_at(connection)
        if self._house is None or self._house.mark != mark:
            self._house = read_house(connection, mark)
        return self._house


def read_house(
    connection: Connection,
    mark: store.Mark = (0, 0, 0, 0),
    at: Instant | None = None,
) -> House:
    """Read everything; `at` asks for what was published then."""
    places = connection.execute(sa.select(locations).order_by(locations.c.id)).all()
    codes = {row.code: row.id for row in places if row.unassigned_of is None}
    unassigned = {row.unassigned_of: row.id for row in places if row.unassigned_of}
    listed, mapped = _listed(connection), _mapped(connection)
    by_key = {row["key"]: row["id"] for row in listed}
    custodians, physical = _custodians(places, by_key), tuple(codes.values())
    if at is not None:
        _put_back(connection, at, listed, mapped, codes)
    found = {
        row["id"]: _place(
            row,
            mapped.get(row["id"], []),
            codes,
            physical,
            unassigned.get(row["id"]),
            by_key,
            custodians,
            _shippers(listed),
        )
        for row in listed
    }
    return House(
        channels=found,
        by_key=by_key,
        codes=codes,
        names={row.id: row.code for row in places},
        physical=physical,
        unassigned={place: channel for channel, place in unassigned.items()},
        pools=pools(mapped.values()),
        publishing=frozenset(c.id for c in found.values() if c.publish is not None),
        recipes=recipes.all_of_them(connection),
        behind=behind(connection),
        mark=mark,
    )


def _custodians(places: Sequence[Any], by_key: Mapping[str, int]) -> dict[int, str]:
    """Location id → the only source whose returns count there."""
    return {
        row.id: str(by_key[row.custodian]) for row in places if row.custodian in by_key
    }


def _shippers(listed: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(row["id"]) for row in listed if row["provider"] == "shipstation")


def _listed(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(channels).order_by(channels.c.id)).mappings()
    return [dict(row) for row in rows]


def _put_back(
    connection: Connection,
    at: Instant,
    listed: list[dict[str, Any]],
    mapped: dict[int, list[tuple[int, str]]],
    codes: Mapping[str, int],
) -> None:
    """Give the channels the policies and locations that they had then.

    A channel that was not known yet published nothing.
    """
    versions = policies.of_channels_at(connection, at)
    for channel_id, version in versions.items():
        found = version.locations.items()
        mapped[channel_id] = [
            (codes[code], external) for code, external in found if code in codes
        ]
    for row in listed:
        then = versions.get(row["id"])
        published = None if then is None else then.policy
        row["publish"] = None if published is None else json.dumps(published)


def _mapped(connection: Connection) -> dict[int, list[tuple[int, str]]]:
    """Channel id → its locations: ours, and the channel's own id."""
    found: dict[int, list[tuple[int, str]]] = {}
    for link in connection.execute(
        sa.select(channel_locations).order_by(channel_locations.c.position)
    ):
        found.setdefault(link.channel_id, []).append(
            (link.location_id, link.external_id)
        )
    return found


def _place(
    row: Any,
    mapped: list[tuple[int, str]],
    codes: Mapping[str, int],
    physical: tuple[int, ...],
    unassigned: int | None,
    by_key: Mapping[str, int],
    custodians: Mapping[int, str],
    shippers: tuple[str, ...],
) -> Place:
    ids = tuple(location for location, _ in mapped)
    sells_at = ids or physical
    own = sells_at[0] if len(sells_at) == 1 else unassigned
    publish = json.loads(row["publish"]) if row["publish"] else None
    draws = tuple(codes[one] for one in (publish or {}).get("from") or ()) or sells_at
    first = codes.get(row["ships_from"] or "") or (ids or physical or (None,))[0]
    preferred = _preferred(row, by_key, shippers)
    kind = _kind(row["provider"])
    return Place(
        id=row["id"],
        key=row["key"],
        provider=row["provider"],
        rules=Rules(unassigned, first, preferred, custodians),
        by_external={external: location for location, external in reversed(mapped)},
        mapped=ids,
        promise_place=own,
        publish=publish,
        draws_from=draws,
        places=places_of(mapped, draws) if mapped else {"": draws},
        links=tuple(mapped),
        reads=kind.reads,
        compares=kind.compares,
        rereads=kind.rereads,
        keeps_unpaid=kind.keeps_unpaid,
        not_stock=frozenset(json.loads(row["not_stock"])),
        until_paid=json.loads(row["orders"]).get("until_paid"),
    )


def _kind(provider: str) -> type[Adapter]:
    """One whose module is not here can do nothing, and is in nobody else's way."""
    return adapters.get(provider) if provider in adapters.names() else Adapter


def _preferred(
    row: Any, by_key: Mapping[str, int], shippers: tuple[str, ...]
) -> tuple[str, ...]:
    """The authority named, the shipping providers, the channel that took the order."""
    named = json.loads(row["authority"]).get("shipped")
    first = (str(by_key[named]),) if named in by_key else ()
    return (*first, *shippers, str(row["id"]))


_keepers: "WeakKeyDictionary[Engine, HouseKeeper]" = WeakKeyDictionary()


def current(connection: Connection, mark: store.Mark | None = None) -> House:
    """The same, kept per engine."""
    keeper = _keepers.setdefault(connection.engine, HouseKeeper())
    return keeper.house(connection, mark)

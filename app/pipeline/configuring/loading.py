"""Loading: a checked configuration is written, and running processes follow it.

All of it or nothing. Channels and locations that a file does not name stay as they are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.instants import Instant
from app.pipeline.configuring.configuration import read
from app.pipeline.configuring.listings import lanes, publish_listings
from app.pipeline.configuring.parked import unpark
from app.pipeline.configuring.revising import ruled_anew, wish_again
from app.pipeline.configuring.wanted import Configuration, Known, Surroundings
from app.pipeline.house import House, read_house
from app.store.configuration import channels, layout
from app.store.engine import applying
from app.store.tables import locations, publications
from app.store.vault import Vault

State = Mapping[str, Mapping[str, Any]]
_FOLLOWED = ("provider", "base_url", "settings", "secrets")
"""What, when it changes, lets all of a channel's deliveries be tried anew."""
_LOADED = (
    *_FOLLOWED,
    *("publish", "locations", "authority", "ships_from", "ignore", "orders"),
    "drift",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was written."""

    locations: Sequence[str]
    added: Sequence[str]
    changed: Mapping[str, Mapping[str, Any]]
    """A known channel's key → what of it is another now, and how; of secrets the names
    alone."""
    unchanged: Sequence[str]
    paused: Mapping[str, str] = field(default_factory=dict)
    """Named channels that stay paused, and why they are."""
    lanes: frozenset[str] = frozenset()


def load(
    engine: Engine, vault: Vault, text: bytes, around: Surroundings, now: Instant
) -> Loaded:
    """Read a file and write what it asks for.

    Raises BadConfiguration with everything that is wrong; then nothing is written.
    """
    with applying(engine) as connection:
        return load_in(connection, vault, text, around, now)


def load_in(
    connection: Connection,
    vault: Vault,
    text: bytes,
    around: Surroundings,
    now: Instant,
) -> Loaded:
    """The same inside a caller's `applying` transaction."""
    wanted = read(text, around, known(connection))
    before, house = _state(connection, vault), read_house(connection)
    _write(connection, vault, wanted, around, now)
    after = _state(connection, vault)
    return _follow(connection, wanted, (before, house), after, now)


def known(connection: Connection) -> Known:
    """What a file may refer to besides itself."""
    codes = connection.execute(
        sa.select(locations.c.code).where(locations.c.unassigned_of.is_(None))
    )
    providers = {row["key"]: row["provider"] for row in channels.rows(connection)}
    return Known([row.code for row in codes], providers)


def _state(connection: Connection, vault: Vault) -> dict[str, dict[str, Any]]:
    """Every channel as it is configured now, secrets opened so as to compare them."""
    rows = channels.rows(connection)
    return {row["key"]: _opened(connection, vault, row) for row in rows}


def _opened(connection: Connection, vault: Vault, row: RowMapping) -> dict[str, Any]:
    channel = channels.by_id(connection, vault, row["id"])
    return {
        **row,
        "secrets": channel.secrets,
        "locations": list(channel.locations.items()),
    }


def _write(
    connection: Connection,
    vault: Vault,
    wanted: Configuration,
    around: Surroundings,
    now: Instant,
) -> None:
    for place in wanted.locations:
        layout.save_location(connection, place.code, place.name, place.custodian)
    for one in wanted.channels:
        layout.save(
            connection,
            vault,
            one.key,
            one.provider,
            base_url=one.base_url,
            settings=one.settings,
            secrets=one.secrets,
            mapped=one.locations,
            publish=one.publish,
            authority=one.authority,
            ships_from=one.ships_from,
            ignore=one.ignore,
            orders=one.orders,
            drift=one.drift,
            private=around.private_addresses,
            now=now,
        )
    channels.touch(connection, now)


def _follow(
    connection: Connection,
    wanted: Configuration,
    was: tuple[State, House],
    after: State,
    now: Instant,
) -> Loaded:
    """Let publications and what waited for a name follow the new configuration."""
    before, former = was
    named = [one.key for one in wanted.channels]
    differing = {
        key: _changes(before[key], after[key]) for key in named if key in before
    }
    changed = {key: told for key, told in differing.items() if told}
    house = read_house(connection)
    again = {
        *_of_channels(connection, _affected(before, after)),
        *ruled_anew(connection, former, house),
    }
    woken = publish_listings(connection, house, now)
    woken |= wish_again(connection, again, now)
    woken |= unpark(connection, house, now)
    return Loaded(
        locations=[one.code for one in wanted.locations],
        added=[key for key in named if key not in before],
        changed=changed,
        unchanged=[key for key in named if key in before and key not in changed],
        paused={
            key: after[key]["paused_reason"] or after[key]["last_error"] or "by hand"
            for key in named
            if after[key]["paused_at"] or after[key]["disconnected_at"]
        },
        lanes=frozenset(lanes(house, woken)),
    )


def _changes(was: Mapping[str, Any], is_: Mapping[str, Any]) -> dict[str, Any]:
    """What is another now, as it may be shown."""
    return {name: _shown(name, is_[name]) for name in _LOADED if was[name] != is_[name]}


def _shown(name: str, value: Any) -> Any:
    if name == "secrets":
        return sorted(value)
    is_written = isinstance(value, str) and value.startswith(("{", "["))
    return json.loads(value) if is_written else value


def _affected(before: State, after: State) -> list[int]:
    """Ids of channels that may have to show other numbers, whatever their policies.

    Where one channel's promises can be served from decides what is left for the
    others: another mapping may change every channel's numbers.
    """
    rows = [(before.get(key), row) for key, row in after.items()]
    if any(was and was["locations"] != row["locations"] for was, row in rows):
        return [row["id"] for row in after.values()]
    return [
        row["id"]
        for was, row in rows
        if was and any(was[name] != row[name] for name in _FOLLOWED)
    ]


def _of_channels(connection: Connection, ids: Sequence[int]) -> Sequence[int]:
    """Ids of every publication of these channels."""
    found = sa.select(publications.c.id).where(publications.c.channel_id.in_(ids))
    return connection.execute(found).scalars().all()

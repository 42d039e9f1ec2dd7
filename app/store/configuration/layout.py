"""The layout of a business: locations and channels, written as they are described."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.errors import UnknownName
from app.domain.instants import Instant
from app.store import bulk
from app.store.configuration import policies
from app.store.configuration.channels import touch
from app.store.publishing.marks import last_entry
from app.store.tables import channel_locations, channels, locations
from app.store.vault import Vault


def save_location(
    connection: Connection, code: str, name: str, custodian: str | None
) -> int:
    """Insert or change a location; return its id."""
    known = connection.execute(
        sa.select(locations.c.id).where(locations.c.code == code)
    ).scalar()
    values = {"name": name, "custodian": custodian}
    if known is not None:
        connection.execute(
            locations.update().where(locations.c.id == known).values(**values)
        )
        return int(known)
    return bulk.insert_one(connection, locations, code=code, **values)


def save(
    connection: Connection,
    vault: Vault,
    key: str,
    provider: str,
    *,
    base_url: str | None,
    settings: Mapping[str, Any],
    secrets: Mapping[str, Sequence[str]],
    mapped: Mapping[str, str],
    publish: Mapping[str, Any] | None,
    authority: Mapping[str, str],
    ships_from: str | None,
    drift: str = "override",
    private: bool = True,
    now: Instant,
    ignore: Mapping[str, Sequence[str]] | None = None,
    orders: Mapping[str, int] | None = None,
) -> int:
    """Insert or replace a channel's configuration; return its id. `mapped`: our
    code → the channel's id, in order; `private`: it may be inside the own network."""
    values = {
        **dict.fromkeys(("poll_due_at", "webhooks_due_at"), 0),
        "provider": provider,
        "base_url": base_url,
        "settings": json.dumps(dict(settings)),
        "secrets": vault.seal_json({name: list(v) for name, v in secrets.items()}),
        "publish": None if publish is None else json.dumps(dict(publish)),
        "authority": json.dumps(dict(authority)),
        "ignore": json.dumps(dict(ignore or {})),
        "orders": json.dumps(dict(orders or {})),
        "ships_from": ships_from,
        "drift": drift,
        "private_addresses": private,
    }
    channel_id = _insert_or_change(connection, key, values, now)
    _map_locations(connection, channel_id, key, mapped)
    policies.keep_channel(connection, channel_id, publish, mapped, now)
    touch(connection, now)
    return channel_id


def _insert_or_change(
    connection: Connection, key: str, values: Mapping[str, Any], now: Instant
) -> int:
    known = connection.execute(sa.select(channels).where(channels.c.key == key)).first()
    if values["ignore"] != ("{}" if known is None else known.ignore):
        values = {**values, "ignoring_since": now}
    if known is not None and known.orders != "{}" and values["orders"] == "{}":
        # Orders may still wait for a payment: that it came must go on being told.
        values = {**values, "orders": json.dumps({"until_paid": 0})}
    if known is None or known.publish is None:
        # All that it publishes is wanted anyway: what was before need not be marked.
        values = {**values, "marked_to": last_entry(connection)}
    if known is None:
        return bulk.insert_one(connection, channels, key=key, **values)
    same = channels.c.id == known.id
    connection.execute(channels.update().where(same).values(**values))
    return int(known.id)


def _map_locations(
    connection: Connection, channel_id: int, key: str, mapped: Mapping[str, str]
) -> None:
    connection.execute(
        channel_locations.delete().where(channel_locations.c.channel_id == channel_id)
    )
    for position, (code, external) in enumerate(mapped.items()):
        location_id = connection.execute(
            sa.select(locations.c.id).where(locations.c.code == code)
        ).scalar()
        if location_id is None:
            raise UnknownName(f"there is no location {code!r}", f"locations.{code}")
        connection.execute(
            channel_locations.insert().values(
                channel_id=channel_id,
                location_id=location_id,
                external_id=external,
                position=position,
            )
        )
    if len(mapped) != 1:
        _ensure_unassigned(connection, channel_id, key)


def _ensure_unassigned(connection: Connection, channel_id: int, key: str) -> None:
    known = connection.execute(
        sa.select(locations.c.id).where(locations.c.unassigned_of == channel_id)
    ).scalar()
    if known is None:
        connection.execute(
            locations.insert().values(
                code=f"unassigned:{key}",
                name=f"Not assigned yet ({key})",
                unassigned_of=channel_id,
            )
        )

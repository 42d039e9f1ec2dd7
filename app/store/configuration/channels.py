"""Channels: found, paused, resumed, and changed in a single thing."""

import json
from collections.abc import Mapping, Sequence, Set as AbstractSet
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.channels import Channel
from app.domain.errors import UnknownChannel
from app.domain.ignoring import Ignore
from app.domain.instants import Instant
from app.store import driver, keyset
from app.store.configuration import policies
from app.store.keyset import Page, Position
from app.store.publishing import retries
from app.store.publishing.marks import last_entry
from app.store.tables import channel_locations, channels, locations
from app.store.vault import Vault

Mark = tuple[int, int, int, int]

_BY_KEY = sa.select(channels).where(channels.c.key == sa.bindparam("named"))


def rows(connection: Connection) -> Sequence[RowMapping]:
    """Every channel, by key."""
    return (
        connection.execute(sa.select(channels).order_by(channels.c.key))
        .mappings()
        .all()
    )


def page(
    connection: Connection, *, limit: int, after: Position | None = None
) -> Page[RowMapping]:
    """Up to `limit` channels, by key."""
    query = sa.select(channels)
    return keyset.read(connection, query, [channels.c.key], limit=limit, after=after)


def row(connection: Connection, key: str) -> RowMapping:
    """One channel; raise UnknownName."""
    return _named(connection, key, _BY_KEY)


def locked(connection: Connection, key: str) -> RowMapping:
    """The same; nobody else changes it before the transaction ends."""
    return _named(connection, key, _BY_KEY.with_for_update())


def _named(connection: Connection, key: str, query: sa.Select[Any]) -> RowMapping:
    one = connection.execute(query, {"named": key}).mappings().first()
    if one is None:
        raise _unknown(connection, key)
    return one


def _unknown(connection: Connection, key: str) -> UnknownChannel:
    return UnknownChannel(key, connection.scalars(sa.select(channels.c.key)))


def find(connection: Connection, vault: Vault, key: str) -> Channel | None:
    """A channel as adapters see it, secrets in plain; None when there is none."""
    found = connection.execute(sa.select(channels).where(channels.c.key == key))
    one = found.mappings().first()
    return None if one is None else _channel(connection, vault, one)


def by_id(connection: Connection, vault: Vault, channel_id: int) -> Channel:
    """A channel as adapters see it, secrets in plain."""
    found = connection.execute(sa.select(channels).where(channels.c.id == channel_id))
    return _channel(connection, vault, found.mappings().one())


def _channel(connection: Connection, vault: Vault, one: RowMapping) -> Channel:
    mapped = connection.execute(
        sa.select(locations.c.code, channel_locations.c.external_id)
        .join(locations, locations.c.id == channel_locations.c.location_id)
        .where(channel_locations.c.channel_id == one["id"])
        .order_by(channel_locations.c.position)
    )
    return Channel(
        id=one["id"],
        key=one["key"],
        provider=one["provider"],
        base_url=one["base_url"],
        settings=json.loads(one["settings"]),
        secrets=vault.open_json(one["secrets"]),
        locations={row.code: row.external_id for row in mapped},
        ignore=Ignore(json.loads(one["ignore"]), one["ignoring_since"]),
    )


def changed_at(connection: Connection) -> Mark:
    """A mark that differs after any change of configuration."""
    (mark,) = driver.fetched(connection, f"SELECT {CHANGED_AT}")
    return (*mark,)


CHANGED_AT: Final = (
    "(SELECT coalesce(max(changed_at), 0) FROM channels), "
    "(SELECT count(*) FROM channels), (SELECT count(*) FROM locations), "
    "(SELECT coalesce(max(id), 0) FROM recipes)"
)
"""A mark's columns, for a query that asks for more."""


def touch(connection: Connection, now: Instant) -> None:
    """Say that configuration changed: every process reads it again within seconds."""
    connection.execute(
        channels.update().values(
            changed_at=sa.case(
                (channels.c.changed_at >= now, channels.c.changed_at + 1), else_=now
            )
        )
    )


def check_secrets(connection: Connection, vault: Vault) -> None:
    """Raise BadConfiguration when the secrets of some channel cannot be opened."""
    for sealed in connection.scalars(sa.select(channels.c.secrets)):
        vault.open_json(sealed)


def pause(connection: Connection, key: str, reason: str, now: Instant) -> None:
    """Stop publishing to a channel; its wishes are held. Raise UnknownName."""
    _set(connection, key, paused_at=now, paused_reason=reason)


def resume(connection: Connection, key: str, now: Instant) -> None:
    """Publish again, at once and with the newest numbers. Raise UnknownName.

    Closes the circuit, and brings forward what waits to be tried again. What it did
    meanwhile is asked for.
    """
    _set(
        connection,
        key,
        **dict.fromkeys(("paused_at", "paused_reason", "disconnected_at")),
        **dict.fromkeys(("held_until", "held_reason", "tripped_at")),
        **dict.fromkeys(("reads_held_until", "budget")),
        **dict.fromkeys(("failures", "probes", "reads_failed", "poll_due_at"), 0),
        free_since=now,
    )
    retries.hasten(connection, row(connection, key)["id"])


def poll_by(connection: Connection, channel_id: int, due_at: Instant) -> None:
    """Poll a channel then, unless it is to be polled sooner."""
    connection.execute(
        channels.update()
        .where(channels.c.id == channel_id, channels.c.poll_due_at > due_at)
        .values(poll_due_at=due_at)
    )


def still_has(connection: Connection, vault: Vault, channel: Channel) -> bool:
    """Whether these are a channel's secrets still: what was said to others says nothing
    of them. Nobody else changes them before the transaction ends."""
    known = vault.open_json(locked(connection, channel.key)["secrets"])
    return bool(known == channel.secrets)


def webhooks_due(connection: Connection, channel_id: int, at: Instant) -> None:
    """Say when a channel's webhooks are to be looked at next."""
    same = channels.c.id == channel_id
    connection.execute(channels.update().where(same).values(webhooks_due_at=at))


def add_secret(
    connection: Connection, vault: Vault, key: str, name: str, secret: str, now: Instant
) -> None:
    """Take one more secret, the newest of its name. Raise UnknownName."""
    known = vault.open_json(locked(connection, key)["secrets"])
    others = [one for one in known.get(name, ()) if one != secret]
    keep_secrets(connection, vault, key, name, [secret, *others], now)


def keep_secrets(
    connection: Connection,
    vault: Vault,
    key: str,
    name: str,
    secrets: Sequence[str],
    now: Instant,
) -> None:
    """Let these be a channel's secrets of that name. Raise UnknownName."""
    known = vault.open_json(row(connection, key)["secrets"])
    sealed = vault.seal_json({**known, name: list(secrets)})
    _set(connection, key, secrets=sealed)
    touch(connection, now)


def leave_out(connection: Connection, key: str, item: str, now: Instant) -> None:
    """Note that an item of a channel is not stock. Raise UnknownName."""
    known = not_stock(locked(connection, key))
    _set(connection, key, not_stock=json.dumps(sorted(known | {item})))
    touch(connection, now)


def take_in(
    connection: Connection, key: str, items: AbstractSet[str | None], now: Instant
) -> set[str]:
    """Note that items of a channel are stock; return those that were not so far."""
    known = not_stock(locked(connection, key))
    if found := known & items:
        _set(connection, key, not_stock=json.dumps(sorted(known - found)))
        touch(connection, now)
    return found


def not_stock(row: RowMapping) -> set[str]:
    """The items in a channel's row that are not stock."""
    return set(json.loads(row["not_stock"]))


def _set(connection: Connection, key: str, **values: Any) -> None:
    changed = connection.execute(
        channels.update().where(channels.c.key == key).values(**values)
    )
    if changed.rowcount != 1:
        raise _unknown(connection, key)


def republish(
    connection: Connection,
    channel_id: int,
    publish: Mapping[str, Any],
    mapped: Mapping[str, str],
    now: Instant,
    actor: str | None,
) -> None:
    """Give a channel that publishes another policy, and keep it as a version."""
    same = channels.c.id == channel_id
    values = {"publish": json.dumps(dict(publish))}
    connection.execute(channels.update().where(same).values(**values))
    policies.keep_channel(connection, channel_id, publish, mapped, now, actor)
    touch(connection, now)


def mark_from_here(connection: Connection, channel_id: int) -> None:
    """All that a channel publishes is wanted: what was before need not be marked."""
    values = {"marked_to": last_entry(connection)}
    same = channels.c.id == channel_id
    connection.execute(channels.update().where(same).values(**values))


def settings_of(row: RowMapping) -> dict[str, Any]:
    """The settings in a channel's row."""
    found: dict[str, Any] = json.loads(row["settings"])
    return found

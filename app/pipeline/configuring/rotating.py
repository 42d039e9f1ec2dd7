"""Rotating a channel's secrets: a new one is added, and the old one still accepted until a
person ends it or its time is over.

Only what webhooks are signed with may overlap. Credentials that we call with are
replaced at once, after they were tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.channels import Channel
from app.domain.errors import BadConfiguration, KeyMissing, UnknownName
from app.domain.instants import Instant
from app.pipeline.configuring.connecting import refusals
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.tuning import Tuning
from app.store.configuration import channels, secret_facts as store
from app.store.engine import reading, writing
from app.store.people import deeds
from app.store.vault import Vault

WEBHOOK: Final = "webhook"
"""The name of the secrets that webhooks are signed with: several may be right."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of a channel, as a person may see it. Times are None where unknown."""

    name: str
    mark: str
    """Its fingerprint."""
    is_newest: bool
    is_last: bool
    """There is no other of its name."""
    added_at: Instant | None
    added_by: str | None
    ends_at: Instant | None
    used_at: Instant | None


def secrets_of(connection: Connection, vault: Vault, row: RowMapping) -> list[Secret]:
    """A channel's secrets by name, the newest first."""
    known = store.of_channel(connection, row["id"])
    held = channels.by_id(connection, vault, row["id"]).secrets
    return [
        _secret(name, at, values, known)
        for name, values in held.items()
        for at in range(len(values))
    ]


def _secret(
    name: str,
    at: int,
    values: Sequence[str],
    known: Mapping[tuple[str, str], RowMapping],
) -> Secret:
    mark = store.fingerprint(values[at])
    facts = known.get((name, mark))
    times = ("added_at", "added_by", "ends_at", "used_at")
    told = {one: facts[one] if facts else None for one in times}
    return Secret(name, mark, at == 0, len(values) == 1, **told)


@dataclass(frozen=True, slots=True)
class Successor:
    """A new secret of a channel."""

    key: str
    name: str
    secret: str = field(repr=False)
    ends_at: Instant | None
    """Until when older ones that webhooks are signed with are accepted; None: until a
    person ends them."""


def add(
    engine: Engine,
    vault: Vault,
    settings: Tuning,
    new: Successor,
    *,
    actor: str,
    now: Instant,
) -> None:
    """Try a new secret, take it, and write down who gave it.

    Raises UnknownName, and BadConfiguration with what is wrong with it.
    """
    if wrong := _wrong(engine, vault, settings, new):
        raise BadConfiguration(" ".join(wrong), "secret")
    with writing(engine) as connection:
        rotate(
            *(connection, vault, new.key, new.name, new.secret),
            ends_at=new.ends_at,
            actor=actor,
            now=now,
        )
        deeds.note(connection, actor, "add secret", new.key, now, {"name": new.name})


def _wrong(engine: Engine, vault: Vault, settings: Tuning, new: Successor) -> list[str]:
    """What is wrong with it, in sentences; credentials are tried. Raises
    BadConfiguration for a name that its provider has no secret of."""
    name, secret = new.name, new.secret
    with reading(engine) as connection:
        row = channels.row(connection, new.key)
        adapter = reach(connection, vault, row, settings)
    kind = type(adapter)
    if name not in kind.secrets:
        raise BadConfiguration(f"{kind.title} has no secret {name}.", "name")
    if secret in adapter.channel.secrets.get(name, ()):
        return ["That is one of its secrets already."]
    changed = _with(adapter.channel, name, secret)
    try:
        kind.check(changed)
    except BadConfiguration as error:
        return [f"{error}."]
    if name == WEBHOOK:
        return []  # only a webhook shows whether it is right
    found = refusals(kind(changed, adapter.http))
    return [words for told in found.values() for words in told]


def _with(channel: Channel, name: str, secret: str) -> Channel:
    others = channel.secrets.get(name, ()) if name == WEBHOOK else ()
    return replace(channel, secrets={**channel.secrets, name: [secret, *others]})


def rotate(
    connection: Connection,
    vault: Vault,
    key: str,
    name: str,
    secret: str,
    *,
    ends_at: Instant | None,
    actor: str,
    now: Instant,
) -> None:
    """Take a new secret; older ones to sign webhooks with are accepted until `ends_at`,
    None: until a person ends them. Raises UnknownName."""
    row = channels.locked(connection, key)
    channel = channels.by_id(connection, vault, row["id"])
    changed = _with(channel, name, secret).secrets[name]
    channels.keep_secrets(connection, vault, key, name, changed, now)
    told = {"added_at": now, "added_by": actor, "ends_at": None}
    store.learn(connection, row["id"], name, store.fingerprint(secret), told)
    for one in changed[1:]:
        mark = store.fingerprint(one)
        store.learn(connection, row["id"], name, mark, {"ends_at": ends_at})


def take_away(
    engine: Engine,
    vault: Vault,
    key: str,
    name: str,
    mark: str,
    *,
    actor: str,
    now: Instant,
) -> None:
    """Accept a secret no longer, and write down who said so; raises as `end` does."""
    with writing(engine) as connection:
        end(connection, vault, key, name, mark, now)
        told = {"name": name, "fingerprint": mark}
        deeds.note(connection, actor, "end secret", key, now, told)


def end(
    connection: Connection, vault: Vault, key: str, name: str, mark: str, now: Instant
) -> None:
    """Accept a secret no longer. Raises UnknownName, and BadConfiguration for the last
    of its name: without one nothing would be accepted."""
    row = channels.locked(connection, key)
    held = channels.by_id(connection, vault, row["id"]).secrets.get(name, ())
    left = [one for one in held if store.fingerprint(one) != mark]
    if len(left) == len(held):
        raise UnknownName(f"{key} has no secret {mark}", "id")
    if not left:
        raise BadConfiguration(f"{mark} is the only one: add its successor first")
    channels.keep_secrets(connection, vault, key, name, left, now)
    store.forget(connection, row["id"], name, mark)


def end_due(engine: Engine, vault: Vault, now: Instant) -> None:
    """End the secrets whose time is over; the last of its name stays."""
    with reading(engine) as connection:
        over = store.ending(connection, now)
    for one in over:
        named = one["name"], one["fingerprint"]
        with writing(engine) as connection:
            try:
                end(connection, vault, one["key"], *named, now)
            except (UnknownName, KeyMissing):
                pass  # a person was quicker, or we were started with a wrong key
            except BadConfiguration:
                told = {"ends_at": None}
                store.learn(connection, one["channel_id"], *named, told)

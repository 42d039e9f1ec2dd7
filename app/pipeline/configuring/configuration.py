"""Configuration files: which locations and channels there are, read and checked.

Everything that is wrong is told at once, with its place; `loading` writes it.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adapters
from adapters.addresses import address_problem
from app.domain.channels import Channel
from app.domain.drift import POLICIES
from app.domain.errors import BadConfiguration
from app.pipeline.configuring.toml import Problems, Table, line_of
from app.pipeline.configuring.wanted import (
    Configuration,
    Known,
    Surroundings,
    WantedChannel,
    WantedLocation,
)

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = {"api"}
"""How the ledger names facts told by people and tokens."""


def read(text: bytes, around: Surroundings, known: Known) -> Configuration:
    """Read a TOML file; raise BadConfiguration with all that is wrong in it."""
    document = _document(text)
    problems = Problems()
    top = Table(document, "", problems)
    locations = top.tables("location")
    channels = top.tables("channel")
    top.refuse_others()
    codes = {*known.locations, *_named(locations, "code")}
    keys = {*known.channels, *_named(channels, "key")}
    names = _Names(sorted(codes), sorted(keys), known.channels, around)
    found = Configuration(
        [_location(table, names) for table in locations],
        [_channel(table, names) for table in channels],
    )
    _refuse_twins(problems, "location", "code", [one.code for one in found.locations])
    _refuse_twins(problems, "channel", "key", [one.key for one in found.channels])
    problems.finish()
    return found


def _document(text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise BadConfiguration(
            f"line {line_of(text, error.start)}: not UTF-8; save the file as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:
        words, _, where = str(error).rpartition(" (at ")
        place = where.removesuffix(")") if words else "somewhere"
        if place == "end of document":
            place = f"line {line_of(text, len(text.rstrip()))}, its end"
        raise BadConfiguration(f"{place}: {words or error}; see toml.io") from error


@dataclass(frozen=True, slots=True)
class _Names:
    """What may be referred to in this file."""

    locations: Sequence[str]
    channels: Sequence[str]
    providers: Mapping[str, str]
    around: Surroundings


def _named(tables: Sequence[Table], key: str) -> list[str]:
    return [str(one.values[key]) for one in tables if one.values.get(key) is not None]


def _refuse_twins(
    problems: Problems, kind: str, key: str, names: Sequence[str]
) -> None:
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name and first.setdefault(name, number) != number:
            problems.add(
                f"{kind}[{number}]",
                f"{key} {name!r} is that of {kind}[{first[name]}] already",
            )


def _location(table: Table, names: _Names) -> WantedLocation:
    code = table.word("code", required=True) or ""
    table.name = code
    if code.startswith("unassigned:"):
        table.complain("code", f"{code!r}: `unassigned:` is ours; take another name")
    found = WantedLocation(
        code,
        table.word("name") or code,
        table.one_of("custodian", names.channels, "channel"),
    )
    table.refuse_others()
    return found


def _channel(table: Table, names: _Names) -> WantedChannel:
    key = table.word("key", required=True) or ""
    table.name = key
    _check_key(table, key)
    provider = table.one_of("provider", adapters.names(), "provider", required=True)
    was = names.providers.get(key)
    if provider and was not in (None, provider):
        table.complain(
            "provider",
            f"{key} is a channel of {was}, and so are its items, orders and locations; "
            f"give this one of {provider} another key",
        )
    base_url = table.word("base_url")
    if base_url is not None and (problem := address_problem(base_url)):
        table.complain("base_url", problem)
    mapped = _mapped(table, names)
    found = WantedChannel(
        key=key,
        provider=provider or "",
        base_url=base_url,
        settings=table.texts("settings"),
        secrets=_secrets(table, names.around),
        locations=mapped,
        publish=_publish(table, mapped, names),
        authority=_authority(table, names),
        ships_from=table.one_of("ships_from", names.locations, "location"),
        ignore=_ignore(table, provider),
        orders=_orders(table, provider),
        drift=table.one_of("drift", POLICIES, "policy") or POLICIES[0],
    )
    table.refuse_others()
    if provider:
        _ask_adapter(table, found, names)
    return found


def _check_key(table: Table, key: str) -> None:
    if key and not _KEY.fullmatch(key):
        table.complain(
            "key",
            f"{key!r} is the word in /webhooks/<key>: letters, digits, `-`, `_` "
            "and `.`, at most 64, beginning with a letter or digit",
        )
    if key in _RESERVED:
        table.complain("key", f"{key!r} is reserved; take another")


def _mapped(table: Table, names: _Names) -> dict[str, str]:
    inner = table.table("locations")
    for code in inner.values:
        if code not in names.locations:
            inner.unknown(code, names.locations, "location")
    return {code: inner.id(code) or "" for code in inner.values}


def _secrets(table: Table, around: Surroundings) -> dict[str, list[str]]:
    inner = table.table("secrets")
    found: dict[str, list[str]] = {}
    for name, given in inner.values.items():
        listed = given if isinstance(given, list) else [given]
        if not listed:
            inner.complain(name, "is an empty list; give at least one or leave it out")
        found[name] = [_secret(inner, name, one, around) for one in listed]
    return found


def _secret(table: Table, name: str, given: object, around: Surroundings) -> str:
    if not isinstance(given, str) or not given.strip():
        table.complain(name, "is not a text: a literal, env:NAME or file:PATH")
        return ""
    way, _, rest = given.partition(":")
    if way == "env":
        value = around.environ.get(rest, "").strip()
        if not value:
            table.complain(name, f"the environment variable {rest} is not set")
        return value
    if way != "file":
        return given
    path = around.folder / Path(rest).expanduser()
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        table.complain(name, f"the file {path} cannot be read: {why}")
        return ""
    if not value:
        table.complain(name, f"the file {path} is empty")
    return value


def _publish(
    table: Table, mapped: Mapping[str, str], names: _Names
) -> dict[str, Any] | None:
    given = table.take("publish")
    if given is None or given is False:
        return None
    if given is True:
        return {}
    inner = table.inner("publish", given, "true, false or a table")
    found: dict[str, Any] = {}
    origins = inner.words("from")
    if origins is not None:
        found["from"] = origins
        _check_origins(inner, origins, mapped, names)
    for name in ("buffer", "cap", "share", "stop_at", "preorder"):
        number = inner.number(name, 100 if name == "share" else None)
        if number is not None:
            found[name] = number
    inner.refuse_others()
    return found


def _check_origins(
    table: Table, origins: Sequence[str], mapped: Mapping[str, str], names: _Names
) -> None:
    if not origins:
        table.complain("from", "is empty; leave it out to publish from everywhere")
    for code in origins:
        if code not in names.locations:
            table.unknown(code, names.locations, "location", at="from")
        elif mapped and code not in mapped:
            table.complain(
                "from",
                f"{code!r} is not among the channel's locations; map it there "
                f"(mapped: {', '.join(mapped)})",
            )


def _authority(table: Table, names: _Names) -> dict[str, str]:
    inner = table.table("authority")
    shipped = inner.one_of("shipped", names.channels, "channel")
    inner.refuse_others()
    return {} if shipped is None else {"shipped": shipped}


def _ignore(table: Table, provider: str | None) -> dict[str, list[str]]:
    """What a copied order is known by: only what the provider's messages tell."""
    inner = table.table("ignore")
    told = adapters.get(provider).ignores if provider else tuple(inner.values)
    for name in inner.values:
        if name not in told:
            inner.unknown(name, told, "mark of a copied order")
    return {name: inner.words(name) or [] for name in told if name in inner.values}


def _orders(table: Table, provider: str | None) -> dict[str, int]:
    """How the channel's orders are taken."""
    inner = table.table("orders")
    seconds = inner.number("until_paid")
    inner.refuse_others()
    if seconds is None:
        return {}
    if seconds == 0:
        inner.complain("until_paid", "is 0 seconds; leave it out to commit at once")
    kind = adapters.get(provider) if provider else None
    if kind is not None and not kind.tells_payment:
        words = f"{kind.title} does not tell whether an order is paid"
        inner.complain("until_paid", words)
    return {"until_paid": seconds}


def _ask_adapter(table: Table, wanted: WantedChannel, names: _Names) -> None:
    """Let the provider's adapter say what it cannot work with."""
    kind = adapters.get(wanted.provider)
    if wanted.publish is not None and not kind.publishes:
        words = f"{kind.title} shows no stock, so it cannot be published to"
        table.complain("publish", words)
    for name in kind.publishing_needs if wanted.publish is not None else ():
        if not wanted.settings.get(name):
            words = f"is missing, and `publish` needs it: {kind.settings[name]}"
            table.complain(f"settings.{name}", words)
    if (other := wanted.settings.get("channel", "")) not in ("", *names.channels):
        table.unknown(other, names.channels, "channel", at="settings.channel")
    settings = _allowed(table, "settings", wanted.settings, kind.settings)
    secrets = _allowed(table, "secrets", wanted.secrets, kind.secrets)
    named = 0, wanted.key, wanted.provider, wanted.base_url
    channel = Channel(*named, settings, secrets, wanted.locations)
    try:
        kind.check(channel)
    except BadConfiguration as error:
        # A secret that could not be read was complained about already.
        if not error.field or not table.has_problem_at(error.field):
            table.complain(error.field or "", str(error))


def _allowed(
    table: Table, part: str, given: Mapping[str, Any], allowed: Mapping[str, str]
) -> dict[str, Any]:
    inner = Table(dict(given), table.place(part), table.problems)
    for name in given:
        if name not in allowed:
            inner.unknown(name, list(allowed), "key")
    return {name: value for name, value in given.items() if name in allowed}

"""Connecting a provider: what is there, and how it fits what we have. Writes nothing.

A person sees each of these before anything is loaded; `takeover` then does it, and
`opening` takes over open orders and first counts.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

import adapters
from adapters.base import Adapter
from adapters.http import Http
from app.domain.channels import Channel
from app.domain.connecting import TheirPlace
from app.domain.errors import (
    BadConfiguration,
    CredentialsRefused,
    HubError,
    RetryLater,
)
from app.pipeline.configuring.configuration import read
from app.pipeline.configuring.wanted import Known, Surroundings
from app.pipeline.publishing.tuning import Tuning
from app.pipeline.receive import with_address
from app.store.tables import locations

_NO_WORD = re.compile(r"[\W_]+")
_VARIABLE = re.compile(r"[^A-Za-z0-9]+")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants to connect. `secrets` may be `env:NAME` or `file:PATH`."""

    key: str
    provider: str
    base_url: str | None
    settings: Mapping[str, str]
    secrets: Mapping[str, Sequence[str]] = field(repr=False)

    def with_references(self) -> "Asked":
        """The same, and for every secret the name of a variable: fit to be shown."""
        named = {
            name: [f"env:{_VARIABLE.sub('_', f'{self.key}_{name}').upper()}"]
            for name in self.secrets
        }
        return replace(self, secrets=named)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One location: ours (new or not) and the channel's own."""

    code: str
    name: str
    theirs: TheirPlace
    is_new: bool


def refusals(adapter: Adapter) -> dict[str, list[str]]:
    """Why a channel cannot be connected, in sentences by the field to put right.

    Its credentials are tried on something cheap; nothing is changed there.
    """
    try:
        found = adapter.check_access()
    except CredentialsRefused as error:
        return {"secrets": [f"It refuses these credentials. {error}."]}
    except RetryLater as error:
        return {"base_url": [f"It does not answer as it should. {error}."]}
    except HubError as error:
        return {"": [f"It cannot be asked. {error}."]}
    return {"secrets": found} if found else {}


def reach_asked(
    asked: Asked, around: Surroundings, known: Known, settings: Tuning
) -> Adapter:
    """The adapter of a channel that is not there yet; nothing is called.

    Raises BadConfiguration with everything that is wrong with what was asked.
    """
    (told,) = read(as_toml(asked, (), {}).encode(), around, known).channels
    kind = adapters.get(told.provider)
    if not kind.connects:
        raise BadConfiguration(
            f"{kind.title} cannot be asked what it has: describe it in a file, then "
            "`onecount load` it"
        )
    channel = Channel(
        0, told.key, told.provider, told.base_url, told.settings, told.secrets
    )
    channel = with_address(channel, settings.public_url)
    http = Http(
        kind.title,
        told.key,
        deadline=settings.push_deadline_seconds,
        private=around.private_addresses,
    )
    return kind(channel, http)


def as_toml(asked: Asked, new: Iterable[Proposal], mapped: Mapping[str, str]) -> str:
    """The file that describes this channel; it listens only. Secrets as references."""
    lines = []
    for one in new:
        lines += ["[[location]]", f"code = {_text(one.code)}"]
        lines += [f"name = {_text(one.name)}", ""]
    lines += ["[[channel]]", f"key = {_text(asked.key)}"]
    lines += [f"provider = {_text(asked.provider)}"]
    if asked.base_url:
        lines.append(f"base_url = {_text(asked.base_url)}")
    for name, values in (
        ("settings", asked.settings),
        ("secrets", asked.secrets),
        ("locations", mapped),
    ):
        if values:
            lines.append(f"{name} = {_table(values)}")
    return "\n".join(lines) + "\n"


def _table(values: Mapping[str, Any]) -> str:
    parts = [
        f"{_name(key)} = {_text(value) if isinstance(value, str) else _list(value)}"
        for key, value in values.items()
    ]
    return "{ " + ", ".join(parts) + " }"


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def _name(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(value: str) -> str:
    # A basic string of TOML is written like one of JSON.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def propose(
    connection: Connection, theirs: Sequence[TheirPlace], given: Mapping[str, str]
) -> list[Proposal]:
    """Which location of ours each of the channel's is: as `given` (ours → theirs), else
    by its name, else a new one. With anything given, only that is mapped.

    Raises BadConfiguration for a location that the channel does not have.
    """
    rows = connection.execute(
        sa.select(locations.c.code, locations.c.name).where(
            locations.c.unassigned_of.is_(None)
        )
    )
    ours = {row.code: row.name for row in rows}
    by_id = {place.id: place for place in theirs}
    for code, wanted in given.items():
        if wanted not in by_id:
            known = ", ".join(f"{one.id} ({one.name})" for one in theirs) or "none"
            raise BadConfiguration(
                f"{code}: no active location {wanted}; it has {known}"
            )
    if given:
        return [
            Proposal(code, by_id[id_].name, by_id[id_], code not in ours)
            for code, id_ in given.items()
        ]
    return list(_by_name(ours, theirs))


def _by_name(
    ours: Mapping[str, str], theirs: Sequence[TheirPlace]
) -> Iterator[Proposal]:
    known = {_word(text): code for code, name in ours.items() for text in (name, code)}
    taken = set[str]()
    for place in theirs:
        code = known.get(_word(place.name), _word(place.name) or f"place-{place.id}")
        if code in taken:
            code = f"{code}-{_word(place.id)}"
        taken.add(code)
        yield Proposal(code, place.name, place, code not in ours)


def _word(text: str) -> str:
    return _NO_WORD.sub("-", text.lower()).strip("-")[:60]

"""What a provider's fixtures folder holds, as the contract suite reads it.

Everything is read when a test asks for it, so that a missing or broken file fails the
tests that need it, by name, and nobody else's.
"""

import contextlib
import dataclasses
import hashlib
import json
import socket
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import responses

import adapters
from adapters.base import Adapter
from adapters.http import Http
from adapters.signatures import SignedRequest
from app.domain import instants
from app.domain.channels import Channel, Wish
from app.domain.events import (
    ListingSeen,
    Message,
    Normalised,
    Origin,
    Read,
    StockEvent,
    WholeOrder,
)
from app.domain.instants import Instant

ROOT = Path(__file__).parent.parent / "fixtures"
NOW = instants.parse("2026-11-23T12:00:00Z")
_TIMES = ("occurred_at", "version")


def recent(adapter: Adapter, since: Instant) -> Iterator[tuple[str, Any]]:
    """What changed at a channel since then: topics and documents."""
    for change in adapter.changes(since):
        document = adapter.opened(change)
        if document is not None:
            yield change.topic, document


@dataclass(frozen=True)
class Provider:
    """One provider: its adapter and the folder of what was recorded with it."""

    name: str

    @property
    def folder(self) -> Path:
        return ROOT / self.name

    @property
    def adapter_class(self) -> type[Adapter]:
        return adapters.get(self.name)

    def has(self, path: str) -> bool:
        return (self.folder / path).is_file()

    def bytes(self, path: str) -> bytes:
        if not self.has(path):
            pytest.fail(f"tests/fixtures/{self.name}/{path} is missing")
        return (self.folder / path).read_bytes()

    def json(self, path: str) -> Any:
        try:
            return json.loads(self.bytes(path))
        except ValueError as error:
            pytest.fail(f"tests/fixtures/{self.name}/{path} is not JSON: {error}")

    def cases(self) -> list[str]:
        return sorted(p.name for p in self.folder.glob("webhooks/*") if p.is_dir())

    def pointers(self) -> list[str]:
        """The webhooks that something was fetched for."""
        recorded = self.cases()
        return [one for one in recorded if self.has(f"webhooks/{one}/exchange.json")]

    def pushes(self) -> list[str]:
        return sorted(p.stem for p in self.folder.glob("push/*.json"))

    def channel(self, **changes: Any) -> Channel:
        return Channel(**{"id": 1, "provider": self.name} | self._fields() | changes)

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = self.json("channel.json")
        return fields

    def adapter(self, channel: Channel | None = None) -> Adapter:
        channel = channel or self.channel()
        made = self.adapter_class
        return made(channel, Http(made.title, channel.key, deadline=20.0))

    def signature(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("signature.json")
        return found

    def signing_key(self) -> str:
        """What the sender signs with: the channel's secret, unless it is a key pair."""
        return str(
            self.signature().get("signing_key") or self.channel().secrets["webhook"][0]
        )

    def other_key(self) -> str:
        """What another account's sender would sign with."""
        given = self.signature().get("other_signing_key")
        if given:
            return str(given)
        made = hashlib.sha256(self.signing_key().encode()).digest()
        prefix = "whsec_" if self.signing_key().startswith("whsec_") else ""
        return prefix + b64encode(made).decode()

    def headers(self, case: str) -> dict[str, str]:
        found = self.json(f"webhooks/{case}/headers.json")
        return {name.lower(): value for name, value in found.items()}

    def body(self, case: str) -> bytes:
        return self.bytes(f"webhooks/{case}/body.json")


def signed(
    adapter: Adapter,
    body: bytes,
    headers: Mapping[str, str],
    key: str,
    at: Instant = NOW,
    received_at: Instant | None = None,
) -> SignedRequest:
    """The request a sender with that key makes. Skips where nobody but them can."""
    try:
        made = adapter.scheme().sign(body, key, at)
    except NotImplementedError:
        pytest.skip("this scheme cannot sign; its known vector is tested")
    return SignedRequest(
        headers={**headers, **{name.lower(): value for name, value in made.items()}},
        body=body,
        received_at=at if received_at is None else received_at,
        # A scheme that adds no header is a secret word in the address.
        token=None if made else key,
    )


def message(adapter: Adapter, body: bytes, headers: Mapping[str, str]) -> Message:
    """What the worker makes of a stored webhook: through JSON, kept headers only."""
    document = through_json(adapter.document(body))
    return Message(
        topic=adapter.topic(headers, document),
        document=document,
        received_at=NOW,
        headers={name: headers[name] for name in adapter.headers if name in headers},
    )


def recorded_message(provider: Provider, adapter: Adapter, case: str) -> Message:
    return message(adapter, provider.body(case), provider.headers(case))


def fetched_message(provider: Provider, adapter: Adapter, case: str) -> Message:
    """The message with what its `fetch` brings, played from the recording."""
    first = recorded_message(provider, adapter, case)
    read = adapter.normalise(first).read
    assert read is not None, f"{case} has an exchange.json but asks for no read"
    with played(provider.json(f"webhooks/{case}/exchange.json")):
        fetched = adapter.fetch(first, read)
    return dataclasses.replace(first, fetched=through_json(fetched))


def whole_message(provider: Provider, adapter: Adapter, case: str) -> Message:
    """The message as it is in the end, with what was fetched if anything was."""
    if case in provider.pointers():
        return fetched_message(provider, adapter, case)
    return recorded_message(provider, adapter, case)


def through_json(value: Any) -> Any:
    """As the database hands it back; NaN and other than JSON types do not pass."""
    return json.loads(json.dumps(value, allow_nan=False).encode())


# -- HTTP that does not leave the house -------------------------------------------


@contextlib.contextmanager
def played(
    exchange: Sequence[Mapping[str, Any]], all_used: bool = True
) -> Iterator[responses.RequestsMock]:
    """Answer exactly these calls, in this order per address, and no others."""
    with responses.RequestsMock(assert_all_requests_are_fired=all_used) as mock:
        for step in exchange:
            mock.add(answer(step["method"], step["url"], step))
        yield mock


def answer(method: str, url: Any, step: Mapping[str, Any]) -> responses.Response:
    body = json.dumps(step["json"]) if "json" in step else step.get("body", "")
    headers = {"content-type": "application/json"} if "json" in step else {}
    headers |= step.get("headers", {})
    return responses.Response(
        method,
        url,
        body=body,
        status=step.get("status", 200),
        headers=headers,
        content_type=headers.pop("content-type", "text/plain"),
    )


@contextlib.contextmanager
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail on any call out: the recorded seam as well as a plain socket."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("this must not touch the network")

    with responses.RequestsMock(), monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


# -- our words as JSON and back ----------------------------------------------------


def as_json(value: Any) -> Any:
    """A Normalised (or a part of it) with only what it says, times as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        empty = {f.name: f.default for f in dataclasses.fields(value)}
        return {
            name: instants.iso(inner) if name in _TIMES else as_json(inner)
            for name, inner in fields.items()
            if inner != empty[name]
        }
    return [as_json(one) for one in value] if isinstance(value, tuple) else value


def expected(recorded: Mapping[str, Any]) -> Any:
    """What `events.json` says, read into our types and written again: one spelling."""
    return as_json(
        Normalised(
            events=tuple(_made(StockEvent, one) for one in recorded.get("events", ())),
            orders=tuple(_made(WholeOrder, one) for one in recorded.get("orders", ())),
            listings=tuple(_made(ListingSeen, x) for x in recorded.get("listings", ())),
            ignored=tuple(recorded.get("ignored", ())),
            read=Read(**recorded["read"]) if recorded.get("read") else None,
            origin=_origin(recorded["origin"]) if recorded.get("origin") else None,
            disconnected=recorded.get("disconnected"),
        )
    )


def _made(made: type, fields: Mapping[str, Any]) -> Any:
    values = dict(fields)
    for name in _TIMES:
        if isinstance(values.get(name), str):
            values[name] = instants.parse(values[name])
    if "lines" in values:
        values["lines"] = tuple(values["lines"])
    return made(**values)


def wishes(recorded: Mapping[str, Any]) -> list[Wish]:
    rows = [dict(row) for row in recorded["wishes"]]
    for row in rows:
        if isinstance(row.get("stamp"), str):
            row["stamp"] = instants.parse(row["stamp"])
        row.setdefault("external_parent_id", None)
    return [Wish(**row) for row in rows]


def _origin(told: dict[str, Any]) -> Origin:
    return Origin(**{**told, "tags": tuple(told.get("tags", ()))})

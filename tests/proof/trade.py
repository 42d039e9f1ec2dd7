"""A hub to try the trade on: the real application, called as channels and tills call it.

The clock stands still between two steps, so that a story that failed fails again.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import sqlalchemy as sa
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from adapters.signatures import StandardWebhooks
from app.domain.instants import SECOND, iso, now
from app.pipeline.acts import claims
from app.store import timekeeper
from app.store.engine import is_sqlite, writing
from app.store.people import people
from app.store.tables import inbox, metadata
from app.web.hub import EXTENSION, Hub
from tests.builders import SECRET, Shop
from tests.proof.model import Book, Fact, Held

PLACES = ("north", "south")
LINE = {"JACKET": "1", "SCARF": "2"}
"""An order's line of that SKU."""
SKUS = tuple(LINE)
KEPT = {
    "api_tokens",
    "channel_locations",
    "channels",
    "listings",
    "locations",
    "publications",
    "skus",
    "users",
}


@dataclass(frozen=True)
class Letter:
    """A webhook that a channel has written; it may arrive late, twice or never."""

    channel: str
    body: Mapping[str, Any]
    facts: tuple[Fact, ...]
    words: str

    def __repr__(self) -> str:
        return f"<{self.words}>"


@dataclass
class Trade:
    """One hub with two places, an online store, a till and a warehouse."""

    app: Flask
    clock: time_machine.Traveller
    book: Book = field(default_factory=Book)
    letters: dict[str, Letter] = field(default_factory=dict)
    """By the id under which they were delivered."""
    caps: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """SKU → buffer and cap of the online store."""
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    """The ledger as it was after the last step."""
    ended: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Holds that are over: how they ended and when."""

    def __post_init__(self) -> None:
        self.hub: Hub = self.app.extensions[EXTENSION]
        self.engine = self.hub.engine
        self._client = self.app.test_client()
        self._shop = Shop(self.engine, self.hub.vault)
        with writing(self.engine) as connection:
            token = people.create_token(connection, "proof", people.ADMIN)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._furnish()

    def _furnish(self) -> None:
        shop = self._shop
        shop.locations(*PLACES)
        shop.channel("web", publish={}, ships_from="south")
        shop.channel("till", publish={"from": ["north"]})
        shop.channel("wms")
        shop.sku(*SKUS)
        for sku in SKUS:
            shop.listing("web", sku, sku)
            shop.listing("till", sku, sku)

    def close(self) -> None:
        self._shop.receiver.close()
        self.hub.receiver.close()
        self.engine.dispose()

    def begin(self) -> None:
        """Forget everything that was told."""
        self.book, self.letters, self.caps = Book(), {}, {}
        self.entries, self.ended = [], {}
        with writing(self.engine) as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name not in KEPT:
                    connection.execute(table.delete())
            connection.execute(sa.text("UPDATE listings SET policy = NULL"))

    # -- time ------------------------------------------------------------------

    def tick(self, seconds: float = 1.0) -> int:
        """Let time pass; what time it is then."""
        self.clock.shift(seconds)
        return now()

    def sweep(self) -> None:
        claims.expire_holds(self.engine, now())

    # -- webhooks --------------------------------------------------------------

    def deliver(self, letter: Letter, name: str) -> str:
        """Send a webhook under this id; whether it was new."""
        raw = json.dumps(letter.body).encode()
        headers = StandardWebhooks().sign(raw, SECRET, now(), name)
        answer = self._client.post(
            f"/webhooks/{letter.channel}", data=raw, headers=headers
        )
        assert answer.status_code == 200, answer.text
        self.letters[name] = letter
        return str(json.loads(answer.data)["status"])

    def apply(self) -> list[str]:
        """Apply all that has arrived; return what could not be, and why."""
        waiting = set(self._states("waiting"))
        self._shop.apply()
        states = self._states()
        buried = []
        for name in sorted(waiting, key=list(self.letters).index):
            state, error = states[name]
            if state == "applied":
                self._learn(self.letters[name])
            else:
                assert state == "buried", (name, state, error)
                assert "would fall below zero" in error, error
                buried.append(f"{self.letters[name].words}: {error}")
        return buried

    def _states(self, state: str | None = None) -> dict[str, tuple[str, str]]:
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(inbox)).all()
        return {
            row.delivery_id: (row.state, row.error)
            for row in rows
            if state in (None, row.state)
        }

    def _learn(self, letter: Letter) -> None:
        for fact in letter.facts:
            self.book.learn(fact)
        number = letter.body.get("order")
        if letter.body["type"] == "order":
            for hold in self.book.holds.values():
                if hold.reference == number and hold.is_live(now()):
                    hold.state = "committed"

    # -- the API ---------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None) -> TestResponse:
        given = {} if body is None else {"json": body}
        return self._client.open(
            f"/api/v1{path}", method=method, headers=self._headers, **given
        )

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def tell(self, path: str, body: Mapping[str, Any], *facts: Fact) -> Any:
        """Write facts down; they are never refused."""
        answer = self.call("POST", path, body)
        assert answer.status_code == 201, answer.text
        for event, fact in zip(answer.json["events"], facts, strict=True):
            self.book.learn(fact._replace(key=event["key"]))
        return answer.json

    def stock(self, sku: str, at: int | None = None) -> Any:
        return self.get(f"/stock/{sku}" + (f"?at={iso(at)}" if at else ""))

    def reserved(self, sku: str) -> dict[str, int]:
        return {
            one["location"]: one["reserved"] for one in self.stock(sku)["locations"]
        }

    def hold(self, lines: list[dict[str, Any]], **more: Any) -> Held | None:
        """Claim units; None when they are refused."""
        skus = sorted({line["sku"] for line in lines})
        before = {sku: self.reserved(sku) for sku in skus}
        answer = self.call("POST", "/holds", {"lines": lines, **more})
        if answer.status_code == 409:
            assert {sku: self.reserved(sku) for sku in skus} == before
            return None
        assert answer.status_code == 201, answer.text
        units = {
            (sku, place): kept - before[sku].get(place, 0)
            for sku in skus
            for place, kept in self.reserved(sku).items()
        }
        held = Held(
            answer.json["id"],
            {spot: taken for spot, taken in units.items() if taken},
            now() + more["expires_in"] * SECOND,
            more.get("reference"),
        )
        self.book.holds[held.id] = held
        return held


@contextmanager
def standing_clock() -> Iterator[time_machine.Traveller]:
    """Time passes only when it is told to, for the database as well."""
    with (
        time_machine.travel(1_790_000_000, tick=False) as clock,
        mock.patch.object(timekeeper, "theirs", lambda _, at: at),
    ):
        yield clock


def hasty(engine: sa.Engine) -> None:
    """These stories need not survive a power cut."""
    if is_sqlite(engine):
        engine.dispose()

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            connection.execute("PRAGMA synchronous=OFF").close()

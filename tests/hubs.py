"""A whole hub for the journey: real processes, a real Valkey, sandbox channels."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from adapters.signatures import StandardWebhooks
from app.demo.equipment import GOODS, PLACE, SECRET, item
from app.demo.field import Field, open_field
from app.demo.watch import within
from app.domain.instants import iso, now
from app.pipeline.proving.audit import differences

__all__ = ["GOODS", "PLACE", "World", "crowd", "item", "running", "within"]


@dataclass
class World(Field):
    """One hub and its channels, and what a test asks of them besides."""

    _turns: Iterator[int] = field(default_factory=count)

    def tell(self, body: Mapping[str, Any], name: str | None = None) -> int:
        """Send a webhook of the warehouse's; the answer's status."""
        return self.answer(body, name).status_code

    def answer(
        self, body: Mapping[str, Any], name: str | None = None
    ) -> requests.Response:
        """Send a webhook of the warehouse's; the whole answer."""
        raw = json.dumps({"occurred_at": iso(now()), **body}).encode()
        name = name or f"msg_{next(self._turns)}"
        headers = StandardWebhooks().sign(raw, SECRET, now(), name)
        return requests.post(
            f"{self.address}/webhooks/wms", data=raw, headers=headers, timeout=60
        )

    def polled(self) -> list[str]:
        """The channels whose next poll is not due yet."""
        query = sa.text(
            "SELECT key FROM channels WHERE poll_due_at > :now ORDER BY key"
        )
        with self.engine.connect() as connection:
            return list(connection.execute(query, {"now": now()}).scalars())

    def audit(self) -> list[str]:
        with self.engine.connect() as connection:
            return differences(connection)


def crowd(actions: list[Callable[[], Any]], size: int = 25) -> list[Any]:
    """Let many people do something at the same time; what each of them got."""
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda action: action(), actions))


@contextmanager
def running(database_url: str | None, folder: Path, **more: str) -> Iterator[World]:
    """Start a hub with `onecount up`, three channels and twelve SKUs."""
    given = {"ONECOUNT_DATABASE_URL": database_url} if database_url else {}
    with open_field(World, folder, os.environ, {**given, **more}) as world:
        yield world

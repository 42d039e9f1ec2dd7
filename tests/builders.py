"""A shop in one line per thing: locations, channels, SKUs, webhooks, for any test."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from adapters.signatures import StandardWebhooks
from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import SECOND, Instant, iso, now
from app.pipeline.acts import facts
from app.pipeline.configuring.listings import (
    add_sku,
    publish_listings,
    save_listing,
)
from app.pipeline.house import read_house
from app.pipeline.inbound import Inbound
from app.pipeline.receive import Receipt, Receiver
from app.store.configuration import layout
from app.store.engine import applying, writing
from app.store.tables import inbox, stock_levels
from app.store.vault import Vault

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JACKET = "BLUE-JACKET-M"


class Bell:
    """Hears which lanes are woken."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def wake(self, lane: str, **_: Any) -> bool:
        self.heard.append(lane)
        return True

    def close(self) -> None:
        pass


@dataclass
class Limits:
    public_url: str = "http://127.0.0.1:8000"
    refused_samples: int = 10


@dataclass
class Shop:
    """A database with a shop in it, and hands to run it by."""

    engine: Engine
    vault: Vault = field(default_factory=lambda: Vault(["a secret key for tests"]))
    bell: Bell = field(default_factory=Bell)

    def __post_init__(self) -> None:
        self.inbound = Inbound(self.engine, self.vault)
        self.receiver = Receiver(self.engine, self.vault, self.bell, Limits())
        self.sent = 0

    def locations(self, *codes: str, custodian: str | None = None) -> None:
        with writing(self.engine) as connection:
            for code in codes:
                layout.save_location(connection, code, code.title(), custodian)

    def channel(
        self,
        key: str,
        *,
        provider: str = "standard",
        mapped: Mapping[str, str] | None = None,
        publish: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Sequence[str]] | None = None,
        **values: Any,
    ) -> None:
        with writing(self.engine) as connection:
            layout.save(
                connection,
                self.vault,
                key,
                provider,
                base_url=values.get("base_url"),
                settings=settings or {},
                secrets=secrets or {"webhook": [SECRET]},
                mapped=mapped or {},
                publish=publish,
                authority=values.get("authority", {}),
                ships_from=values.get("ships_from"),
                ignore=values.get("ignore"),
                orders=values.get("orders"),
                now=now(),
            )

    def sku(self, *skus: str) -> None:
        with writing(self.engine) as connection:
            for sku in skus:
                add_sku(connection, sku)

    def listing(self, channel: str, sku: str, external_id: str) -> None:
        with applying(self.engine) as connection:
            listing = save_listing(connection, channel, sku, external_id, None)
            publish_listings(connection, read_house(connection), now(), [listing["id"]])

    def count(self, sku: str, location: str, quantity: int, at: Instant = 0) -> None:
        at = at or now() - 3600 * SECOND
        event = StockEvent(
            kinds.COUNTED,
            quantity,
            at,
            at,
            sku=sku,
            place=location,
            fact=f"count-{at}",
            line="1",
        )
        facts.record(self.engine, [event], actor="test", now=now())

    def receive(self, channel: str, body: Mapping[str, Any] | bytes) -> Receipt:
        """Send a signed webhook, as the channel would; nothing is applied yet."""
        self.sent += 1
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        at = now()
        headers = StandardWebhooks().sign(raw, SECRET, at, f"msg_{self.sent}")
        return self.receiver.receive(channel, headers, raw, None, at)

    def tell(self, channel: str, *bodies: Mapping[str, Any] | bytes) -> None:
        """Send webhooks and apply them."""
        for body in bodies:
            self.receive(channel, body)
        self.apply()

    def apply(self) -> None:
        while self.inbound.run(now()):
            pass

    def level(self, sku: str, location: str | None = None) -> dict[str, int]:
        """Quantities by state, zero ones left out, over all or one location."""
        query = sa.text(
            "SELECT l.* FROM stock_levels l JOIN skus s ON s.id = l.sku_id "
            "JOIN locations p ON p.id = l.location_id WHERE s.sku = :sku "
            "AND (:code = '' OR p.code = :code)"
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query, {"sku": sku, "code": location or ""})
            totals: dict[str, int] = {}
            for row in rows.mappings():
                for state in stock_levels.c.keys()[3:-1]:
                    totals[state] = totals.get(state, 0) + row[state]
        outside = {"variance", "customer", "supplier", "scrap"}
        return {s: q for s, q in totals.items() if q and s not in outside}

    def messages(self) -> list[tuple[str, str | None]]:
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(inbox).order_by(inbox.c.id))
            return [(row.state, row.error) for row in rows]


def order(
    number: str, sku: str, quantity: int, *, at: Instant, version: int | None = None
) -> dict[str, Any]:
    return _body("order", number, sku, quantity, at, version)


def shipment(
    number: str, sku: str, quantity: int, *, at: Instant, location: str | None = None
) -> dict[str, Any]:
    body = _body("shipment", number, sku, quantity, at, None)
    return (
        body | {"id": f"ship-{number}"} | ({"location": location} if location else {})
    )


def sale(
    number: str, sku: str, quantity: int, *, at: Instant, location: str | None = None
) -> dict[str, Any]:
    body = _body("sale", number, sku, quantity, at, None)
    return body | ({"location": location} if location else {})


def cancellation(
    number: str, sku: str, quantity: int, *, at: Instant
) -> dict[str, Any]:
    return _body("cancellation", number, sku, quantity, at, None)


def returned(
    number: str, sku: str, quantity: int, *, at: Instant, location: str, to: str = ""
) -> dict[str, Any]:
    body = _body("return", number, sku, quantity, at, None)
    if to:
        body["lines"][0]["disposition"] = to
    return body | {"id": f"back-{number}", "location": location}


def _body(
    kind: str, number: str, sku: str, quantity: int, at: Instant, version: int | None
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": kind,
        "id": number,
        "order": number,
        "occurred_at": iso(at),
        "lines": [{"id": "1", "sku": sku, "quantity": quantity}],
    }
    return body if version is None else body | {"version": version}

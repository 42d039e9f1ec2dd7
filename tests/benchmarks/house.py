"""A realistic house: ten thousand SKUs in stock, a till that sells, two that listen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import SECOND, now
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.configuring.listings import publish_listings
from app.pipeline.house import read_house
from app.store import bulk
from app.store.configuration import layout
from app.store.engine import applying, writing
from app.store.tables import inbox, listings, skus
from app.store.vault import Vault

SECRET_KEY = "a secret key for benchmarks only"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SKUS = 10_000
TILL = "till"
SHOPS = ("web", "market")
IN_STOCK = 1_000


def sku_name(number: int) -> str:
    """The name of one of the SKUs."""
    return f"SKU-{number % SKUS:05d}"


@dataclass(frozen=True)
class Build:
    """Furnishes an empty, migrated database."""

    engine: sa.Engine
    vault: Vault
    shops: tuple[str, ...] = SHOPS

    def furnish(self, push_url: str | None = None, *, stocked: bool = True) -> None:
        """Locations, channels, SKUs, listings and publications; stock if wanted."""
        self.found(push_url)
        self._catalogue()
        if stocked:
            self._receive()
        analyze(self.engine)

    def found(self, push_url: str | None = None) -> None:
        """Locations and channels."""
        with writing(self.engine) as connection:
            layout.save_location(connection, "downtown", "Downtown", None)
        self.channel(TILL, publish=None)
        for shop in self.shops:
            settings = {"push_url": push_url} if push_url else {}
            self.channel(shop, publish={}, settings=settings)

    def stock(self) -> None:
        """SKUs with listings and publications, and units of each."""
        self._catalogue()
        self._receive()

    def settle(self) -> None:
        """Let every channel have been told everything there was to tell."""
        with writing(self.engine) as connection:
            connection.exec_driver_sql(
                "UPDATE publications SET accepted_version = wanted_version, "
                f"accepted = {IN_STOCK}"
            )
            connection.exec_driver_sql(
                "UPDATE channels SET marked_to = (SELECT max(id) FROM ledger)"
            )

    def channel(
        self,
        key: str,
        publish: Mapping[str, Any] | None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        with writing(self.engine) as connection:
            layout.save(
                connection,
                self.vault,
                key,
                "standard",
                base_url=None,
                settings=settings or {},
                secrets={"webhook": [SECRET]},
                mapped={"downtown": "downtown"},
                publish=publish,
                authority={},
                ships_from=None,
                now=now(),
            )

    def _catalogue(self) -> None:
        names = [sku_name(number) for number in range(SKUS)]
        with applying(self.engine) as connection:
            bulk.insert(connection, skus, ("sku",), [(name,) for name in names])
            known = connection.execute(sa.select(skus.c.id, skus.c.sku)).all()
            house = read_house(connection)
            for shop in self.shops:
                rows = [(house.by_key[shop], sku.id, sku.sku) for sku in known]
                columns = ("channel_id", "sku_id", "external_id")
                bulk.insert(connection, listings, columns, rows)
            publish_listings(connection, house, now())

    def _receive(self) -> None:
        at = now() - 3600 * SECOND
        house = None
        for first in range(0, SKUS, 500):
            batch = [received(number, at) for number in range(first, first + 500)]
            with applying(self.engine) as connection:
                house = house or read_house(connection)
                apply(connection, house, [Told(None, batch, at)], now())


def stock_up(engine: sa.Engine, sku: str) -> None:
    """A million units of what everybody buys."""
    with writing(engine) as connection:
        connection.execute(
            sa.text(
                "UPDATE stock_levels SET available = 1000000, supplier = -1000000 "
                "WHERE sku_id = (SELECT id FROM skus WHERE sku = :sku) "
                "AND available > 0"
            ),
            {"sku": sku},
        )


def analyze(engine: sa.Engine) -> None:
    """Do what autovacuum does within a minute of such an import."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM ANALYZE")


def received(number: int, at: int) -> StockEvent:
    """A delivery of one SKU."""
    return StockEvent(
        kinds.RECEIVED,
        IN_STOCK,
        at,
        at,
        sku=sku_name(number),
        place="downtown",
        fact=f"first-{number}",
        line="1",
    )


def sale_body(receipt: str, numbers: Sequence[int], at: str) -> dict[str, Any]:
    """What a till posts when it has sold one unit of each of these SKUs."""
    return {
        "type": "sale",
        "id": receipt,
        "occurred_at": at,
        "location": "downtown",
        "lines": [
            {"id": str(line), "sku": sku_name(number), "quantity": 1}
            for line, number in enumerate(numbers, start=1)
        ],
    }


def as_bytes(body: Mapping[str, Any]) -> bytes:
    """A body as it goes over the wire."""
    return json.dumps(body, separators=(",", ":")).encode()


def fill_inbox(engine: sa.Engine, rows: Sequence[Sequence[Any]]) -> None:
    """Messages that wait, as `receive` stores them, a thousand at a time."""
    columns = ("channel_id", "delivery_id", "body_hash", "body", "received_at")
    for first in range(0, len(rows), 1000):
        with writing(engine) as connection:
            bulk.insert(connection, inbox, columns, rows[first : first + 1000])

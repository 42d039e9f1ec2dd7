"""The demo's shop: two places, four channels, a few goods; loaded like anybody's.

Everything goes the way of `onecount load` and `onecount import`, so starting again on
the same data changes nothing.
"""

import base64
import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.demo.sandboxes import Sandbox
from app.domain.instants import HOUR, iso, now
from app.pipeline.configuring.loading import load
from app.pipeline.configuring.wanted import Surroundings
from app.pipeline.spreadsheets import counting, importing
from app.pipeline.spreadsheets.importing import Work
from app.pipeline.spreadsheets.sheet import COUNTS, SKUS, read_sheet
from app.queues import Wakes
from app.store.engine import open_engine
from app.store.publishing import deliveries
from app.store.tables import channels, stock_levels
from app.store.vault import Vault
from config.settings import Settings

DOWNTOWN, DEPOT = "downtown", "depot"
KEYS = ("web", "till", "parcels", "wms")
WEB_PLACES = {DOWNTOWN: "71001", DEPOT: "71002"}
TILL_PLACE = "LDOWNTOWN"


_CONFIGURATION = """
[[location]]
code = "downtown"
name = "Downtown store"

[[location]]
code = "depot"
name = "Depot"

[[channel]]
key = "web"
provider = "shopify"
base_url = "{web_url}"
settings = {{ shop = "blue-jacket.myshopify.com" }}
secrets = {{ webhook = ["{web[secret]}"], access_token = "{web[token]}" }}
locations = {{ {web_places} }}
publish = true
authority = {{ shipped = "parcels" }}

[[channel]]
key = "till"
provider = "square"
base_url = "{till_url}"
settings = {{ notification_url = "{till[webhook_url]}" }}
secrets = {{ webhook = ["{till[secret]}"], access_token = "{till[token]}" }}
locations = {{ downtown = "LDOWNTOWN" }}
publish = true

[[channel]]
key = "parcels"
provider = "shipstation"
base_url = "{parcels_url}"
settings = {{ channel = "web" }}
secrets = {{ api_key = "{parcels[api_key]}" }}

[[channel]]
key = "wms"
provider = "standard"
settings = {{ push_url = "{wms_url}/stock" }}
secrets = {{ webhook = ["{wms[secret]}"] }}
publish = {{ from = ["depot"] }}
"""


@dataclass(frozen=True, slots=True)
class Good:
    """Something the shop sells, and how its channels know it."""

    sku: str
    name: str
    web: str
    till: str
    counted: Mapping[str, int]


JACKET = Good("BLUE-JACKET-M", "Blue jacket, M", "80801", "VJACKET", {DOWNTOWN: 1})
SCARF = Good("RED-SCARF", "Red scarf", "80802", "VSCARF", {DOWNTOWN: 6, DEPOT: 14})
BEANIE = Good("GREY-BEANIE", "Grey beanie", "80803", "VBEANIE", {DOWNTOWN: 9})
SOCKS = Good("WOOL-SOCKS", "Wool socks", "80804", "VSOCKS", {DEPOT: 30, DOWNTOWN: 8})
GOODS = (JACKET, SCARF, BEANIE, SOCKS)
MUG = Good("TEA-MUG", "Tea mug", "", "VMUG", {DOWNTOWN: 12})
"""Sold at the till though nobody has told the hub what it is there."""


class NotADemo(Exception):
    """The hub has channels of its own: the demo stays out of it."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop while it is open: the hub's database and the channels."""

    settings: Settings
    engine: Engine
    web: Sandbox
    till: Sandbox
    parcels: Sandbox
    wms: Sandbox

    def channel(self, key: str) -> Sandbox:
        """A channel by its key."""
        found: Sandbox = getattr(self, key)
        return found

    def work(self) -> Work:
        """What imports work with."""
        return Work(self.engine, Wakes(self.settings.redis_url), now())


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Shop]:
    """Start the channels, load the shop, close it again. Raises NotADemo."""
    engine = open_engine(settings.database_url)
    with tempfile.TemporaryDirectory(prefix="onecount-demo-") as folder:
        _refuse_others(engine)
        made = _sandboxes(settings, _accepted(engine), Path(folder))
        try:
            for one in made.values():
                one.start()
            for one in made.values():
                one.wait()
            shop = Shop(settings, engine, **made)
            _load(shop)
            yield shop
        finally:
            for one in made.values():
                one.stop()
            engine.dispose()


def _refuse_others(engine: Engine) -> None:
    with engine.connect() as connection:
        keys = set(connection.execute(sa.select(channels.c.key)).scalars())
    if others := sorted(keys - set(KEYS)):
        raise NotADemo(
            f"this hub has channels of its own ({', '.join(others)}); the demo plays "
            "only where there are none: set ONECOUNT_DATA_DIR to another folder"
        )


def _accepted(engine: Engine) -> dict[str, dict[str, dict[str, int]]]:
    """What each channel showed when the demo was last stopped."""
    found: dict[str, dict[str, dict[str, int]]] = {key: {} for key in KEYS}
    with engine.connect() as connection:
        wanted = deliveries.Filter()
        for row in deliveries.page(connection, wanted, now=now(), limit=1000):
            places = found[row["channel"]].setdefault(row["external_id"], {})
            places[row["place"]] = row["accepted"] or 0
    return found


def _sandboxes(
    settings: Settings, stock: Mapping[str, Any], folder: Path
) -> dict[str, Sandbox]:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    base = f"http://{host}:{settings.port}/webhooks"

    def config(key: str, **more: Any) -> dict[str, Any]:
        shared = {"key": key, "webhook_url": f"{base}/{key}", "stock": stock[key]}
        return {**shared, "secret": _secret(), "token": secrets.token_hex(16), **more}

    web = config(
        "web",
        items=[
            {"id": g.web, "sku": g.sku, "name": g.name, "parent": f"4{g.web}"}
            for g in GOODS
        ],
        locations=[{"id": id, "name": code} for code, id in WEB_PLACES.items()],
        retry_scale=0.02,
    )
    till = config(
        "till",
        items=[{"id": g.till, "sku": g.sku, "name": g.name} for g in (*GOODS, MUG)],
        locations=[{"id": TILL_PLACE, "name": DOWNTOWN}],
        stock={**stock["till"], MUG.till: {TILL_PLACE: 12}},
    )
    parcels = config("parcels", api_key=secrets.token_hex(16))
    wms = config("wms", items=[{"id": g.sku, "sku": g.sku} for g in GOODS])
    return {
        "web": Sandbox("shopify", web, folder),
        "till": Sandbox("square", till, folder),
        "parcels": Sandbox("shipstation", parcels, folder),
        "wms": Sandbox("standard", wms, folder),
    }


def _secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _load(shop: Shop) -> None:
    vault = Vault(shop.settings.secret_keys)
    text = configuration(shop).encode()
    loaded = load(shop.engine, vault, text, Surroundings({}, Path()), now())
    work = shop.work()
    for lane in loaded.lanes:
        work.wakes.wake(lane)
    skus = [(good.sku, good.name, "") for good in (*GOODS, MUG)]
    importing.import_skus(work, read_sheet(_csv(SKUS, skus), SKUS))
    import_listings(shop, [row for good in GOODS for row in _listings(good)])
    with shop.engine.connect() as connection:
        counted = connection.execute(
            sa.select(stock_levels.c.id).where(stock_levels.c.counted_at.is_not(None))
        ).first()
    if counted is None:
        import_counts(shop, (*GOODS, MUG))


def configuration(shop: Shop) -> str:
    """The file that an owner of these channels would load."""
    places = ", ".join(f'{code} = "{id}"' for code, id in WEB_PLACES.items())
    parts: dict[str, Any] = {"web_places": places}
    for key in KEYS:
        channel = shop.channel(key)
        parts |= {key: channel.config, f"{key}_url": channel.url}
    return _CONFIGURATION.format(**parts)


def _listings(good: Good) -> list[tuple[str, ...]]:
    return [
        ("web", good.sku, good.web, f"4{good.web}"),
        ("till", good.sku, good.till, ""),
        ("wms", good.sku, good.sku, ""),
    ]


def import_listings(shop: Shop, rows: Sequence[tuple[str, ...]]) -> None:
    """Say what channels' items are, as `onecount import listings` does."""
    columns = importing.LISTINGS
    importing.import_listings(shop.work(), read_sheet(_csv(columns, rows), columns))


def import_counts(shop: Shop, goods: Sequence[Good]) -> None:
    """The first counts, as of an hour ago: what is sold from now on comes after."""
    at = iso(now() - HOUR)
    rows = [
        (good.sku, place, str(good.counted.get(place, 0)), at)
        for good in goods
        for place in (DOWNTOWN, DEPOT)
    ]
    work = shop.work()
    sheet = read_sheet(_csv(COUNTS[:4], rows), COUNTS, COUNTS[:3])
    counting.import_counts(work, sheet, counting.read_counts(sheet, work.now))


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    quoted = [",".join(f'"{cell}"' for cell in row) for row in rows]
    return "\n".join([",".join(columns), *quoted]).encode()

"""What the storm needs: three channels that are not real, and the files to load them.

The channels behave like Shopify, Square and a warehouse; each knows the same goods.
"""

from collections.abc import Mapping
from pathlib import Path

from app.demo.sandboxes import Sandbox
from config.settings import Settings

PLACE = {"web": "71001", "till": "LDOWNTOWN", "wms": ""}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - opens nothing
GOODS = 12

CONFIGURATION = """
[[location]]
code = "downtown"

[[channel]]
key = "web"
provider = "shopify"
base_url = "{web}"
settings = {{ shop = "blue-jacket.myshopify.com" }}
secrets = {{ webhook = "{secret}", access_token = "token" }}
locations = {{ downtown = 71001 }}
publish = true

[[channel]]
key = "till"
provider = "square"
base_url = "{till}"
settings = {{ notification_url = "{hub}/webhooks/till" }}
secrets = {{ webhook = "{secret}", access_token = "token" }}
locations = {{ downtown = "LDOWNTOWN" }}
publish = true

[[channel]]
key = "wms"
provider = "standard"
settings = {{ push_url = "{wms}/stock" }}
secrets = {{ webhook = "{secret}" }}
publish = true
"""


def sku_name(number: int) -> str:
    """Our name of one of the goods."""
    return f"JACKET-{number}"


def item(key: str, sku: str) -> str:
    """What a channel calls a SKU."""
    number = sku.rpartition("-")[2]
    return {"web": f"808{number}", "till": f"V{number}", "wms": sku}[key]


def sandboxes(
    settings: Settings, folder: Path, goods: int = GOODS
) -> dict[str, Sandbox]:
    """The channels, not started yet; their configuration is kept in the folder."""
    providers = {"web": "shopify", "till": "square", "wms": "standard"}
    hub = f"http://127.0.0.1:{settings.port}/webhooks"
    skus = [sku_name(number) for number in range(goods)]
    return {
        key: Sandbox(
            provider,
            {
                "key": key,
                "webhook_url": f"{hub}/{key}",
                "secret": SECRET,
                "token": "token",
                "items": [
                    {"id": item(key, s), "sku": s, "parent": f"9{item(key, s)}"}
                    for s in skus
                ],
                "locations": [{"id": PLACE[key], "name": "downtown"}],
                "retry_seconds": [0.5, 1, 2, 4, 8, 16, 32],
                "retry_scale": 0.01,
                # Dozens of orders a second are sold by shops on the largest plan.
                "bucket": 20_000,
                "restore_rate": 1_000,
            },
            folder,
        )
        for key, provider in providers.items()
    }


def files(
    hub: str, channels: Mapping[str, Sandbox], goods: int = GOODS
) -> dict[str, str]:
    """Name → content of what an owner of these channels would load and import."""
    addresses = {key: one.url for key, one in channels.items()}
    skus = [sku_name(number) for number in range(goods)]
    return {
        "hub.toml": CONFIGURATION.format(hub=hub, secret=SECRET, **addresses),
        "skus.csv": "sku,name,barcode\n" + "".join(f"{s},Jacket,\n" for s in skus),
        "listings.csv": "channel,sku,external_id,external_parent_id\n"
        + "".join(
            f"{key},{s},{item(key, s)},9{item(key, s)}\n" for key in PLACE for s in skus
        ),
    }

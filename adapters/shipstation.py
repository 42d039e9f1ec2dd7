"""ShipStation: what left, for the orders of another channel. Publishes nothing.

https://docs.shipstation.com/apis/docs/guides/webhooks-overview

What surprised us (2026-11):
- A webhook is an address and a topic. What it points at is a list in pages, and one
  webhook can mean many shipments.
- Labels and fulfillments (V2) name no items; their shipment does.
- V1's address often says includeShipmentItems=False, and its times are Pacific.
- Voiding a label sends nothing, and the shipment can get another label: all labels of a
  shipment are read together, and `changes` looks for what was voided.
- Of a shipment that was marked as shipped without a label there is a fulfillment, which
  no list of labels has; which of them were voided cannot be asked for.
- V1 and V2 number the same shipment differently, so what they tell of is not added up.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters.base import Adapter, Change
from adapters.checks import shown
from adapters.http import Http, host_of
from adapters.parts import shipstation_shipments as shipments
from adapters.parts.shipstation_keys import ShipStationSignature, ring
from adapters.parts.shipstation_reading import Reader
from adapters.signatures import SignedRequest
from app.domain.channels import Channel
from app.domain.errors import BadConfiguration, MalformedPayload
from app.domain.events import Message, Normalised, Read
from app.domain.instants import Instant

_KEYS = "https://api.shipengine.com/jwks"
_OWN_HOSTS = {
    1: re.compile(r"https://ssapi\d*\.shipstation\.com:443"),
    2: re.compile(r"https://api\.(shipstation|shipengine)\.com:443"),
}
"""Where our credentials of V1 and V2 may be sent: never where a webhook likes."""

_POINTERS = {
    "SHIP_NOTIFY": 1,
    "ITEM_SHIP_NOTIFY": 1,
    "LABEL_CREATED_V2": 2,
    "FULFILLMENT_SHIPPED_V2": 2,
    "SHIPMENT_CREATED_V2": 2,
}
"""Topics that tell of shipments → the API whose credentials read them."""
_READ = {"shipments.read": 1, "v2.shipments.read": 2}
"""Our own topics, for shipments that were looked up and not told of by a webhook."""
_SILENT = {
    "ORDER_NOTIFY": "An order came in: the channel that took it tells us itself.",
    "ITEM_ORDER_NOTIFY": "An order came in: the channel that took it tells us itself.",
    "TRACK_EVENT_V2": "A carrier's scan names no items: it moves no stock.",
    "API_TRACK": "A carrier's scan names no items: it moves no stock.",
    "FULFILLMENT_SHIPPED": "A fulfillment of V1 names no items: it moves no stock.",
}


class ShipStation(Adapter):
    """One ShipStation account, shipping other channels' orders."""

    title = "ShipStation"
    docs = "https://docs.shipstation.com/apis/docs/guides/webhooks-overview"
    settings = {
        "jwks_url": "where the public keys are listed (default: ShipStation's own)",
        "channel": "the key of the channel whose orders are shipped (default: any)",
    }
    secrets = {
        "api_key": "the API key of V2",
        "v1_key": "the API key of V1",
        "v1_secret": "the API secret of V1",
        "webhook": "the token at the end of the address, for webhooks of V1",
    }
    signature = ShipStationSignature(ring(_KEYS))
    keeps = {"resource_type": True, "resource_url": True}
    publishes = False
    polls = True

    def __init__(self, channel: Channel, http: Http) -> None:
        super().__init__(channel, http)
        self.reader = Reader(channel, http)

    @classmethod
    def check(cls, channel: Channel) -> None:
        super().check(channel)
        has = {name for name in cls.secrets if channel.secret(name)}
        if ("v1_key" in has) != ("v1_secret" in has):
            raise BadConfiguration(
                "V1 needs both secrets.v1_key and secrets.v1_secret",
                "secrets.v1_secret" if "v1_key" in has else "secrets.v1_key",
            )
        if not has & {"api_key", "v1_key"}:
            raise BadConfiguration(
                "ShipStation needs secrets.api_key (V2), or secrets.v1_key and "
                "secrets.v1_secret (V1): its webhooks only point at what to read",
                "secrets.api_key",
            )

    def check_access(self) -> list[str]:
        return self.reader.check_access()

    # -- receiving -----------------------------------------------------------

    def scheme(self) -> ShipStationSignature:
        own = self.channel.base_url
        default = f"{own.rstrip('/')}/jwks" if own else _KEYS
        url = str(self.channel.settings.get("jwks_url") or default)
        return ShipStationSignature(ring(url), self.http)

    def trial(self, at: Instant) -> SignedRequest | None:
        """Of V1 only: what V2 signs with is ShipStation's own."""
        made = super().trial(at)
        return made and replace(made, token=self.channel.secret("webhook"))

    def topic(self, headers: Mapping[str, str], document: Any) -> str:
        found = document.get("resource_type") if isinstance(document, dict) else None
        return found if isinstance(found, str) else ""

    def normalise(self, message: Message) -> Normalised:
        if message.topic in _READ:
            return self._shipments(message.document, _READ[message.topic])
        api = _POINTERS.get(message.topic)
        if api is None:
            said = _SILENT.get(message.topic, f"{message.topic} moves no stock.")
            return Normalised(ignored=(said,))
        if message.fetched is None:
            url = message.document.get("resource_url")
            self._refuse_foreign(url, api)
            return Normalised(read=Read(f"v{api}", url))
        return self._shipments(message.fetched, api)

    def _shipments(self, document: Any, api: int) -> Normalised:
        rows = document.get("shipments") if isinstance(document, dict) else None
        channel = self.channel.settings.get("channel") or None
        places = self.channel.locations.values()
        return shipments.normalise(rows, api, channel, places)

    def _refuse_foreign(self, url: Any, api: int) -> None:
        try:
            host = "" if "@" in urlsplit(url).netloc else host_of(url)
        except (ValueError, TypeError, AttributeError):
            host = ""
        if own := self.channel.base_url:
            is_own = host == host_of(own)
        else:
            is_own = bool(_OWN_HOSTS[api].fullmatch(host))
        if not is_own:
            raise MalformedPayload(
                f"resource_url: {shown(url)} is not an address of ShipStation's"
            )

    def fetch(self, message: Message, read: Read) -> Any:
        api = 1 if read.what == "v1" else 2
        self._refuse_foreign(read.id, api)
        parts = urlsplit(read.id)
        url = f"{parts.scheme}://{parts.netloc}{parts.path}"
        query = dict(parse_qsl(parts.query))
        if api == 1:
            return {"shipments": list(self.reader.first(url, query))}
        return {"shipments": list(self.reader.second(url, query))}

    def changes(self, since: Instant) -> Iterator[Change]:
        for api, shipment, listed_at in self.reader.changed(since):
            topic = next(name for name, of in _READ.items() if of == api)
            document = {"resource_type": topic, "shipments": [shipment]}
            yield Change(topic, document, listed_at)


adapter = ShipStation

"""ShipStation: what left, for the orders of another channel. Publishes nothing.

https://docs.shipstation.com/apis/docs/guides/webhooks-overview

What surprised us (2026-11):
- A webhook is an address and a topic. What it points at is a list in pages, and one
  webhook can mean many shipments.
- Labels and fulfillments (V2) name no items; their shipment does.
- V1's address often says includeShipmentItems=False, and its times are Pacific.
- Voiding a label sends nothing, and the shipment can get another label: all labels of a
  shipment are read together, and `recent` looks for what was voided.
- V1 and V2 number the same shipment differently: subscribe to one of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from adapters.base import Adapter, keep
from adapters.checks import shown
from adapters.http import Answer, host_of, retry_after
from adapters.parts import shipstation_shipments as shipments
from adapters.parts.shipstation_keys import ShipStationSignature, ring
from app.domain.channels import Channel
from app.domain.errors import BadConfiguration, GiveUp, MalformedPayload, RetryLater
from app.domain.events import Message, Normalised, Read
from app.domain.instants import DAY, SECOND, Instant, iso, to_datetime

_FIRST_HOST = "https://ssapi.shipstation.com"
_SECOND_HOST = "https://api.shipstation.com"
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
_MOST_PAGES = 500
_VOIDED_WITHIN = 30 * DAY
"""How old a label can be that is voided: carriers refund no older ones."""


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

    # -- receiving -----------------------------------------------------------

    def scheme(self) -> ShipStationSignature:
        own = self.channel.base_url
        default = f"{own.rstrip('/')}/jwks" if own else _KEYS
        url = str(self.channel.settings.get("jwks_url") or default)
        return ShipStationSignature(ring(url), self.http)

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
            return {"shipments": list(self._first(url, query))}
        return {"shipments": list(self._second(url, query))}

    def recent(self, since: Instant) -> Iterator[tuple[str, Any]]:
        if self.channel.secret("api_key"):
            url = f"{self._host(_SECOND_HOST)}/v2/labels"
            made = self._pages(2, url, {"created_at_start": iso(since)}, "labels")
            query = {
                "created_at_start": iso(since - _VOIDED_WITHIN),
                "label_status": "voided",
            }
            gone = self._pages(2, url, query, "labels")
            # Compared as text, which may write no fraction: a second to be safe.
            recently = iso(since - SECOND)
            news = [one for one in gone if str(one.get("voided_at")) >= recently]
            for shipment in self._labelled([*made, *news]):
                yield _told("v2.shipments.read", shipment)
        if self.channel.secret("v1_key"):
            url = f"{self._host(_FIRST_HOST)}/shipments"
            for name in ("createDateStart", "voidDateStart"):
                for shipment in self._first(url, {name: _pacific(since)}):
                    yield _told("shipments.read", shipment)

    # -- reading -------------------------------------------------------------

    def _first(self, url: str, query: dict[str, str]) -> Iterator[Any]:
        """Shipments of V1, with their items whatever the address says."""
        query = {**query, "includeShipmentItems": "true"}
        for row in self._pages(1, url, query, "shipments"):
            yield keep(row, shipments.KEPT_FIRST)

    def _second(self, url: str, query: dict[str, str]) -> Iterator[Any]:
        """Shipments of V2 that a list of shipments, labels or fulfillments is about."""
        name = urlsplit(url).path.rstrip("/").rpartition("/")[2]
        rows = self._pages(2, url, query, name)
        if name != "shipments":
            yield from self._labelled(rows)
            return
        for row in rows:
            yield self._shipment(row, str(row.get("shipment_id")), [])

    def _labelled(self, rows: Iterable[dict[str, Any]]) -> Iterator[Any]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if shipment_id := row.get("shipment_id"):
                proofs = found.setdefault(str(shipment_id), [])
                proofs += [row] if "fulfillment_id" in row else []
        for shipment_id, fulfillments in found.items():
            path = f"/v2/shipments/{quote(shipment_id, safe='')}"
            row = _object(self._call(2, self._host(_SECOND_HOST) + path, {}))
            yield self._shipment(row, shipment_id, fulfillments)

    def _shipment(
        self, row: dict[str, Any], shipment_id: str, fulfillments: list[dict[str, Any]]
    ) -> Any:
        labels: list[dict[str, Any]] = []
        if row.get("shipment_status") != "pending" or fulfillments:
            url = f"{self._host(_SECOND_HOST)}/v2/labels"
            labels = list(self._pages(2, url, {"shipment_id": shipment_id}, "labels"))
        whole = {**row, "labels": labels, "fulfillments": fulfillments}
        return keep(whole, shipments.KEPT_SECOND)

    def _pages(
        self, api: int, url: str, query: dict[str, str], name: str
    ) -> Iterator[dict[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            body = _object(self._call(api, url, {**query, "page": str(page)}))
            rows = body.get(name)
            if not isinstance(rows, list):
                raise GiveUp(f"{self.title} answered without a list of {name}")
            yield from (row for row in rows if isinstance(row, dict))
            pages = body.get("pages")
            if not rows or not isinstance(pages, int) or page >= pages:
                return
        raise GiveUp(f"{self.title} has more than {_MOST_PAGES} pages of {name}")

    def _call(self, api: int, url: str, query: dict[str, str]) -> Answer:
        needed = ("api_key",) if api == 2 else ("v1_key", "v1_secret")
        secrets = [self.channel.secret(name) for name in needed]
        if not all(secrets):
            raise GiveUp(
                f"{self.title} ({self.channel.key}) needs secrets.{needed[0]} to read "
                f"what V{api} points at"
            )
        proof: dict[str, Any] = (
            {"headers": {"API-Key": secrets[0]}}
            if api == 2
            else {"auth": (secrets[0], secrets[1])}
        )
        answer = self.http.get(url, params=query, passes=(429,), **proof)
        if answer.status == 429:
            # V1 says in its own header how long the minute still lasts.
            wait = answer.headers.get("retry-after") or answer.headers.get(
                "x-rate-limit-reset"
            )
            raise RetryLater(
                f"{self.title} ({self.channel.key}) answered 429: too many calls",
                after=retry_after(wait),
                status=429,
            )
        return answer

    def _host(self, default: str) -> str:
        return (self.channel.base_url or default).rstrip("/")


def _object(answer: Answer) -> dict[str, Any]:
    body = answer.json()
    if not isinstance(body, dict):
        raise RetryLater("ShipStation answered with JSON that is no object")
    return body


def _told(topic: str, shipment: Any) -> tuple[str, Any]:
    return topic, {"resource_type": topic, "shipments": [shipment]}


def _pacific(instant: Instant) -> str:
    moment = to_datetime(instant).astimezone(shipments.PACIFIC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


adapter = ShipStation

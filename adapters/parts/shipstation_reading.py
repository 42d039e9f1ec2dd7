"""Reading ShipStation, by either API: pages, what changed, and the whole of a shipment.

https://docs.shipstation.com/openapi/labels
https://docs.shipstation.com/apis/openapi/fulfillments/list_fulfillments
"""

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain
from typing import Any
from urllib.parse import quote, urlsplit

from adapters.checks import time_or_none
from adapters.http import Answer, Http, retry_after
from adapters.keeping import keep
from adapters.parts import shipstation_shipments as shipments
from app.domain.channels import Channel
from app.domain.errors import GiveUp, RetryLater
from app.domain.instants import DAY, SECOND, Instant, iso, to_datetime

_TITLE = "ShipStation"
_FIRST_HOST = "https://ssapi.shipstation.com"
_SECOND_HOST = "https://api.shipstation.com"
_MOST_PAGES = 500
_OLDEST_FIRST = {"sort_by": "created_at", "sort_dir": "asc"}
_VOIDED_WITHIN = 30 * DAY
"""How old a label can be that is voided: carriers refund no older ones."""

Found = tuple[int, Any, Instant | None]
"""The API it was read by, the shipment, and up to when the list was read by then."""


class Reader:
    """Reads one account. Raises RetryLater, GiveUp or CredentialsRefused."""

    def __init__(self, channel: Channel, http: Http) -> None:
        self.channel = channel
        self.http = http

    def changed(self, since: Instant) -> Iterator[Found]:
        """What left since then, oldest first; before it, what was voided."""
        # With both APIs there are two lists, and no order over both of them.
        is_one_list = not (
            self.channel.secret("api_key") and self.channel.secret("v1_key")
        )
        for api, shipment, listed_at in chain(self._voided(since), self._made(since)):
            yield api, shipment, listed_at if is_one_list else None

    def check_access(self) -> list[str]:
        """Read one row with each of the keys there are."""
        if self.channel.secret("api_key"):
            _object(self._call(2, self._labels, {"page_size": "1"}))
        if self.channel.secret("v1_key"):
            url = f"{self._host(_FIRST_HOST)}/shipments"
            _object(self._call(1, url, {"pageSize": "1"}))
        return []

    def _voided(self, since: Instant) -> Iterator[Found]:
        """A label can be far older than the time it was voided at."""
        if self.channel.secret("api_key"):
            query = {
                "created_at_start": iso(since - _VOIDED_WITHIN),
                "label_status": "voided",
            }
            gone = self._pages(2, self._labels, query, "labels")
            # Compared as text, which may write no fraction: a second to be safe.
            recently = iso(since - SECOND)
            news = [one for one in gone if str(one.get("voided_at")) >= recently]
            for shipment, _ in self._labelled(news):
                yield 2, shipment, None
        if self.channel.secret("v1_key"):
            for shipment in self.first(*self._query("void", since)):
                yield 1, shipment, None

    def _made(self, since: Instant) -> Iterator[Found]:
        if self.channel.secret("api_key"):
            for shipment, listed_at in self._labelled(self._proofs(since)):
                yield 2, shipment, listed_at
        if self.channel.secret("v1_key"):
            for shipment in self.first(*self._query("create", since)):
                listed_at = shipments.pacific_or_none(shipment.get("createDate"))
                yield 1, shipment, listed_at

    def _proofs(self, since: Instant) -> Iterator[dict[str, Any]]:
        """Labels, and what was marked as shipped without one, in one order over both."""
        labels = {"created_at_start": iso(since), **_OLDEST_FIRST}
        marked = {"create_date_start": iso(since), **_OLDEST_FIRST}
        url = f"{self._host(_SECOND_HOST)}/v2/fulfillments"
        return merge(
            self._pages(2, self._labels, labels, "labels"),
            self._pages(2, url, marked, "fulfillments"),
            key=lambda row: time_or_none(row.get("created_at")) or 0,
        )

    @property
    def _labels(self) -> str:
        return f"{self._host(_SECOND_HOST)}/v2/labels"

    def _query(self, what: str, since: Instant) -> tuple[str, dict[str, str]]:
        url = f"{self._host(_FIRST_HOST)}/shipments"
        order = {"sortBy": "CreateDate", "sortDir": "ASC"}
        return url, {f"{what}DateStart": _pacific(since), **order}

    def first(self, url: str, query: dict[str, str]) -> Iterator[Any]:
        """Shipments of V1, with their items whatever the address says."""
        query = {**query, "includeShipmentItems": "true"}
        for row in self._pages(1, url, query, "shipments"):
            yield keep(row, shipments.KEPT_FIRST)

    def second(self, url: str, query: dict[str, str]) -> Iterator[Any]:
        """Shipments of V2 that a list of shipments, labels or fulfillments is about."""
        name = urlsplit(url).path.rstrip("/").rpartition("/")[2]
        rows = self._pages(2, url, query, name)
        if name != "shipments":
            for shipment, _ in self._labelled(rows):
                yield shipment
            return
        for row in rows:
            yield self._shipment(row, str(row.get("shipment_id")))

    def _labelled(
        self, rows: Iterable[dict[str, Any]]
    ) -> Iterator[tuple[Any, Instant | None]]:
        """The shipments of labels or fulfillments, and when the first of each was made."""
        found: dict[str, list[dict[str, Any]]] = {}
        first: dict[str, Instant | None] = {}
        for row in rows:
            if shipment_id := row.get("shipment_id"):
                proofs = found.setdefault(str(shipment_id), [])
                proofs += [row] if "fulfillment_id" in row else []
                first.setdefault(str(shipment_id), time_or_none(row.get("created_at")))
        for shipment_id, fulfillments in found.items():
            row = self._second_shipment(shipment_id)
            found_at = first[shipment_id]
            yield self._shipment(row, shipment_id, fulfillments), found_at

    def _second_shipment(self, shipment_id: str) -> dict[str, Any]:
        path = f"/v2/shipments/{quote(shipment_id, safe='')}"
        try:
            return _object(self._call(2, self._host(_SECOND_HOST) + path, {}))
        except GiveUp as error:
            if error.status != 404:
                raise
            # Deleted since it was listed: it names no order, and holds up no other.
            return {"shipment_id": shipment_id}

    def _shipment(
        self,
        row: dict[str, Any],
        shipment_id: str,
        fulfillments: list[dict[str, Any]] | None = None,
    ) -> Any:
        """With its labels. What was found by a label or fulfillment is asked for them
        even when it is pending: so it is again once its label was voided."""
        labels: list[dict[str, Any]] = []
        if row.get("shipment_status") != "pending" or fulfillments is not None:
            query = {"shipment_id": shipment_id}
            labels = list(self._pages(2, self._labels, query, "labels"))
        whole = {**row, "labels": labels, "fulfillments": fulfillments or []}
        return keep(whole, shipments.KEPT_SECOND)

    def _pages(
        self, api: int, url: str, query: dict[str, str], name: str
    ) -> Iterator[dict[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            body = _object(self._call(api, url, {**query, "page": str(page)}))
            rows = body.get(name)
            if not isinstance(rows, list):
                raise GiveUp(f"{_TITLE} answered without a list of {name}")
            yield from (row for row in rows if isinstance(row, dict))
            pages = body.get("pages")
            if not rows or not isinstance(pages, int) or page >= pages:
                return
        raise GiveUp(f"{_TITLE} has more than {_MOST_PAGES} pages of {name}")

    def _call(self, api: int, url: str, query: dict[str, str]) -> Answer:
        needed = ("api_key",) if api == 2 else ("v1_key", "v1_secret")
        secrets = [self.channel.secret(name) for name in needed]
        if not all(secrets):
            raise GiveUp(
                f"{_TITLE} ({self.channel.key}) needs secrets.{needed[0]} to read "
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
                f"{_TITLE} ({self.channel.key}) answered 429: too many calls",
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


def _pacific(instant: Instant) -> str:
    moment = to_datetime(instant).astimezone(shipments.PACIFIC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")

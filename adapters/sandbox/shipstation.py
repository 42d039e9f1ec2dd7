"""A ShipStation account that is not real: both APIs, the key list, signed pointers.

It knows no stock and no orders, only what is shipped: POST /_sandbox/ship
`{"number", "lines": [{"sku", "quantity"}], "warehouse"?, "label"?}` (`label` false: V2
marks it as shipped without one), /_sandbox/void `{"shipment"}`. Beyond the common configuration: `api` (v2, the default, or v1: which
webhooks are sent), `api_key`, `v1_key`, `v1_secret`; `secret` ends the address of V1.
"""

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, jsonify, request

from adapters.sandbox.orders import Refused, clock
from adapters.sandbox.server import Sandbox, serve
from adapters.sandbox.shipstation_documents import (
    Parcel,
    first,
    fulfillment,
    iso,
    label,
    pacific_after,
    second,
)


class ShipStationSandbox(Sandbox):
    """One ShipStation account."""

    provider = "shipstation"
    keeps_stock = False
    # About two tries, half an hour apart; played as seconds.
    retry_seconds = (2, 30)

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.parcels: dict[int, Parcel] = {}
        self.key = rsa.generate_private_key(65537, 2048)
        numbers = self.key.public_key().public_numbers()
        self.modulus, self.exponent = _number(numbers.n), _number(numbers.e)
        self.key_id = sha256(self.modulus.encode()).hexdigest()[:16]

    # -- what happens ----------------------------------------------------------

    def ship_parcel(self) -> Any:
        """Make a label for an order, as it is known by its number, or mark it shipped."""
        wanted = request.get_json(silent=True) or {}
        try:
            rows = [(str(r["sku"]), int(r["quantity"])) for r in wanted["lines"]]
            number = str(wanted["number"])
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(400, f"bad or missing value: {error}") from error
        with self.lock:
            found = int(self.new_id("shipment"))
            warehouse, has_label = wanted.get("warehouse"), wanted.get("label", True)
            self.parcels[found] = Parcel(found, number, rows, warehouse, has_label)
            self._announce(found, has_label)
        return jsonify(shipment=str(found), label=f"se-l{found}"), 201

    def void_parcel(self) -> Any:
        """Void a label. No webhook follows: the real one sends none either."""
        wanted = request.get_json(silent=True) or {}
        with self.lock:
            parcel = self.parcels.get(int(wanted.get("shipment") or 0))
            if parcel is None or parcel.voided_at:
                raise Refused(404, "no such shipment, or voided before")
            parcel.voided_at = clock()
        return jsonify(shipment=str(parcel.id), voided=True)

    def _announce(self, parcel_id: int, has_label: bool) -> None:
        own, url = request.host_url, self.webhooks.url
        if self.config.get("api") == "v1":
            query = f"batchId={parcel_id}&includeShipmentItems=False"
            told = {
                "resource_url": f"{own}shipments?{query}",
                "resource_type": "SHIP_NOTIFY",
            }
            url = f"{url}/{self.secret}" if url and self.secret else url
        elif not has_label:
            query = f"fulfillment_id=se-f{parcel_id}&shipment_id=se-{parcel_id}"
            told = {
                "resource_url": f"{own}v2/fulfillments?{query}",
                "resource_type": "FULFILLMENT_SHIPPED_V2",
            }
        else:
            told = {
                "resource_url": f"{own}v2/labels?batch_id=se-b{parcel_id}",
                "resource_type": "LABEL_CREATED_V2",
            }
        self.webhooks.send(self.headers, json.dumps(told).encode(), url)

    def headers(self, body: bytes, tries: int) -> Mapping[str, str]:
        """The headers of one try: the time is of the try, not of the first one."""
        if self.config.get("api") == "v1":
            return {"content-type": "application/json"}
        at = iso(clock())
        signed = at.encode() + b"." + body
        made = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return {
            "content-type": "application/json",
            "x-shipengine-timestamp": at,
            "x-shipengine-rsa-sha256-key-id": self.key_id,
            "x-shipengine-rsa-sha256-signature": base64.b64encode(made).decode(),
        }

    # -- the API ---------------------------------------------------------------

    def routes(self, app: Flask) -> None:
        app.before_request(self._recognise)
        for path, view in (
            ("/_sandbox/ship", self.ship_parcel),
            ("/_sandbox/void", self.void_parcel),
        ):
            app.add_url_rule(path, view_func=view, methods=["POST"])
        for path, view in (
            ("/jwks", self.jwks),
            ("/shipments", self.first_shipments),
            ("/v2/shipments", self.second_shipments),
            ("/v2/labels", self.labels),
            ("/v2/fulfillments", self.fulfillments),
        ):
            app.add_url_rule(path, view_func=view)
        app.add_url_rule("/v2/shipments/<parcel>", view_func=self.second_shipment)

    def _recognise(self) -> Any:
        if request.path.startswith("/v2/"):
            is_known = request.headers.get("API-Key") == self.config.get("api_key")
        elif request.path == "/shipments":
            given = request.authorization
            pair = (self.config.get("v1_key"), self.config.get("v1_secret"))
            is_known = given is not None and (given.username, given.password) == pair
        else:
            return None
        if is_known:
            return None
        words = {"error_code": "unauthorized", "message": "This key is not known."}
        return jsonify(errors=[words]), 401

    def jwks(self) -> Any:
        return jsonify(
            keys=[
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": "RS256",
                    "kid": self.key_id,
                    "n": self.modulus,
                    "e": self.exponent,
                }
            ]
        )

    def first_shipments(self) -> Any:
        has_items = request.args.get("includeShipmentItems", "").lower() == "true"
        since = request.args.get("createDateStart"), request.args.get("voidDateStart")
        batch = request.args.get("batchId")
        is_newest_first = request.args.get("sortDir", "ASC").upper() == "DESC"
        with self.lock:
            parcels = sorted(
                self.parcels.values(), key=lambda p: p.at, reverse=is_newest_first
            )
            rows = [
                first(parcel, has_items)
                for parcel in parcels
                if parcel.has_label
                and batch in (None, str(parcel.id))
                and pacific_after(parcel.at, since[0])
                and (not since[1] or pacific_after(parcel.voided_at, since[1]))
            ]
        return _page(rows, "shipments", int(request.args.get("pageSize", 100)))

    def second_shipments(self) -> Any:
        with self.lock:
            rows = [second(parcel) for parcel in self.parcels.values()]
        return _page(rows, "shipments", int(request.args.get("page_size", 25)))

    def second_shipment(self, parcel: str) -> Any:
        number = parcel.removeprefix("se-")
        with self.lock:
            found = self.parcels.get(int(number)) if number.isdecimal() else None
        if found is None:
            return jsonify(errors=[{"error_code": "not_found"}]), 404
        return jsonify(second(found))

    def labels(self) -> Any:
        wanted = request.args
        with self.lock:
            rows = [label(one) for one in self.parcels.values() if one.has_label]
        rows = [
            row
            for row in rows
            if wanted.get("shipment_id") in (None, row["shipment_id"])
            and wanted.get("batch_id") in (None, row["batch_id"])
            and wanted.get("label_status") in (None, row["status"])
            and row["created_at"] >= wanted.get("created_at_start", "")
        ]
        # Newest first, unless asked otherwise.
        name = wanted.get("sort_by", "created_at")
        is_newest_first = wanted.get("sort_dir", "desc") != "asc"
        rows.sort(key=lambda row: row[name] or "", reverse=is_newest_first)
        return _page(rows, "labels", int(wanted.get("page_size", 25)))

    def fulfillments(self) -> Any:
        wanted = request.args
        with self.lock:
            marked = [one for one in self.parcels.values() if not one.has_label]
        rows = [
            row
            for row in map(fulfillment, marked)
            if wanted.get("shipment_id") in (None, row["shipment_id"])
            and wanted.get("fulfillment_id") in (None, row["fulfillment_id"])
            and row["created_at"] >= wanted.get("create_date_start", "")
        ]
        is_newest_first = wanted.get("sort_dir", "desc") != "asc"
        rows.sort(key=lambda row: row["created_at"], reverse=is_newest_first)
        return _page(rows, "fulfillments", int(wanted.get("page_size", 25)))


def _page(rows: list[dict[str, Any]], name: str, size: int) -> Any:
    page = int(request.args.get("page", 1))
    found = rows[(page - 1) * size : page * size]
    pages = -(-len(rows) // size)
    return jsonify({name: found, "total": len(rows), "page": page, "pages": pages})


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


if __name__ == "__main__":
    serve(ShipStationSandbox)

"""ShipStation's shipments, of either API, read into what left for which order. Pure.

V1: https://docs.shipstation.com/apis/shipstation-v1/docs/shipments/list
V2: https://docs.shipstation.com/openapi/shipments

A shipment is one fact: out while it has a label or a fulfillment that is not voided.
A label for a return is a notice that units will come back; it moves no stock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields

from adapters.shapes import Each, Name, Part, Rows, Time, Units, kept, load, optional
from app.domain.errors import MalformedPayload
from app.domain.events import ADVISED, PARCEL, SHIPPED, Normalised, StockEvent
from app.domain.instants import Instant, from_datetime, iso

PACIFIC = ZoneInfo("America/Los_Angeles")
_WITNESSES = {1: None, 2: "v2"}
"""They number the same shipment differently, and an account may be read by both."""
_LABELLED = ("completed", None)
"""States of a label that are one; others are in work, failed or voided."""


class PacificTime(Time):
    """A time of V1, which names no zone: it is always Pacific time."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> Instant:
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                value = iso(from_datetime(moment.replace(tzinfo=PACIFIC)))
        except (TypeError, ValueError, OverflowError):
            raise ValidationError("not a time") from None
        return super()._deserialize(value, attr, data, **kwargs)


def pacific_or_none(given: Any) -> Instant | None:
    """A time of V1 that is only worth something where it is one."""
    try:
        found: Instant = PacificTime().deserialize(given)
        return found
    except ValidationError:
        return None


class _Item(Part):
    sku = Name(required=True)
    quantity = Units(required=True)


class _FirstShipment(Part):
    shipmentId = Name(required=True)
    orderNumber = Name(required=True)
    createDate = PacificTime(required=True)
    voided = optional(fields.Boolean)
    voidDate = optional(PacificTime)
    isReturnLabel = optional(fields.Boolean)
    warehouseId = optional(Name)
    shipmentItems = Rows(_Item)


class _Label(Part):
    status = optional(fields.String)
    voided = optional(fields.Boolean)
    is_return_label = optional(fields.Boolean)
    created_at = Time(required=True)
    voided_at = optional(Time)


class _Fulfillment(Part):
    created_at = Time(required=True)
    voided_at = optional(Time)


class _SecondShipment(Part):
    shipment_id = Name(required=True)
    shipment_number = optional(Name)
    external_order_id = optional(Name)
    is_return = optional(fields.Boolean)
    warehouse_id = optional(Name)
    items = Rows(_Item)
    labels = Each(_Label)
    fulfillments = Each(_Fulfillment)


_ITEM, _FIRST, _SECOND = _Item(), _FirstShipment(), _SecondShipment()
KEPT_FIRST: Final = kept(_FirstShipment)
KEPT_SECOND: Final = kept(_SecondShipment)
"""The fields that are stored: no recipient, no address, no tracking number."""


@dataclass(frozen=True)
class _Parcel:
    """What both APIs tell of a shipment."""

    id: str
    number: str
    is_out: bool
    left_at: Instant
    version: Instant
    warehouse: str | None
    items: list[dict[str, Any]]
    comes_back: bool
    """A label for a return: a notice, nothing that left."""


def normalise(
    rows: Any, api: int, channel: str | None, places: Collection[str]
) -> Normalised:
    """Say what shipments mean. `channel`: whose orders; `places`: warehouses mapped."""
    if not isinstance(rows, list):
        raise MalformedPayload("shipments: expected a list")
    events: list[StockEvent] = []
    ignored: list[str] = []
    bad: list[MalformedPayload] = []
    for at, row in enumerate(rows):
        name = f"shipments[{at}]"
        try:
            parcel = _first(row, name) if api == 1 else _second(row, name)
            if isinstance(parcel, str):
                ignored.append(f"{name} {parcel}.")
                continue
            items = "shipmentItems" if api == 1 else "items"
            found = _by_sku(parcel.items, f"{name}.{items}", ignored)
        except MalformedPayload as error:
            bad.append(error)
            continue
        events += _events(parcel, found, channel, places, _WITNESSES[api])
    if bad and not (events or ignored):
        raise bad[0]
    return Normalised(tuple(events), ignored=tuple(ignored), bad=tuple(map(str, bad)))


def _first(row: Any, at: str) -> _Parcel | str:
    if isinstance(row, dict) and row.get("orderNumber") in (None, ""):
        # A label that was made by API for none.
        return "belongs to no order"
    told = load(_FIRST, row, at)
    made_at = told["createDate"]
    is_void = bool(told["voided"] or told["voidDate"])
    # Voiding comes after making, also in the hour that autumn repeats.
    version = max(told["voidDate"] or 0, made_at + 1) if is_void else made_at
    return _Parcel(
        told["shipmentId"],
        told["orderNumber"],
        not is_void,
        made_at,
        version,
        told["warehouseId"],
        told["shipmentItems"],
        bool(told["isReturnLabel"]),
    )


def _second(row: Any, at: str) -> _Parcel | str:
    told = load(_SECOND, row, at)
    number = told["shipment_number"] or told["external_order_id"]
    if number is None:
        return "belongs to no order"
    comes_back = bool(told["is_return"])
    labels = [one for one in told["labels"] if comes_back or not one["is_return_label"]]
    proofs = labels + told["fulfillments"]
    if not proofs:
        return "has no label yet: nothing has left"
    times = [one[name] for one in proofs for name in ("created_at", "voided_at")]
    return _Parcel(
        told["shipment_id"],
        number,
        any(_stands(one) for one in proofs),
        min(one["created_at"] for one in proofs),
        max(time for time in times if time),
        told["warehouse_id"],
        told["items"],
        comes_back,
    )


def _stands(proof: dict[str, Any]) -> bool:
    is_void = bool(proof.get("voided") or proof["voided_at"])
    return not is_void and proof.get("status") in _LABELLED


def _by_sku(rows: list[dict[str, Any]], at: str, ignored: list[str]) -> dict[str, int]:
    """Units by SKU: two lines of an order can hold the same one."""
    found: dict[str, int] = {}
    for place, row in enumerate(rows):
        if not row.get("sku"):
            ignored.append(f"{at}[{place}] names no SKU.")
            continue
        item = load(_ITEM, row, f"{at}[{place}]")
        found[item["sku"]] = found.get(item["sku"], 0) + item["quantity"]
    return found


def _events(
    parcel: _Parcel,
    found: dict[str, int],
    channel: str | None,
    places: Collection[str],
    witness: str | None,
) -> list[StockEvent]:
    number = parcel.number.removeprefix("#")
    return [
        StockEvent(
            ADVISED if parcel.comes_back else SHIPPED,
            units if parcel.is_out else 0,
            parcel.left_at,
            parcel.version,
            sku=sku,
            place=_place(parcel, places),
            order=number,
            order_number=number,
            order_channel=channel,
            fact=parcel.id,
            scope=None if parcel.comes_back else PARCEL,
            witness=witness,
        )
        for sku, units in found.items()
    ]


def _place(parcel: _Parcel, places: Collection[str]) -> str | None:
    """Where it leaves, if that is told; where units come back is not known yet."""
    is_told = parcel.warehouse in places and not parcel.comes_back
    return parcel.warehouse if is_told else None

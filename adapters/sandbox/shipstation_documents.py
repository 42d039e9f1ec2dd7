"""Shipments, labels and fulfillments as ShipStation's two APIs write them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sandbox.orders import clock

_PERSON = {
    "name": "Ada Example",
    "phone": "+1 503 555 0100",
    "email": "ada@example.com",
}
_PACIFIC = ZoneInfo("America/Los_Angeles")


@dataclass
class Parcel:
    """One shipment with its one label, or marked as shipped without one."""

    id: int
    number: str
    rows: list[tuple[str, int]]
    warehouse: str | None
    has_label: bool = True
    at: datetime = field(default_factory=clock)
    voided_at: datetime | None = None


def first(parcel: Parcel, has_items: bool) -> dict[str, Any]:
    items = [
        {"orderItemId": at, "sku": sku, "name": sku, "quantity": quantity}
        for at, (sku, quantity) in enumerate(parcel.rows)
    ]
    return {
        "shipmentId": parcel.id,
        "orderNumber": parcel.number,
        "createDate": pacific(parcel.at),
        "customerEmail": _PERSON["email"],
        "shipTo": _PERSON,
        "isReturnLabel": False,
        "voided": parcel.voided_at is not None,
        "voidDate": pacific(parcel.voided_at) if parcel.voided_at else None,
        "warehouseId": parcel.warehouse,
        "shipmentItems": items if has_items else None,
    }


def second(parcel: Parcel) -> dict[str, Any]:
    # Once its label is voided it waits for another.
    is_labelled = parcel.has_label and not parcel.voided_at
    return {
        "shipment_id": f"se-{parcel.id}",
        "shipment_number": parcel.number,
        "shipment_status": "label_purchased" if is_labelled else "pending",
        "created_at": iso(parcel.at),
        "modified_at": iso(parcel.voided_at or parcel.at),
        "warehouse_id": parcel.warehouse,
        "is_return": False,
        "ship_to": _PERSON,
        "items": [{"name": s, "sku": s, "quantity": q} for s, q in parcel.rows],
    }


def label(parcel: Parcel) -> dict[str, Any]:
    return {
        "label_id": f"se-l{parcel.id}",
        "shipment_id": f"se-{parcel.id}",
        "batch_id": f"se-b{parcel.id}",
        "status": "voided" if parcel.voided_at else "completed",
        "voided": parcel.voided_at is not None,
        "voided_at": iso(parcel.voided_at) if parcel.voided_at else None,
        "created_at": iso(parcel.at),
        "is_return_label": False,
        "tracking_number": f"1Z{parcel.id}",
    }


def fulfillment(parcel: Parcel) -> dict[str, Any]:
    return {
        "fulfillment_id": f"se-f{parcel.id}",
        "shipment_id": f"se-{parcel.id}",
        "shipment_number": parcel.number,
        "created_at": iso(parcel.at),
        "ship_date": iso(parcel.at),
        "voided_at": iso(parcel.voided_at) if parcel.voided_at else None,
        "ship_to": _PERSON,
        "tracking_number": f"1Z{parcel.id}",
    }


def iso(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def pacific(moment: datetime) -> str:
    local = moment.astimezone(_PACIFIC).replace(tzinfo=None)
    return local.isoformat(timespec="microseconds") + "0"


def pacific_after(moment: datetime | None, since: str | None) -> bool:
    if since is None:
        return True
    if moment is None:
        return False
    return moment >= datetime.fromisoformat(since).replace(tzinfo=_PACIFIC)

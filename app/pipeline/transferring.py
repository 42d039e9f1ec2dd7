"""Transfers: units on their way between two locations, in two steps."""

from collections import defaultdict
from typing import Any
from uuid import uuid4

from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.errors import ShortOfUnits, UnknownName
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.pipeline.claims import Claims, Lines
from app.pipeline.facts import Waker, record_in, wake_all
from app.pipeline.house import current
from app.store import cases
from app.store.aliases import sku_ids
from app.store.engine import applying


def transfer(
    engine: Engine,
    from_: str,
    to: str,
    lines: Lines,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    transfer_id: str | None = None,
) -> dict[str, Any]:
    """Send units to another location. Raises ShortOfUnits, UnknownName.

    A `transfer_id` of the caller's own, with the same `now`, makes a repeat the same
    transfer.
    """
    with applying(engine) as connection:
        sent, woken = transfer_in(
            connection,
            from_,
            to,
            lines,
            actor=actor,
            now=now,
            transfer_id=transfer_id or str(uuid4()),
        )
    wake_all(wakes, woken)
    return sent


def transfer_in(
    connection: Connection,
    from_: str,
    to: str,
    lines: Lines,
    *,
    actor: str,
    now: Instant,
    transfer_id: str,
) -> tuple[dict[str, Any], set[str]]:
    """The same inside a caller's `applying` transaction; also the lanes to wake."""
    house = current(connection)
    asked = [{**line, "location": from_} for line in lines]
    if not cases.load(connection, [_sent_key(transfer_id)]):
        Claims(connection, house, asked, now).claim(asked)
    events = [
        StockEvent(
            kinds.TRANSFERRED,
            int(line["quantity"]),
            now,
            now,
            sku=str(line["sku"]),
            place=from_,
            to_place=to,
            fact=transfer_id,
            line=str(number),
        )
        for number, line in enumerate(lines, 1)
    ]
    recorded, woken = record_in(connection, events, actor=actor, now=now)
    keys = [verdict.key for verdict in recorded.events]
    return {"id": transfer_id, "state": "sent", "events": keys}, woken


def receive_transfer(
    engine: Engine,
    transfer_id: str,
    lines: Lines,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    fact_id: str | None = None,
) -> dict[str, Any]:
    """Take in units that were sent. Raises ShortOfUnits (more than is on the way).

    A `fact_id` of the caller's own, with the same `now`, makes a repeat the same fact.
    """
    fact = str(fact_id or uuid4())
    with applying(engine) as connection:
        way = _Way(connection, transfer_id)
        if not way.has(fact):
            way.take_in(connection, lines)
        events = [
            StockEvent(
                kinds.RECEIVED,
                int(line["quantity"]),
                now,
                now,
                sku=str(line["sku"]),
                place=current(connection).names[way.to],
                fact=transfer_id,
                of=transfer_id,
                line=f"{fact}/{number}",
            )
            for number, line in enumerate(lines, 1)
        ]
        recorded, woken = record_in(connection, events, actor=actor, now=now)
    wake_all(wakes, woken)
    state = "partly received" if any(way.units.values()) else "received"
    keys = [verdict.key for verdict in recorded.events]
    return {"id": transfer_id, "state": state, "events": keys}


def _sent_key(transfer_id: str) -> str:
    return f"api/{kinds.TRANSFERRED}/{transfer_id}"


class _Way:
    """What of a transfer is still on the way."""

    def __init__(self, connection: Connection, transfer_id: str) -> None:
        arrived_key = f"api/{kinds.RECEIVED}/{transfer_id}"
        sent = cases.load(connection, [_sent_key(transfer_id)])
        arrived = cases.load(connection, [arrived_key])
        if not sent:
            raise UnknownName(f"there is no transfer {transfer_id!r}", "id")
        self.to = int(sent[0].targets[kinds.TRANSFERRED].extra or 0)
        self.lines = {case.line for case in arrived}
        self.units: dict[int, int] = defaultdict(int)
        for case in sent:
            self.units[case.sku_id or 0] += case.targets[kinds.TRANSFERRED].quantity
        for case in arrived:
            self.units[case.sku_id or 0] -= case.targets[kinds.RECEIVED].quantity

    def has(self, fact: str) -> bool:
        """Whether this arrival is already written down."""
        return any(line.startswith(f"{fact}/") for line in self.lines)

    def take_in(self, connection: Connection, lines: Lines) -> None:
        """Take lines off; two lines for one SKU count as their sum."""
        known = sku_ids(connection, [str(line["sku"]) for line in lines])
        asked: dict[int, int] = defaultdict(int)
        names: dict[int, str] = {}
        for line in lines:
            sku = str(line["sku"])
            if sku not in known:
                raise UnknownName(f"there is no SKU {sku!r}", "lines")
            names.setdefault(known[sku], sku)
            asked[known[sku]] += int(line["quantity"])
        short = [
            {
                "sku": names[sku_id],
                "requested": units,
                "available": self.units.get(sku_id, 0),
            }
            for sku_id, units in asked.items()
            if units > self.units.get(sku_id, 0)
        ]
        if short:
            raise ShortOfUnits(short)
        for sku_id, units in asked.items():
            self.units[sku_id] -= units

"""The webhooks of the story: what each says to the hub, and to the model."""

from typing import Any

from app.domain.instants import iso
from tests.proof.model import Fact
from tests.proof.trade import LINE, Letter


class Post:
    """Writes webhooks: a correction repeats its fact's time, with a higher version."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}

    def order(
        self, now: int, number: str, units: dict[str, int], place: str | None
    ) -> Letter:
        lines = [
            {"id": LINE[sku], "sku": sku, "quantity": n} for sku, n in units.items()
        ]
        at = self._at(f"order {number}", now)
        facts = [
            Fact(
                "placed",
                _line("placed", number, sku),
                now,
                at,
                sku,
                place,
                n,
                ("web", number),
            )
            for sku, n in units.items()
        ]
        wanted = " and ".join(f"{n} {sku}" for sku, n in units.items())
        where = f" from {place}" if place else ""
        words = f"web: order {number} is {wanted}{where}"
        body = {"type": "order", "order": number, "location": place}
        return _letter("web", body, lines, at, now, facts, words)

    def cancellation(self, now: int, number: str, sku: str, units: int) -> Letter:
        key = _line("released", number, sku)
        at = self._at(key, now)
        fact = Fact("released", key, now, at, sku, None, units, ("web", number))
        body = {"type": "cancellation", "order": number}
        words = f"web: {units} {sku} of order {number} are cancelled"
        return _letter("web", body, _lines(sku, units), at, now, [fact], words)

    def shipment(
        self, now: int, number: str, parcel: str, sku: str, units: int, place: str
    ) -> Letter:
        key = f"wms shipped {number} {parcel} {sku}"
        at = self._at(key, now)
        fact = Fact("shipped", key, now, at, sku, place, units, ("web", number))
        body = {"type": "shipment", "order": number, "id": parcel, "channel": "web"}
        words = f"wms: parcel {parcel} of order {number} has {units} {sku} from {place}"
        return _at_place("wms", body, sku, units, at, now, fact, words)

    def comes_back(
        self, now: int, number: str, sku: str, units: int, place: str, to: str
    ) -> Letter:
        key = f"wms returned {number} {sku} {place} {to}"
        at = self._at(key, now)
        fact = Fact("returned", key, now, at, sku, place, units, ("web", number), to)
        body = {
            "type": "return",
            "order": number,
            "id": f"back-{place}-{to}",
            "channel": "web",
        }
        words = f"wms: {units} {sku} of order {number} came back to {place}, {to}"
        more = {"disposition": to}
        return _at_place("wms", body, sku, units, at, now, fact, words, more)

    def sale(self, now: int, ticket: str, sku: str, units: int) -> Letter:
        key = f"till shipped {ticket} {sku}"
        at = self._at(key, now)
        fact = Fact("shipped", key, now, at, sku, "north", units, ("till", ticket))
        words = f"till: ticket {ticket} is {units} {sku}"
        body = {"type": "sale", "id": ticket}
        return _at_place("till", body, sku, units, at, now, fact, words)

    def taken_back(self, now: int, ticket: str, sku: str, units: int) -> Letter:
        key = f"till returned {ticket} {sku}"
        at = self._at(key, now)
        order = ("till", ticket)
        fact = Fact("returned", key, now, at, sku, "north", units, order, "sellable")
        words = f"till: {units} {sku} of ticket {ticket} came back"
        body = {"type": "return", "id": f"back-{ticket}", "order": ticket}
        return _at_place("till", body, sku, units, at, now, fact, words)

    def receipt(
        self, now: int, number: str, sku: str, units: int, place: str
    ) -> Letter:
        key = f"wms:received:{number}:{LINE[sku]}"
        at = self._at(key, now)
        fact = Fact("received", key, now, at, sku, place, units)
        words = f"wms: delivery {number} brought {units} {sku} to {place}"
        body = {"type": "receipt", "id": number}
        return _at_place("wms", body, sku, units, at, now, fact, words)

    def correction(self, now: int, number: str, sku: str, change: int) -> Letter:
        key = f"till:adjusted:{number}:{LINE[sku]}"
        at = self._at(key, now)
        fact = Fact("adjusted", key, now, at, sku, "north", change)
        words = f"till: correction {number} of {change:+} {sku}"
        body = {"type": "adjustment", "id": number}
        more = {"reason": "found or lost"}
        return _at_place("till", body, sku, change, at, now, fact, words, more)

    def count(
        self, now: int, number: str, sku: str, units: int, place: str, scope: str | None
    ) -> Letter:
        key = f"wms counted {number} {sku} {place}"
        at = self._at(key, now)
        fact = Fact("counted", key, now, at, sku, place, units, more=scope)
        what = "to sell " if scope else ""
        words = f"wms: count {number} found {units} {sku} {what}at {place}"
        body = {"type": "count", "id": number, "scope": scope}
        return _at_place("wms", body, sku, units, at, now, fact, words)

    def transfer(self, now: int, number: str, sku: str, units: int) -> Letter:
        key = f"wms transferred {number} {sku}"
        at = self._at(key, now)
        fact = Fact("transferred", key, now, at, sku, "north", units, more="south")
        words = f"wms: transfer {number} takes {units} {sku} from north to south"
        body = {"type": "transfer", "id": number, "to": "south"}
        return _at_place("wms", body, sku, units, at, now, fact, words)

    def _at(self, key: str, now: int) -> int:
        return self._since.setdefault(key, now)


def _line(kind: str, number: str, sku: str) -> str:
    return f"web {kind} {number} {sku}"


def _lines(sku: str, units: int, more: dict[str, Any] | None = None) -> list[Any]:
    return [{"id": LINE[sku], "sku": sku, "quantity": units} | (more or {})]


def _at_place(
    channel: str,
    body: dict[str, Any],
    sku: str,
    units: int,
    at: int,
    now: int,
    fact: Fact,
    words: str,
    more: dict[str, Any] | None = None,
) -> Letter:
    lines = _lines(sku, units, more)
    body = body | {"location": fact.place}
    return _letter(channel, body, lines, at, now, [fact], words)


def _letter(
    channel: str,
    body: dict[str, Any],
    lines: list[Any],
    at: int,
    now: int,
    facts: list[Fact],
    words: str,
) -> Letter:
    told = {name: value for name, value in body.items() if value is not None}
    told |= {"occurred_at": iso(at), "version": iso(now), "lines": lines}
    return Letter(channel, told, tuple(facts), words)

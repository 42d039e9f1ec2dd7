"""Transfers: units on their way between two locations, in two steps."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy.engine import Connection, Engine

from app.domain import events as kinds
from app.domain.errors import UnknownName
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.way import UNDER_WAY
from app.pipeline.acts.claims import Claims, Lines
from app.pipeline.acts.facts import Waker, record_in, wake_all
from app.pipeline.applying.hearing import WAYS
from app.pipeline.applying.travelling import Arrival, Way, losses
from app.pipeline.house import current
from app.store.engine import applying
from app.store.keyset import Page, Position
from app.store.stock import ways
from app.store.stock.aliases import sku_id


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
    over_by: Instant | None = None,
) -> dict[str, Any]:
    """Send units to another location. Raises ShortOfUnits, UnknownName.

    A `transfer_id` of the caller's own, with the same `now`, makes a repeat the same
    transfer. Holds that expire until `over_by` (`now`) stand in nobody's way.
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
            over_by=over_by,
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
    over_by: Instant | None = None,
) -> tuple[dict[str, Any], set[str]]:
    """The same inside a caller's `applying` transaction; also the lanes to wake."""
    asked = [{**line, "location": from_} for line in lines]
    if not Way(connection, transfer_id).is_sent:
        Claims(connection, asked, over_by or now, rows={}).claim(asked)
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
    arrival: Arrival,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    fact_id: str | None = None,
) -> dict[str, Any]:
    """Take in units that were sent, and write off those that never will arrive.

    Raises ShortOfUnits for more than is on the way. A `fact_id` of the caller's own,
    with the same `now`, makes a repeat the same fact.
    """
    fact = str(fact_id or uuid4())
    with applying(engine) as connection:
        way = Way(connection, transfer_id)
        if way.to is None:
            raise UnknownName(f"there is no transfer {transfer_id!r}", "id")
        place = current(connection).names[way.to]
        keys, woken = way.keys_of(fact), set[str]()
        if not keys:
            way.take(connection, [*arrival.lines, *arrival.lost], now)
            told = [
                *_arrived(arrival.lines, transfer_id, fact, place, now),
                *losses(arrival, way.left, transfer_id, fact, now),
            ]
            recorded, woken = record_in(connection, told, actor=actor, now=now)
            keys = [verdict.key for verdict in recorded.events]
        state = Way(connection, transfer_id).state
    wake_all(wakes, woken)
    return {"id": transfer_id, "state": state, "events": keys}


def close(
    engine: Engine,
    of: str,
    arrived: Sequence[StockEvent],
    reason: str,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    fact_id: str,
) -> list[str]:
    """Take in the last of what was expected, and write off what never came.

    Returns the keys of all that was told. Raises UnknownName when nothing was expected
    under that name. A repeat with the same `fact_id` and `now` is the same fact.
    """
    with applying(engine) as connection:
        keys, woken = close_in(
            connection, of, arrived, reason, actor=actor, now=now, fact_id=fact_id
        )
    wake_all(wakes, woken)
    return keys


def close_in(
    connection: Connection,
    of: str,
    arrived: Sequence[StockEvent],
    reason: str,
    *,
    actor: str,
    now: Instant,
    fact_id: str,
    sku: str | None = None,
) -> tuple[list[str], set[str]]:
    """The same inside a caller's `applying` transaction; also the lanes to wake. With a
    `sku` nothing else that is on the way is written off."""
    if not Way(connection, of).is_known:
        raise UnknownName(f"nothing is on the way under {of!r}", "of")
    recorded, woken = record_in(connection, arrived, actor=actor, now=now)
    keys = [verdict.key for verdict in recorded.events]
    way = Way(connection, of)
    lost = way.keys_of(fact_id)
    if not lost:
        left = _only(connection, way.left, sku)
        told = losses(Arrival(closes=True, reason=reason), left, of, fact_id, now)
        closed, more = record_in(connection, told, actor=actor, now=now)
        lost = [verdict.key for verdict in closed.events]
        woken |= more
    return [*keys, *lost], woken


def _only(
    connection: Connection, left: Mapping[str, int], sku: str | None
) -> Mapping[str, int]:
    if sku is None:
        return left
    same = sku_id(connection, sku)
    return {
        one: units for one, units in left.items() if sku_id(connection, one) == same
    }


def transfers(
    connection: Connection,
    states: Sequence[str] | None,
    *,
    limit: int,
    after: Position | None = None,
) -> Page[dict[str, Any]]:
    """Up to `limit` transfers, in these states if any are named, newest first. Raises
    NoSuchPage."""
    names = current(connection).names
    page = ways.transfers(connection, states, limit=limit, after=after)
    found = (Way(connection, row["way_id"]) for row in page)
    return page.of({"id": way.id, **way.described(names)} for way in found)


def on_the_way(connection: Connection, sku: str, units: int) -> list[dict[str, Any]]:
    """The transfers and expected receipts that so many units of a SKU are on the way
    by, newest first, each with its `units` of them."""
    house, found = current(connection), list[dict[str, Any]]()
    known = sku_id(connection, sku) if units > 0 else None
    # Of any kit it may be a part, or may have been one when that was sent.
    about = [] if known is None else [known, *house.recipes.versions]
    for id_ in ways.moving(connection, WAYS, about, UNDER_WAY) if about else ():
        way = Way(connection, id_)
        left = way.left.get(sku, 0)
        if left > 0:
            found.append({"id": id_, "units": left, **way.described(house.names)})
            units -= left
        if units <= 0:
            break
    return found


def _arrived(
    lines: Lines, transfer_id: str, fact: str, place: str, now: Instant
) -> list[StockEvent]:
    return [
        StockEvent(
            kinds.RECEIVED,
            int(line["quantity"]),
            now,
            now,
            sku=str(line["sku"]),
            place=place,
            fact=transfer_id,
            of=transfer_id,
            line=f"{fact}/{number}",
            disposition=line.get("disposition"),
        )
        for number, line in enumerate(lines, 1)
    ]

"""The ledger, read: what happened to a SKU, newest first."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import DAY, Instant
from app.domain.states import AVAILABLE, ON_HAND, Movement
from app.store import keyset
from app.store.keyset import Page, Position
from app.store.tables import channels, ledger, locations, skus, stock_events


@dataclass(frozen=True, slots=True)
class Period:
    """Which entries: that had happened `at` and were written down `known_at`."""

    at: Instant | None = None
    known_at: Instant | None = None


def page(
    connection: Connection,
    sku_id: int,
    *,
    limit: int,
    after: Position | None = None,
    period: Period | None = None,
) -> Page[RowMapping]:
    """Up to `limit` entries of a SKU, newest first."""
    query = _entries().where(ledger.c.sku_id == sku_id)
    if period is not None and period.at is not None:
        query = query.where(ledger.c.occurred_at <= period.at)
    if period is not None and period.known_at is not None:
        query = query.where(ledger.c.recorded_at <= period.known_at)
    keys = (ledger.c.occurred_at, ledger.c.id)
    return keyset.read(
        connection, query, keys, limit=limit, after=after, newest_first=True
    )


def page_of_all(
    connection: Connection,
    sku_ids: Iterable[int],
    *,
    limit: int,
    after: Position | None = None,
    period: Period | None = None,
) -> Page[RowMapping]:
    """The same of several SKUs together, such as a kit's components."""
    found = [
        row
        for sku_id in sku_ids
        for row in page(connection, sku_id, limit=limit + 1, after=after, period=period)
    ]
    found.sort(key=_newest, reverse=True)
    return keyset.cut(found, limit, _newest)


def _newest(row: RowMapping) -> Position:
    return row["occurred_at"], row["id"]


def changes_by_day(
    connection: Connection, sku_ids: Collection[int], since: Instant, until: Instant
) -> dict[Instant, dict[tuple[int, int], tuple[int, int]]]:
    """The begin of a day (UTC) → SKU id and location id → how much its entries changed
    what is available there, and what is on hand."""
    told = (
        ledger.c.sku_id.in_(sku_ids),
        ledger.c.occurred_at > since,
        ledger.c.occurred_at <= until,
    )
    day = (ledger.c.occurred_at // sa.literal_column(str(DAY))).label("day")

    def side(name: str, sign: int) -> sa.Select[Any]:
        place, state = ledger.c[f"{name}_location_id"], ledger.c[f"{name}_state"]
        units = (sign * ledger.c.quantity).label("units")
        query = sa.select(
            day, ledger.c.sku_id, place.label("place"), state.label("state"), units
        )
        return query.where(*told, state.in_(ON_HAND))

    sides = sa.union_all(side("to", 1), side("from", -1)).subquery()
    by = (sides.c.day, sides.c.sku_id, sides.c.place)
    free = sa.case((sides.c.state == AVAILABLE, sides.c.units), else_=0)
    query = sa.select(*by, sa.func.sum(free), sa.func.sum(sides.c.units)).group_by(*by)
    found: dict[Instant, dict[tuple[int, int], tuple[int, int]]] = defaultdict(dict)
    for number, sku_id, place, available, on_hand in connection.execute(query):
        found[int(number) * DAY][sku_id, place] = (int(available), int(on_hand))
    return found


def entries(
    connection: Connection,
    at: Instant | None,
    *,
    limit: int,
    after: Position | None = None,
) -> Page[RowMapping]:
    """Up to `limit` entries of every SKU, in the order of writing; `at`: those that
    had happened by then."""
    query = _entries()
    if at is not None:
        query = query.where(ledger.c.occurred_at <= at)
    return keyset.read(connection, query, [ledger.c.id], limit=limit, after=after)


def of_events(connection: Connection, keys: Iterable[str]) -> Sequence[RowMapping]:
    """Every entry that these stock events have caused, in the order of writing."""
    query = _entries().where(stock_events.c.key.in_(list(keys)))
    return connection.execute(query.order_by(ledger.c.id)).mappings().all()


def verdicts(connection: Connection, keys: Iterable[str]) -> Sequence[RowMapping]:
    """What became of these stock events: key, verdict and note."""
    columns = (stock_events.c.key, stock_events.c.verdict, stock_events.c.note)
    query = sa.select(*columns).where(stock_events.c.key.in_(list(keys)))
    return connection.execute(query.order_by(stock_events.c.id)).mappings().all()


def undoing(connection: Connection, key: str, kind: str) -> dict[Movement, int]:
    """The movements that undo what a stock event posted → the newest entry undone."""
    caused = (
        sa.select(ledger)
        .join(stock_events, stock_events.c.id == ledger.c.event_id)
        .where(stock_events.c.key == key, ledger.c.kind == kind)
        .order_by(ledger.c.id)
    )
    return {moved(row).reversed(): row.id for row in connection.execute(caused)}


def moved(row: Any) -> Movement:
    """The movement that a row of the ledger wrote down."""
    return Movement(
        row.sku_id,
        row.from_state,
        row.from_location_id,
        row.to_state,
        row.to_location_id,
        row.occurred_at,
    )


def _entries() -> sa.Select[Any]:
    sender, receiver = locations.alias("sender"), locations.alias("receiver")
    return (
        sa.select(
            ledger,
            skus.c.sku,
            stock_events.c.key.label("event"),
            channels.c.key.label("channel"),
            _code(sender).label("from_location"),
            _code(receiver).label("to_location"),
        )
        .join(skus, skus.c.id == ledger.c.sku_id)
        .join(sender, sender.c.id == ledger.c.from_location_id)
        .join(receiver, receiver.c.id == ledger.c.to_location_id)
        .join(stock_events, stock_events.c.id == ledger.c.event_id, isouter=True)
        .join(channels, channels.c.id == ledger.c.channel_id, isouter=True)
    )


def _code(place: sa.FromClause) -> sa.ColumnElement[str | None]:
    """A location's code; none for the place of promises that name no location."""
    return sa.case((place.c.unassigned_of.is_(None), place.c.code), else_=None)

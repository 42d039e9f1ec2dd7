"""Sales in the ledger: which are new, whether another channel sold the same, and how
much each channel sells."""

import json
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.instants import Instant
from app.domain.states import AVAILABLE, CUSTOMER
from app.store import bulk
from app.store.engine import is_sqlite
from app.store.tables import ledger, ledger_readers

_SALES: Final = (kinds.PLACED, kinds.SHIPPED, kinds.RELEASED)


class Probe(NamedTuple):
    """So many units of a SKU, sold there between these times, and a channel; found is
    what was written down before an entry."""

    sku_id: int
    location_id: int
    quantity: int
    channel_id: int
    since: Instant
    until: Instant
    before: int


_FOUND = (
    "SELECT l.id FROM ledger l WHERE l.to_state = 'customer' "
    "AND l.from_state = 'available' AND l.sku_id = {0} AND l.from_location_id = {1} "
    "AND l.quantity = {2} AND l.channel_id {{by}} {3} "
    "AND l.occurred_at BETWEEN {4} AND {5} AND l.id < {6} "
    "ORDER BY l.occurred_at DESC LIMIT 1"
)
_PARTS = range(len(Probe._fields))
_ON_SQLITE = "SELECT ({found}) FROM json_each(?) g ORDER BY g.key".format(
    found=_FOUND.format(*(f"json_extract(g.value, '$[{part}]')" for part in _PARTS))
)
_ON_POSTGRES = (
    "SELECT ({found}) FROM unnest({arrays}) WITH ORDINALITY AS g({names}, n) "
    "ORDER BY g.n"
).format(
    found=_FOUND.format(*(f"g.p{part}" for part in _PARTS)),
    arrays=", ".join("%s::bigint[]" for _ in _PARTS),
    names=", ".join(f"p{part}" for part in _PARTS),
)


def by_channel(connection: Connection, probes: Sequence[Probe]) -> list[int | None]:
    """For each probe the newest ledger entry of its channel; one statement for all."""
    return _newest(connection, probes, "=")


def by_others(connection: Connection, probes: Sequence[Probe]) -> list[int | None]:
    """For each probe the newest ledger entry of any other channel."""
    return _newest(connection, probes, "<>")


def _newest(
    connection: Connection, probes: Sequence[Probe], by: str
) -> list[int | None]:
    if not probes:
        return []
    if is_sqlite(connection):
        statement = _ON_SQLITE.format(by=by)
        rows = connection.exec_driver_sql(statement, (json.dumps(probes),))
    else:
        columns = tuple(bulk.array(column) for column in zip(*probes, strict=True))
        rows = connection.exec_driver_sql(_ON_POSTGRES.format(by=by), columns)
    return [row[0] for row in rows]


def between(
    connection: Connection, after: int, upto: int
) -> Sequence[sa.Row[tuple[object, ...]]]:
    """The channels' sales among the ledger's entries after one and up to another."""
    query = sa.select(ledger).where(
        ledger.c.id > after,
        ledger.c.id <= upto,
        ledger.c.from_state == AVAILABLE,
        ledger.c.to_state == CUSTOMER,
        ledger.c.channel_id.is_not(None),
    )
    return connection.execute(query.order_by(ledger.c.id)).all()


def read_to(connection: Connection, reader: str) -> int:
    """The last entry that a reader has looked at."""
    query = sa.select(ledger_readers.c.read_to).where(ledger_readers.c.name == reader)
    return int(connection.execute(query).scalar_one())


def read_on(connection: Connection, reader: str, after: int, upto: int) -> bool:
    """Note how far a reader has come; False when somebody else just did."""
    moved = connection.execute(
        ledger_readers.update()
        .where(ledger_readers.c.name == reader, ledger_readers.c.read_to == after)
        .values(read_to=upto)
    )
    return bool(moved.rowcount)


def taken(
    connection: Connection, sku_ids: Collection[int], since: Instant
) -> dict[tuple[int, int], int]:
    """SKU id and channel id → units that its orders took since then, less what was
    cancelled. A promise that is shipped later counts once."""
    quantity = ledger.c.quantity
    out = sa.case((ledger.c.from_state == AVAILABLE, quantity), else_=-quantity)
    found = connection.execute(
        sa.select(ledger.c.sku_id, ledger.c.channel_id, sa.func.sum(out))
        .where(
            ledger.c.sku_id.in_(sku_ids),
            ledger.c.occurred_at >= since,
            ledger.c.channel_id.is_not(None),
            ledger.c.kind.in_(_SALES),
            sa.or_(
                ledger.c.from_state == AVAILABLE,
                ledger.c.to_state == AVAILABLE,
            ),
        )
        .group_by(ledger.c.sku_id, ledger.c.channel_id)
    )
    return {(row[0], row[1]): int(row[2]) for row in found}

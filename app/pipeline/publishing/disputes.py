"""Disputes: a person says whose number is right, the channel's or ours.

Called by the API, the dashboard and `onecount reconcile --take`.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain import drift, events as kinds
from app.domain.errors import NotOpen, UnknownName
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.pipeline.acts.facts import Waker, record_in, wake_all
from app.pipeline.house import House, current
from app.pipeline.publishing import asking, desired
from app.pipeline.publishing.adopting import inside, place_of
from app.store.engine import applying
from app.store.people import deeds
from app.store.publishing import publications as store
from app.store.watching import adoptions, drifts

OURS: Final = "ours"
THEIRS: Final = "theirs"

_PROPOSED: Final = {
    drift.PUBLISH: "ours is published over it",
    drift.TAKE: "theirs is taken into the stock",
    drift.NOTHING: "what was lost has been read and applied",
    drift.WAIT: "nothing more: it was decided, or put right since",
}
"""What was done → the healing, in words."""


def told(
    connection: Connection, rows: Sequence[RowMapping], now: Instant
) -> list[dict[str, Any]]:
    """Drifts with the reason, both numbers as they would be now, and what heals them."""
    house = current(connection)
    open_ = {row["publication_id"] for row in rows if _is_open(row)}
    found = store.rows(connection, open_)
    numbers = desired.numbers(connection, found, house, now, disputed=False)
    return [_told(connection, house, row, numbers) for row in rows]


def _told(
    connection: Connection, house: House, row: RowMapping, numbers: dict[int, int]
) -> dict[str, Any]:
    found = {
        **row,
        "why": drift.CAUSES[row["cause"]],
        "can_take": False,
        "healing": _PROPOSED[row["done"]],
    }
    if not _is_open(row):
        return found
    ours = numbers[row["publication_id"]]
    theirs = max(0, ours + row["disputed"])
    can_take = place_of(connection, house, row) is not None
    choice = f"take ours: {ours} is published"
    if can_take:
        choice += f"; or take theirs: {row['disputed']:+d} units in the stock"
    return found | {
        "ours": ours,
        "theirs": theirs,
        "can_take": can_take,
        "healing": f"{choice}; until then {min(ours, theirs)} is shown",
    }


def standing(
    connection: Connection, row: RowMapping, ours: int
) -> dict[str, Any] | None:
    """What a person is asked about a publication now, and the units kept back for it."""
    found = drifts.newest(connection, row["id"])
    if found is None or not row["disputed"]:
        return None
    return {
        "drift": found["id"],
        "cause": found["cause"],
        "why": drift.CAUSES[found["cause"]],
        "theirs": max(0, ours + row["disputed"]),
        "ours": ours,
        "held_back": ours - desired.careful(ours, row["disputed"]),
        "found_at": found["found_at"],
    }


def _is_open(row: RowMapping) -> bool:
    return bool(row["state"] == drifts.WAITS)


def decide(
    engine: Engine,
    drift_id: int,
    take: str,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> None:
    """Publish ours, or make theirs ours by an adjustment, and ask nobody any more.

    Raises UnknownName when there is no such drift, NotOpen when nobody is asked about
    it any more or theirs cannot be read back into one location's stock.
    """
    with applying(engine) as connection:
        row = drifts.find(connection, drift_id)
        if row is None:
            raise UnknownName(f"there is no drift {drift_id}")
        if not _is_open(row):
            raise NotOpen("it was decided, or put right, since")
        lanes, ended = {f"outbound:{row['channel']}"}, [row["publication_id"]]
        if take == THEIRS:
            lanes |= _take(connection, row, actor, now)
            ended += drifts.explain(connection, row, row["disputed"])
        note = f"{actor} took {take}"
        asking.end(connection, ended, now, note)
        store.mark_rows(connection, ended, now)
        subject = f"{row['sku']} on {row['channel']}"
        details = {"ours": row["ours"], "theirs": row["theirs"]}
        deeds.note(connection, actor, f"take {take}", subject, now, details)
    wake_all(wakes, lanes)


def _take(
    connection: Connection, row: RowMapping, actor: str, now: Instant
) -> set[str]:
    place = place_of(connection, current(connection), row)
    if place is None:
        raise NotOpen(
            "what it shows is not the stock of one location as it is: count it there "
            "instead, then take ours"
        )
    event = StockEvent(
        kinds.ADJUSTED,
        row["disputed"],
        now,
        now,
        sku=row["sku"],
        place=place,
        fact=f"drift-{row['id']}",
        line="1",
        reason=f"taken over from {row['channel']}, which showed {row['theirs']}",
    )
    recorded, lanes = record_in(connection, [event], actor=actor, now=now)
    until, key = inside(row["found_at"]), recorded.events[0].key
    adoptions.add(connection, row["publication_id"], until, key)
    return lanes


def decide_all(
    engine: Engine, channel: str, take: str, actor: str, now: Instant
) -> int:
    """Take one side in all that is open on a channel, where that can be; how many."""
    with engine.connect() as connection:
        rows = drifts.page(
            connection, limit=10_000, channel=channel, state=drifts.WAITS
        )
        house = current(connection)
        ids = [
            row["id"]
            for row in rows
            if take == OURS or place_of(connection, house, row) is not None
        ]
    for id_ in ids:
        # Another listing that showed the same stock may have decided of it.
        with suppress(NotOpen):
            decide(engine, id_, take, actor=actor, now=now)
    return len(ids)

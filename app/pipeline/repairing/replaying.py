"""Replaying: stored messages are processed again, as if they had just come in."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.pipeline.applying.told import PARKED, SUPERSEDED
from app.store.engine import applying, reading
from app.store.receiving.waiting import AGAIN
from app.store.stock import aliases, cases
from app.store.tables import channels, inbox, skus, stock_events

PORTION = 500
"""Messages per transaction: others write in between."""

_EVER = 2**63 - 1

_AGAIN: dict[str, Any] = {
    "state": "waiting",
    # What could not be read yet is no repetition.
    "lane": sa.case((inbox.c.state == "buried", "apply"), else_=AGAIN),
    "error": None,
    "settled_at": None,
    "attempts": 0,
    "next_attempt_at": 0,
    "dismissed_by": None,
}


def replay(
    engine: Engine,
    ids: Sequence[int] | None = None,
    filter: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Let messages be processed again; return how many matched.

    `filter` takes state, channel, topic, since and until (when they came in), sku and
    order (what they told of). Replaying what was applied is a no-op; what somebody
    dismissed is read again when its id or its state is asked for. `progress` is called
    with how many there are so far.
    """
    wanted = [
        *chosen(ids, filter),
        inbox.c.state != "waiting",
        # What could not be read in time is gone.
        sa.or_(inbox.c.document.is_not(None), inbox.c.body.is_not(None)),
    ]
    if ids is None and "state" not in (filter or {}):
        wanted.append(inbox.c.dismissed_by.is_(None))
    return in_portions(engine, wanted, _again, progress)


def _again(connection: Connection, found: Sequence[int]) -> None:
    connection.execute(inbox.update().where(inbox.c.id.in_(found)).values(_AGAIN))
    # The lines of what was dismissed wait as before.
    dismissed = (
        stock_events.c.verdict == SUPERSEDED,
        stock_events.c.waits_for.is_not(None),
    )
    connection.execute(
        stock_events.update()
        .where(stock_events.c.inbox_id.in_(found), *dismissed)
        .values(verdict=PARKED, note=None)
    )


def chosen(
    ids: Sequence[int] | None, filter: Mapping[str, Any] | None
) -> list[sa.ColumnElement[bool]]:
    """Which messages are meant, by their ids, or by what is true of them."""
    wanted = [_filter(name, value) for name, value in (filter or {}).items()]
    return wanted if ids is None else [*wanted, inbox.c.id.in_(list(ids))]


def in_portions(
    engine: Engine,
    wanted: Sequence[sa.ColumnElement[bool]],
    change: Callable[[Connection, Sequence[int]], None],
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Change messages by their ids, some at a time; return how many there were."""
    with reading(engine) as connection:
        last = connection.execute(sa.select(sa.func.max(inbox.c.id))).scalar() or 0
    matched, after = 0, 0
    while after < last:
        with applying(engine) as connection:
            found = _portion(connection, after, last, wanted)
            change(connection, found)
        matched += len(found)
        progress(matched)
        after = found[-1] if len(found) == PORTION else last
    return matched


def _portion(
    connection: Connection,
    after: int,
    last: int,
    wanted: Sequence[sa.ColumnElement[bool]],
) -> list[int]:
    query = (
        sa.select(inbox.c.id)
        .where(
            inbox.c.id > after,
            inbox.c.id <= last,
            *wanted,
        )
        .order_by(inbox.c.id)
        .limit(PORTION)
    )
    return list(connection.execute(query).scalars())


def _filter(name: str, value: Any) -> sa.ColumnElement[bool]:
    if name == "channel":
        one = sa.select(channels.c.id).where(channels.c.key == value)
        return inbox.c.channel_id.in_(one)
    if name in ("since", "until"):
        at = inbox.c.received_at
        return (
            sa.between(at, value, _EVER)
            if name == "since"
            else sa.between(at, 0, value)
        )
    if name == "sku":
        meant = sa.select(skus.c.id).where(aliases.names(value))
        return _told(stock_events.c.sku_id.in_(meant), _says("sku", value))
    if name == "order":
        numbered = [_says("order_number", one) for one in cases.spellings(value)]
        return _told(_says("order", value), *numbered)
    same: sa.ColumnElement[bool] = inbox.c[name] == value
    return same


def _told(*any_of: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Messages that stock events came from, of which any of this is true."""
    told = sa.select(stock_events.c.inbox_id).where(
        stock_events.c.inbox_id.is_not(None), sa.or_(*any_of)
    )
    return inbox.c.id.in_(told)


def _says(field: str, value: str) -> sa.ColumnElement[bool]:
    part = f'"{field}":{json.dumps(value, ensure_ascii=False)}'
    return stock_events.c.details.contains(part, autoescape=True)

"""Holds: units reserved for a while, which end exactly once.

Committed, released or expired; committed to an order, a hold sets the same line target
as that order's own webhook.
"""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.errors import HoldEnded, HubError, UnknownName
from app.domain.instants import Instant
from app.pipeline.acts.claims import Lines, give_back, give_back_expired
from app.pipeline.acts.facts import Waker, record_in, wake_all
from app.pipeline.acts.granting import Ask, answer_of, ask, grant
from app.pipeline.applying.promising import Promise
from app.pipeline.applying.told import released
from app.pipeline.applying.whose import owner_of
from app.pipeline.house import House, current
from app.store.engine import applying
from app.store.stock import holds


def hold(
    engine: Engine,
    lines: Lines,
    expires_in: int,
    reference: str | None = None,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
    hold_id: str | None = None,
) -> dict[str, Any]:
    """Reserve units for `expires_in` seconds. Lines are {"sku","quantity","location"?}.

    A `hold_id` of the caller's own makes a repeat the same hold. Raises ShortOfUnits or
    UnknownName; then nothing is held.
    """
    asked = Ask(lines, expires_in, reference, actor, now, hold_id)
    made, woken = ask(engine, asked)
    wake_all(wakes, woken)
    return made


def hold_in(connection: Connection, asked: Ask) -> tuple[dict[str, Any], set[str]]:
    """The same inside a caller's `applying` transaction; also the lanes to wake."""
    (made,), woken = grant(connection, [asked])
    if isinstance(made, HubError):
        raise made
    return made, woken


def _open(connection: Connection, hold_id: str) -> sa.RowMapping:
    row = holds.find(connection, hold_id)
    if row is None or row["line_key"] is not None:
        # What an order holds until it is paid ends by the order alone.
        raise UnknownName(f"there is no hold {hold_id!r}", "id")
    return row


def release(
    engine: Engine,
    hold_id: str,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> dict[str, Any]:
    """Give held units back. Raises HoldEnded once committed, UnknownName."""
    woken: set[str] = set()
    with applying(engine) as connection:
        row = _open(connection, hold_id)
        if row["state"] == holds.COMMITTED:
            raise HoldEnded("the hold was committed")
        state = row["state"]
        if state == holds.ACTIVE:
            state = holds.RELEASED if row["expires_at"] > now else holds.EXPIRED
            house = current(connection)
            holds.end(connection, row["id"], state, now)
            rows = holds.lines(connection, row["id"])
            woken = give_back(connection, house, rows, actor, now)
    wake_all(wakes, woken)
    return answer_of(hold_id, state, row["expires_at"])


def commit(
    engine: Engine,
    hold_id: str,
    channel: str | None = None,
    order: str | None = None,
    lines: Lines | None = None,
    *,
    actor: str,
    now: Instant,
    wakes: Waker | None = None,
) -> dict[str, Any]:
    """Turn a hold into an order's promise; the same answer again when repeated.

    `lines` may name the order's own: {"id","sku"}. Raises HoldEnded, UnknownName.
    """
    with applying(engine) as connection:
        row = _open(connection, hold_id)
        if row["state"] == holds.COMMITTED:
            known = json.loads(row["answer"]) if row["answer"] else None
            return known or answer_of(hold_id, holds.COMMITTED, row["expires_at"])
        house = current(connection)
        channel = _whose(connection, house, channel, order)
        rows = holds.lines(connection, row["id"])
        answer: dict[str, Any] | None = None
        if row["expires_at"] <= now:
            woken = give_back_expired(connection, house, {row["id"]: rows}, now)
        else:
            answer = answer_of(hold_id, holds.COMMITTED, row["expires_at"])
            answer["order"] = order or f"hold-{hold_id}"
            if not holds.end(connection, row["id"], holds.COMMITTED, now, answer):
                raise HoldEnded("the hold was released")
            promise = Promise(channel, answer["order"], lines or (), now)
            told = [*released(rows, now), *promise.of(connection, house, rows)]
            _, woken = record_in(connection, told, actor=actor, now=now)
    wake_all(wakes, woken)
    if answer is None:
        raise HoldEnded("the hold has expired; claim the units again")
    return answer


def _whose(
    connection: Connection, house: House, channel: str | None, order: str | None
) -> str | None:
    """The channel that is named, or the one that has told of the order, if any."""
    if channel is not None:
        house.known(channel)
    elif order is not None:
        channel = owner_of(connection, house, order)
    return channel

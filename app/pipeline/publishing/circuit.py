"""The circuit of a channel: after failures in a row it is held, probed, and resumed.

Its state is in the channel's row, so it survives restarts: `tripped_at` (open since),
`held_until`, `held_reason` (one sentence), `probes`. While it is open nothing is
discarded and no attempt is spent; one push that works closes it, and so does a person.
"""

import random
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter
from app.domain.budget import Budget
from app.domain.errors import RetryLater
from app.domain.instants import MINUTE, SECOND, Instant
from app.domain.retry import Delay, Policy, hold
from app.store import bulk
from app.store.configuration import channels as channel_store
from app.store.engine import reading, writing
from app.store.tables import IS_DUE, IS_STOPPED, channels, publications
from app.store.vault import Vault
from app.store.watching import incidents

SLOW: Final = 5 * MINUTE
"""How long a channel that timed out is served by the slow lane."""

CLOSED: Final[dict[str, Any]] = {
    "failures": 0,
    "last_error": None,
    "held_until": None,
    "held_reason": None,
    "tripped_at": None,
    "probes": 0,
}
"""What an answer makes of a channel's row."""

_CHANGE = channels.update().where(channels.c.id == sa.bindparam("channel"))
_POLLED_SOON = _CHANGE.values(
    poll_due_at=sa.case(
        (channels.c.tripped_at.is_not(None), 0), else_=channels.c.poll_due_at
    )
)


def failed(
    connection: Connection,
    adapter: Adapter,
    error: RetryLater,
    policy: Policy,
    now: Instant,
) -> None:
    """Count a call that did not work; hold the channel when there were too many."""
    row = _row(connection, adapter.channel.id)
    failures = row["failures"] + 1
    values: dict[str, Any] = {"failures": failures, "last_error": str(error)}
    if error.timed_out:
        values["slow_until"] = now + SLOW
    if row["tripped_at"] is not None or failures >= policy.trip:
        values |= _held(row, failures, error, policy, now)
        reason = values["held_reason"]
        _tell(connection, adapter, f"{adapter.channel.key} is held: {reason}", now)
    elif error.after is not None:
        values |= _until(now + int(error.after * SECOND), now)
        values["held_reason"] = f"it asked us to wait: {error}"
    _write(connection, adapter, values)


def _until(time: Instant, now: Instant) -> dict[str, Any]:
    """Hold it until then. A short wait is its ordinary pace: what goes out slowly for
    that is late all the same."""
    is_long = time - now > MINUTE
    return {"held_until": time} | ({"free_since": time} if is_long else {})


def _held(
    row: RowMapping, failures: int, error: RetryLater, policy: Policy, now: Instant
) -> dict[str, Any]:
    is_open = row["tripped_at"] is not None
    probes = row["probes"] + 1 if is_open else 0
    chosen: Delay = hold(probes, error, policy, random.random)
    return {
        "tripped_at": row["tripped_at"] or now,
        "probes": probes,
        **_until(chosen.after(now), now),
        "held_reason": (
            f"{failures} calls in a row failed; {chosen.reason}. The last: {error}"
        ),
    }


def answered(
    connection: Connection, adapter: Adapter, now: Instant, *, troubled: bool
) -> None:
    """The channel took a call: close the circuit, remember the budget it told.

    After trouble it is polled at once: its webhooks may have got lost as well.
    """
    values = {**CLOSED, "answered_at": now}
    if troubled:
        _write(connection, adapter, values, _POLLED_SOON)
        incidents.close_incidents(connection, "channel", adapter.channel.key, now)
        return
    values |= _told(adapter)
    row = (*values.values(), adapter.channel.id)
    bulk.change(connection, channels, tuple(values), [row])


def refused(
    connection: Connection, adapter: Adapter, error: Exception, now: Instant
) -> None:
    """The channel works, and took nothing of this call."""
    _write(connection, adapter, {**CLOSED, "last_error": str(error)})
    incidents.close_incidents(connection, "channel", adapter.channel.key, now)


def credentials_refused(
    connection: Connection,
    vault: Vault,
    adapter: Adapter,
    error: Exception,
    now: Instant,
) -> bool:
    """Pause the channel and tell somebody; False where it has got others since."""
    key = adapter.channel.key
    if not channel_store.still_has(connection, vault, adapter.channel):
        return False
    paused = {"paused_at": now, "paused_reason": "credentials refused"}
    _write(connection, adapter, {**paused, "last_error": str(error)})
    words = (
        f"{adapter.title} refuses our credentials for {key}: put in new ones, "
        f"then resume the channel. {error}"
    )
    _tell(connection, adapter, words, now)
    return True


def _left(these: sa.ColumnElement[bool]) -> sa.Exists:
    return (
        sa.select(publications.c.id)
        .where(publications.c.channel_id == channels.c.id, these)
        .exists()
    )


_HAS_NOTHING_LEFT: Final = sa.and_(
    channels.c.failures > 0,
    channels.c.paused_at.is_(None),
    channels.c.disconnected_at.is_(None),
    sa.not_(_left(IS_DUE)),
    sa.not_(_left(sa.and_(IS_STOPPED, publications.c.failed_at.is_not(None)))),
)
"""It failed, and whatever that was about was discarded, or is published no more."""


def rest(engine: Engine, now: Instant) -> None:
    """Close the circuits of channels that nothing is left to be sent to, once their
    holds are over: no call would ever find out that they work again."""
    hold_over = sa.func.coalesce(channels.c.held_until, 0) <= now
    idle = sa.and_(_HAS_NOTHING_LEFT, hold_over)
    with reading(engine) as connection:
        found = connection.scalars(sa.select(channels.c.key).where(idle)).all()
    for key in found:
        closed = channels.update().where(channels.c.key == key, idle).values(CLOSED)
        with writing(engine) as connection:
            if connection.execute(closed).rowcount:
                words = "nothing is left to be sent to it"
                incidents.close_incidents(connection, "channel", key, now, words)


def save_up(
    engine: Engine, adapter: Adapter, budget: Budget, wait: float, now: Instant
) -> None:
    """Hold a channel until its call budget is large enough for one more call."""
    words = (
        f"its call budget is used up: {budget.at(now):.0f} of {budget.size:.0f} left, "
        f"enough for the next call in {wait:.0f} s"
    )
    values = {**_until(now + int(wait * SECOND), now), "held_reason": words}
    with writing(engine, durable=False) as connection:
        _write(connection, adapter, values)


# -- reading: a circuit of its own, so that a poisoned page holds up no publishing -----


def unread(
    connection: Connection,
    adapter: Adapter,
    error: RetryLater,
    policy: Policy,
    now: Instant,
) -> Instant | None:
    """Count a read that did not work; return until when reading is held for it."""
    row = _row(connection, adapter.channel.id)
    failures = row["reads_failed"] + 1
    values: dict[str, Any] = {"reads_failed": failures}
    if error.timed_out:
        values["slow_until"] = now + SLOW
    until: Instant | None = None
    if failures >= policy.trip:
        until = hold(failures - policy.trip, error, policy, random.random).after(now)
        values["reads_held_until"] = until
    elif error.after is not None:
        values["reads_held_until"] = now + int(error.after * SECOND)
    _write(connection, adapter, values)
    return until


def read_again(connection: Connection, adapter: Adapter, now: Instant) -> None:
    """A read worked: of a channel that only listens, that is all that has to."""
    values: dict[str, Any] = {"reads_failed": 0, "reads_held_until": None}
    row = _row(connection, adapter.channel.id)
    if row["publish"] is None and row["disconnected_at"] is None:
        values["last_error"] = None
        incidents.close_incidents(connection, "channel", adapter.channel.key, now)
    _write(connection, adapter, values)


def _row(connection: Connection, channel_id: int) -> RowMapping:
    found = connection.execute(sa.select(channels).where(channels.c.id == channel_id))
    return found.mappings().one()


def _write(
    connection: Connection,
    adapter: Adapter,
    values: dict[str, Any],
    change: sa.Update = _CHANGE,
) -> None:
    given = {"channel": adapter.channel.id, **values, **_told(adapter)}
    connection.execute(change, given)


def _told(adapter: Adapter) -> dict[str, Any]:
    """What the last answer told beside its body, as the channel's row keeps it."""
    http, told = adapter.http, dict[str, Any]()
    if http.budget is not None:
        told["budget"] = http.budget.written()
    if http.told_time_at is not None:
        told |= {"clock_ahead": http.ahead, "clock_told_at": http.told_time_at}
    return told


def _tell(connection: Connection, adapter: Adapter, words: str, now: Instant) -> None:
    channel = adapter.channel
    incidents.open_incident(
        connection, "channel", channel.key, words, now=now, channel_id=channel.id
    )

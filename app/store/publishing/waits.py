"""Waits: every time that something is put off to, or counted from, and what a clock
set back does to it.

A clock that is corrected by an hour would let a retry that was due in seconds, or a
channel that is held for a minute, wait for an hour. So the scheduler notes the time;
when it finds a time noted that is still to come, all waits are moved along. When things
happened stays as it was written: that is not ours to change. Nobody knows whether the
clock was wrong before or is wrong now, so until it has come back to where it was, what
sources say of times is taken for true up to there (`Behind`).
"""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.instants import MINUTE, SECOND, Instant
from app.store.configuration import channels as channel_store
from app.store.engine import reading, writing
from app.store.tables import alerts, channels, inbox, leases, publications

EVERY: Instant = 10 * SECOND
"""How often the time is noted."""
STEP: Instant = MINUTE
"""Less than this is no step: the clocks of two hosts may differ as much."""

_NOTE = "clock"
"""The lease that nobody takes: it keeps the time that was noted."""
_BEHIND = "clock set back"
"""Another: by how much, and the time that it was before."""
_WAITS = (
    publications.c.next_attempt_at,
    publications.c.doubt_at,
    inbox.c.next_attempt_at,
    channels.c.held_until,
    channels.c.free_since,
    channels.c.reads_held_until,
    channels.c.slow_until,
    channels.c.poll_due_at,
    channels.c.webhooks_due_at,
    channels.c.compared_at,
    alerts.c.began_at,
    alerts.c.ended_at,
)


class Behind(NamedTuple):
    """The clock was set back: by how much, and the time at which that is over."""

    step: Instant = 0
    until: Instant = 0

    def latest(self, now: Instant) -> Instant:
        """What the time may be elsewhere, when it is `now` here."""
        return now + self.step if now < self.until else now


def behind(connection: Connection) -> Behind:
    """How far the clock may be behind, since it was last set back."""
    query = sa.select(leases.c.holder, leases.c.until).where(leases.c.name == _BEHIND)
    found = connection.execute(query).first()
    return Behind() if found is None else Behind(int(found.holder), found.until)


def follow_clock(engine: Engine, now: Instant) -> Instant:
    """Note the time; move all waits along if the clock was set back.

    Returns by how much it was, 0 as a rule.
    """
    with reading(engine) as connection:
        last = _noted(connection)
    if last is not None and -STEP < now - last < EVERY:
        return 0
    with writing(engine) as connection:
        # Asked again: another scheduler may have noticed as well.
        before = max(_noted(connection) or now, now)
        step = before - now
        if step:
            _move(connection, step, now)
            fall_behind(connection, max(before, behind(connection).until), now)
        _note(connection, _NOTE, now)
    return step


def fall_behind(connection: Connection, until: Instant, now: Instant) -> None:
    """Say that it may be as late as `until` elsewhere, while it is `now` here."""
    # What was noted is some seconds old, and a date in an answer as well.
    step = until - now + EVERY
    _note(connection, _BEHIND, until, holder=str(step))
    channel_store.touch(connection, now)


def _noted(connection: Connection) -> Instant | None:
    """When the scheduler last noted the time; None: never."""
    query = sa.select(leases.c.until).where(leases.c.name == _NOTE)
    return connection.execute(query).scalar()


def _note(connection: Connection, name: str, until: Instant, holder: str = "") -> None:
    connection.execute(
        sa.text(
            "INSERT INTO leases (name, holder, until) VALUES (:name, :holder, :until) "
            "ON CONFLICT (name) DO UPDATE SET holder = :holder, until = :until"
        ),
        {"name": name, "holder": holder, "until": until},
    )


def _move(connection: Connection, step: Instant, now: Instant) -> None:
    for wait in _WAITS:
        connection.execute(
            sa.update(wait.table).where(wait > now).values({wait: wait - step})
        )

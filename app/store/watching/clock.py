"""The clock of this machine, beside those that channels tell of.

What is asked of the time (is this webhook fresh? does this write come after that one?)
is asked of somebody else's clock as well, so a wrong one is noticed, and said.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.instants import DAY, MINUTE, Instant
from app.store.engine import reading, writing
from app.store.publishing.waits import behind, fall_behind
from app.store.tables import channels

FRESH: Instant = 15 * MINUTE
"""Older than this, what a channel told is of another time: the clock may be right by
now. Whoever is polled tells it again every few minutes."""


FAR: Instant = DAY
"""Who tells of more is not gone by, only shown to people: times a year ahead would be
newer than everything that is told later."""


def astray(connection: Connection, now: Instant) -> Instant:
    """How far our clock is behind those of all channels; negative when it is ahead.

    0 when it is right, when nobody told, and when the channels disagree: then it is
    one of theirs that is wrong.
    """
    query = sa.select(channels.c.clock_ahead).where(
        channels.c.clock_told_at.between(now - FRESH, now + MINUTE)
    )
    told = connection.execute(query).scalars().all()
    if not told or min(told) <= 0 <= max(told):
        return 0
    return int(min(told, key=abs))


def heed(engine: Engine, now: Instant) -> None:
    """Where all channels say that it is later, take their times for true."""
    with reading(engine) as connection:
        later = now + _credible(connection, now)
        is_known = later <= behind(connection).latest(now)
    if not is_known:
        with writing(engine) as connection:
            fall_behind(connection, later, now)


def in_doubt(connection: Connection, now: Instant) -> tuple[Instant, ...]:
    """How far the right time may be ahead of ours, where it is not known which it is."""
    step = behind(connection).latest(now) - now
    return tuple(one for one in {step, _credible(connection, now)} if one)


def _credible(connection: Connection, now: Instant) -> Instant:
    ahead = astray(connection, now)
    return ahead if abs(ahead) <= FAR else 0


def words(astray: Instant) -> str:
    """That the clock is wrong, as a sentence for people."""
    way = "behind" if astray > 0 else "ahead of"
    minutes = round(abs(astray) / MINUTE)
    return f"This machine's clock is {minutes} min {way} the channels' clocks"

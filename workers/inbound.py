"""The inbound drain: applies whatever waits in the inbox. Step 3 of the journey.

One job for any number of webhooks; it lingers while work keeps coming, so that a busy
minute costs one job and not a thousand.
"""

import time

from app.domain.instants import now
from workers.hands import Hands, hands

LANE = "inbound"
LINGER_SECONDS = 1.0
STAY_SECONDS = 60.0


def drain(given: Hands | None = None) -> None:
    """Apply until nothing waits any more (or a minute is over: then start anew)."""
    mine = given or hands()
    wakes, ends = mine.wakes, time.monotonic() + STAY_SECONDS
    is_empty = False
    with wakes.draining(LANE):
        while time.monotonic() < ends:
            wakes.stay(LANE)
            # Cleared before reading: what comes from here on sets it again.
            wakes.forget(LANE)
            is_empty = _applied(mine, ends)
            if not is_empty or wakes.flagged(LANE):
                continue
            if not wakes.linger(LANE, LINGER_SECONDS):
                break
    if not is_empty or wakes.flagged(LANE):
        wakes.forget(LANE)
        wakes.wake(LANE)


def _applied(mine: Hands, ends: float) -> bool:
    """Apply until nothing waits any more; False when the time is over before."""
    while mine.inbound.run(now()):
        wake_lanes(mine)
        if time.monotonic() >= ends:
            return False
    return True


def wake_lanes(mine: Hands) -> None:
    """Wake the lanes that applying gave work to."""
    while mine.inbound.woken:
        mine.wakes.wake(mine.inbound.woken.pop())

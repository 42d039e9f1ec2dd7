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
    with wakes.draining(LANE):
        while time.monotonic() < ends:
            wakes.stay(LANE)
            # Cleared before reading: what comes from here on sets it again.
            wakes.forget(LANE)
            while mine.inbound.run(now()):
                wake_lanes(mine)
            if not wakes.flagged(LANE) and not wakes.linger(LANE, LINGER_SECONDS):
                break
    if wakes.flagged(LANE):
        wakes.forget(LANE)
        wakes.wake(LANE)


def wake_lanes(mine: Hands) -> None:
    """Wake the lanes that applying gave work to."""
    while mine.inbound.woken:
        mine.wakes.wake(mine.inbound.woken.pop())

"""The outbound drains: one lane per channel for pushes, one for fetches. Step 5.

A drain lingers while work keeps coming and yields when other channels wait. A channel
that timed out is drained by the slow queue's own worker, so it slows no other.
"""

import time
from collections.abc import Callable

import rq

from app.domain.instants import now
from app.pipeline.fetching import Fetcher
from app.pipeline.publish import Publisher
from app.queues import OUTBOUND
from app.store.configuration import channels as channel_store
from workers.hands import Hands, hands
from workers.inbound import LANE as INBOUND

LINGER_SECONDS = 0.5
YIELD_SECONDS = 3.0
STAY_SECONDS = 45.0


def drain(key: str, given: Hands | None = None) -> None:
    """Push what a channel should show until it is settled."""
    mine = given or hands()

    def work() -> bool:
        more = mine.publisher.push_due(key)
        while mine.publisher.woken:
            mine.wakes.wake(mine.publisher.woken.pop())
        return more

    _drain(mine, f"outbound:{key}", key, mine.publisher, work)


def fetch(key: str, given: Hands | None = None) -> None:
    """Read what a channel's messages point at, then what changed there."""
    mine = given or hands()

    def work() -> bool:
        done = mine.fetcher.fetch_due(key)
        polled = mine.poller.poll_due(key)
        mine.watchdog.look(key)
        if done or polled.stored or polled.noticed:
            mine.wakes.wake(INBOUND)
        while mine.poller.woken:
            mine.wakes.wake(mine.poller.woken.pop())
        return done > 0 or polled.more

    _drain(mine, f"fetch:{key}", key, mine.fetcher, work)


def compare(key: str, given: Hands | None = None) -> None:
    """Hold a channel's numbers against ours, until something is to be pushed."""
    mine = given or hands()
    pushes = f"outbound:{key}"

    def work() -> bool:
        return not mine.wakes.flagged(pushes) and mine.comparer.step(key)

    _drain(mine, f"compare:{key}", key, mine.publisher, work)
    # Whoever wanted the lane meanwhile did not get it.
    mine.wakes.forget(pushes)
    mine.wakes.wake(pushes)


def _drain(
    mine: Hands,
    lane: str,
    key: str,
    owner: Publisher | Fetcher,
    work: Callable[[], bool],
) -> None:
    slow = is_slow(mine, key)
    if slow and is_ordinary():
        # Woken by somebody who did not know: its own worker serves it.
        mine.wakes.move(lane)
        return
    if not owner.lease(key):
        return
    wakes, began = mine.wakes, time.monotonic()
    try:
        with wakes.draining(lane):
            while True:
                wakes.stay(lane)
                wakes.forget(lane)
                more = work()
                if _is_enough(mine, key, slow, time.monotonic() - began):
                    break
                if more or wakes.flagged(lane):
                    continue
                if not wakes.linger(lane, LINGER_SECONDS):
                    break
    finally:
        # Before the lane is woken, and looked at once more: whoever was woken while we
        # had the lease went away without it.
        owner.release(key)
    if more or wakes.flagged(lane):
        wakes.forget(lane)
        wakes.wake(lane, slow=is_slow(mine, key))


def _is_enough(mine: Hands, key: str, slow: bool, spent: float) -> bool:
    """Whether others should have the worker now: they wait, or it became slow."""
    if spent <= YIELD_SECONDS:
        return False
    is_other = is_slow(mine, key) != slow
    return spent > STAY_SECONDS or is_other or mine.wakes.others_wait(slow)


def is_ordinary() -> bool:
    """Whether this runs on the queue that every channel shares."""
    job = rq.get_current_job()
    return job is not None and job.origin == OUTBOUND


def is_slow(mine: Hands, key: str) -> bool:
    """Whether a channel belongs to the slow queue now."""
    with mine.engine.connect() as connection:
        return (channel_store.row(connection, key)["slow_until"] or 0) > now()

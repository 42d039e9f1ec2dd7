"""What goes wrong in webhook gateways and bare job queues, tried on ours.

Each was reproduced on a queue with one job per number: a change that comes while the
old number is being sent finds a job of that name and is dropped (lost wake-up); a retry
of the old number runs after the new one (stale overwrite); a worker that is killed
leaves its job for 810 seconds (stuck after a kill).
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace

import psutil
import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from app.domain.instants import MINUTE, now
from app.pipeline.publish import Publisher
from app.procfile import ROOT
from app.queues import OUTBOUND, SLOW, Wakes
from app.store.engine import writing
from app.store.tables import channels, publications
from config.settings import Settings
from tests.builders import JACKET, Shop, sale
from workers import hands, outbound
from workers.run import Worker


@pytest.fixture
def quick(web, settings) -> Settings:
    return replace(
        settings,
        secret_key="a secret key for tests",
        retry_base_seconds=0.01,
        retry_cap_seconds=0.01,
        retry_floor_seconds=0,
    )


def sold(shop: Shop, units: int) -> None:
    shop.tell("till", sale(f"T-{now()}", JACKET, units, at=now()))


def test_lost_wake_up_a_change_while_the_old_number_is_sent_is_sent_too(
    web, quick, channel, eventually
):
    mine = hands.make(quick)
    channel.delay = 0.5
    drain = threading.Thread(target=outbound.drain, args=("web", mine))
    drain.start()
    eventually(lambda: channel.ids)
    sold(web, 3)
    mine.wakes.wake("outbound:web")
    drain.join(20)

    assert [row["available"] for row in channel.rows] == [5, 2]
    mine.engine.dispose()


def test_lost_wake_up_a_change_is_found_when_redis_forgot_it(
    web, quick, channel, eventually, redis
):
    mine = hands.make(quick)
    channel.delay = 0.5
    drain = threading.Thread(target=outbound.drain, args=("web", mine))
    drain.start()
    eventually(lambda: channel.ids)
    redis.flushall()
    sold(web, 3)
    drain.join(20)
    outbound.drain("web", mine)

    assert [row["available"] for row in channel.rows][-1] == 2
    mine.engine.dispose()


def test_stale_overwrite_the_retry_of_an_old_number_is_the_new_number(
    web, quick, channel
):
    publisher = Publisher(web.engine, web.vault, quick)
    channel.status = 503
    publisher.push_due("web")
    assert channel.rows == []

    channel.status = 200
    sold(web, 1)
    for _ in range(5):
        with writing(web.engine) as connection:
            connection.execute(publications.update().values(next_attempt_at=0))
        publisher.push_due("web")

    assert [row["available"] for row in channel.rows] == [4], "5 was never sent again"


def test_stale_overwrite_two_workers_do_not_cross(web, quick, channel):
    """The lease is looked at before every call: one of them sends."""
    channel.delay = 0.3
    both = [Publisher(web.engine, web.vault, quick) for _ in range(2)]
    for units in (1, 1, 1):
        threads = [threading.Thread(target=one.push_due, args=("web",)) for one in both]
        for thread in threads:
            thread.start()
        sold(web, units)
        for thread in threads:
            thread.join(20)
    for one in both:
        one.release("web")
    while both[0].push_due("web"):
        pass

    numbers = [row["available"] for row in channel.rows]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 2


# -- stuck after a kill --------------------------------------------------------------


@contextmanager
def workers(settings: Settings, *kinds: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Real worker processes, as the Procfile starts them."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ONECOUNT_")}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "workers.run", kind],
            cwd=ROOT,
            env=clean | settings.to_env(),
        )
        for kind in kinds
    ]
    try:
        yield running
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(30)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """kill -9 for a worker and everything it started, in one go."""
    victims = [*psutil.Process(process.pid).children(recursive=True)]
    process.kill()
    for one in victims:
        if one.is_running():
            one.kill()


MARGIN = 12.0
"""From the end of a dead worker's lease to the call: a sweep, and a wake-up."""


def test_stuck_after_a_kill_the_work_goes_on_within_a_minute(
    web, quick, channel, eventually
):
    settings = replace(
        quick, push_deadline_seconds=5, lease_seconds=15, outbound_workers=1
    )
    channel.delay = 30.0
    with workers(settings, "outbound", "scheduler") as (pushing, _):
        eventually(lambda: channel.ids, within=60)
        kill_all(pushing)
        killed = time.monotonic()
        channel.delay = 0.0
        sold(web, 2)

        with workers(settings, "outbound"):
            eventually(lambda: channel.rows, within=60)
            took = time.monotonic() - killed

    assert channel.rows[0]["available"] == 3, "the number as it is now"
    assert took < settings.lease_seconds + MARGIN
    usual = {one.name: one.default for one in fields(Settings)}
    assert usual["lease_seconds"] + MARGIN < 60, "and so it is as it comes"


# -- one channel that hangs slows no other --------------------------------------------


def test_a_channel_that_timed_out_is_served_by_the_slow_queues_own_worker(
    web, quick, channel, redis, monkeypatch
):
    for name, value in quick.to_env().items():
        monkeypatch.setenv(name, value)
    hands.hands.cache_clear()
    with writing(web.engine) as connection:
        connection.execute(channels.update().values(slow_until=now() + MINUTE))
    # Whoever wakes it need not know.
    Wakes(quick.redis_url).wake("outbound:web")

    def serve(name: str) -> None:
        queue = Queue(name, connection=redis, serializer=JSONSerializer)
        worker = Worker([queue], connection=redis, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="WARNING")

    serve(OUTBOUND)
    assert channel.pushes == []
    serve(SLOW)
    assert channel.shows() == {"jacket-1": 5}
    hands.hands().engine.dispose()
    hands.hands.cache_clear()

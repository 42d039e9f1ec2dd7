"""The bell on a real Valkey: heard soon, shared by many, waited for by nobody."""

import socket
import time

import pytest

from app.bell import Bell
from app.queues import Wakes


class Counted(Wakes):
    """Real wakes, counted."""

    asked = 0

    def wake_all(self, lanes):
        self.asked += 1
        super().wake_all(lanes)


@pytest.fixture
def wakes(redis_url):
    wakes = Counted(redis_url, patience=1)
    yield wakes
    wakes.redis.close()


@pytest.fixture
def bell(wakes):
    bell = Bell(wakes)
    yield bell
    bell.close()


def test_every_lane_that_was_rung_is_woken(bell, redis, eventually):
    bell.wake("inbound")
    bell.wake("fetch:web")

    eventually(lambda: redis.exists("wake:inbound", "wake:fetch:web") == 2)


def test_many_rings_share_a_wake(bell, wakes, redis, eventually):
    for _ in range(1_000):
        bell.wake("inbound")
    eventually(lambda: redis.exists("wake:inbound"))

    assert wakes.asked < 20


def test_a_ring_after_a_wake_is_heard_too(bell, wakes, redis, eventually):
    bell.wake("inbound")
    eventually(lambda: redis.exists("wake:inbound"))
    wakes.forget("inbound")

    bell.wake("inbound")

    eventually(lambda: redis.exists("wake:inbound"))


def test_closing_tells_what_is_still_rung(bell, redis):
    bell.wake("inbound")

    bell.close()

    assert redis.exists("wake:inbound")


def test_nobody_waits_for_a_redis_that_hangs():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        wakes = Wakes(f"redis://127.0.0.1:{port}/0", patience=1)
        bell, began = Bell(wakes), time.monotonic()

        for _ in range(20):
            bell.wake("inbound")

        assert time.monotonic() - began < 0.5
        bell.close()
        wakes.redis.close()

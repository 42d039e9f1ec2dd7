"""The hub on one host, its database and Valkey on another, and the link between cut.

Not a proxy but the kernel's own network: a cut link says nothing to anybody, packets
only stop. Run by hand (`pytest -m long`) where namespaces can be made (as root on Linux);
elsewhere it is skipped with the reason, and what remains is the storm itself, which kills
the servers instead.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.demo.storm import Storm
from tests.hubs import World, running, within
from tests.storm.hosts import Hosts, two_hosts, why_not

pytestmark = pytest.mark.long

CUT_SECONDS = 12.0
"""Longer than either side waits for the other."""
NOTHING = {"type": "observation", "lines": []}


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    if reason := why_not():
        pytest.skip(reason)
    with two_hosts() as hosts:
        yield hosts


@pytest.fixture
def world(hosts: Hosts, tmp_path: Path) -> Iterator[World]:
    redis = {"ONECOUNT_REDIS_URL": hosts.redis_url}
    with hosts.other(), running(hosts.database_url, tmp_path, **redis) as world:
        yield world


def test_a_link_that_is_cut_costs_time_and_nothing_else(
    hosts: Hosts, world: World
) -> None:
    storm = Storm(world, seed=1)
    assert within(30, storm.is_furnished)
    storm.blow(1.5)
    assert within(60, lambda: world.tell(NOTHING) == 200)  # it was killed, too

    hosts.cut()
    began = time.monotonic()
    answer = world.answer(NOTHING)
    ready = requests.get(f"{world.address}/readyz", timeout=60)
    storm.blow(max(2.0, CUT_SECONDS - (time.monotonic() - began)))
    hosts.mend()
    storm.wait_for_calm()

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert ready.status_code == 503
    assert ready.json()["database"] == "down"
    untrue = [claim for claim in storm.claims() if not claim.is_true]
    assert not untrue, (storm.happened, untrue, world.waiting())

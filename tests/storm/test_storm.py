"""The storm of `onecount demo --storm`, blown in short every day.

`ONECOUNT_STORM_SECONDS` makes it last longer, `ONECOUNT_STORM_SEED` blows it again.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo.storm import Storm
from tests.conftest import _copied
from tests.hubs import World, running, within

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("ONECOUNT_STORM_SECONDS", "8"))
SEED = int(os.environ.get("ONECOUNT_STORM_SEED", "1"))


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        with running(None, tmp_path) as world:
            yield world
        return
    server = request.getfixturevalue("_postgres_server")
    for url in _copied(server, request.getfixturevalue("_postgres_template")):
        with running(url, tmp_path) as world:
            yield world


def test_after_the_storm_every_number_is_right(world: World) -> None:
    storm = Storm(world, SEED)
    assert within(30, storm.is_furnished)

    storm.blow(SECONDS)
    storm.wait_for_calm()

    untrue = [claim for claim in storm.claims() if not claim.is_true]
    assert not untrue, (SEED, storm.happened, untrue, world.waiting())
    assert storm.happened["sale"] > 0

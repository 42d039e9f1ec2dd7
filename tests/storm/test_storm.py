"""The storm of `onecount demo --storm`, blown in short every day.

`ONECOUNT_STORM_SECONDS` makes it last longer, `ONECOUNT_STORM_SEED` blows it again.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo.storm import Storm
from tests.hubs import World, running, within
from tests.storm.cluster import Cluster, cluster

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("ONECOUNT_STORM_SECONDS", "8"))
SEED = int(os.environ.get("ONECOUNT_STORM_SEED", "1"))


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.long), "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Cluster | None]:
    """One that dies in the storm; SQLite cannot, so it is enough by hand."""
    if request.param == "sqlite":
        yield None
        return
    with cluster() as own:
        yield own


@pytest.fixture
def world(database: Cluster | None, tmp_path: Path) -> Iterator[World]:
    with running(database.url if database else None, tmp_path) as world:
        yield world


def test_after_the_storm_every_number_is_right(
    world: World, database: Cluster | None
) -> None:
    storm = Storm(world, SEED, database=database)
    assert within(30, storm.is_furnished)

    storm.blow(SECONDS)
    storm.wait_for_calm()

    untrue = [claim for claim in storm.claims() if not claim.is_true]
    assert not untrue, (SEED, storm.happened, untrue, world.waiting())
    assert storm.happened["sale"] > 0
    assert database is None or storm.happened["recovery"] > 0

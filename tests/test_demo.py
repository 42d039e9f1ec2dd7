"""The demo is a promise to whoever looks first: it has to hold."""

import os
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from app.demo import endless, hub, watch
from app.demo.shop import JACKET, TILL_PLACE, NotADemo, opened
from app.demo.story import Teller
from app.demo.watch import within
from app.procfile import ROOT
from config.settings import Settings
from tests.builders import Shop


@pytest.mark.slow
def test_the_story_of_the_last_jacket_is_true_to_its_end() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "app.cli", "demo", "--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert "All of it was true." in told.stdout
    assert "✗" not in told.stdout


def test_a_claim_that_is_not_true_is_told_and_remembered() -> None:
    said = StringIO()
    teller = Teller(Console(file=said))

    teller.check("the till shows 0", False, "it shows 1")
    teller.soon("the store shows 0", lambda: False, within=0.1)

    assert teller.failed == ["the till shows 0", "the store shows 0"]
    assert "✗ not true: the till shows 0: it shows 1" in said.getvalue()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_demo_stays_out_of_a_hub_with_channels_of_its_own(
    settings: Settings, engine
) -> None:
    shop = Shop(engine)
    shop.channel("real-shop")

    with pytest.raises(NotADemo, match="real-shop"), opened(settings):
        pass
    shop.receiver.close()


@pytest.mark.slow
def test_every_scene_ends_well_and_a_restart_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endless, "OUTAGE_SECONDS", 1.0)
    with hub.temporary(os.environ) as settings:
        with opened(settings) as shop:
            assert within(watch.PATIENCE, lambda: not watch.differences(shop))
            stage = endless.Stage(shop)
            for _ in range(2):
                for scene in endless.SCENES:
                    endless.recover(stage)
                    endless.act(stage, scene)
            within(watch.PATIENCE, lambda: endless.recover(stage) or stage.down is None)
            assert within(watch.PATIENCE, lambda: is_right(shop)), watch.differences(
                shop
            )
            left = watch.units(shop, JACKET)

        with opened(settings) as shop:
            assert within(watch.PATIENCE, lambda: is_right(shop))
            assert watch.units(shop, JACKET) == left
            shop.till.do("edit", item=JACKET.till, place=TILL_PLACE, quantity=77)
            assert within(watch.PATIENCE, lambda: is_right(shop))
            assert watch.audit_differences(shop) == []


def is_right(shop) -> bool:
    return watch.is_quiet(shop) and not watch.differences(shop)

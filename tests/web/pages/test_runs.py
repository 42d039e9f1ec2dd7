"""Many deliveries at once: a plan, a run that can be watched and cancelled."""

import re

import pytest

from app.domain.instants import now
from app.pipeline import redelivery, running
from app.store import runs as store
from tests.builders import JACKET


@pytest.fixture
def failed(shop, deliveries) -> list[int]:
    shop.sku("SCARF")
    shop.listing("web", "SCARF", "scarf")
    places = [(sku, place) for sku in (JACKET, "SCARF") for place in "dh"]
    return [deliveries.fail(deliveries.id(sku, place=place)) for sku, place in places]


def test_a_plan_is_looked_at_then_run_and_watched(anna, failed, engine, deliveries):
    words = anna.words("/deliveries/plan?state=failed")
    assert "4 rows = 1 send" in words

    form = {"action": "retry", "state": "failed"}
    page = anna.press("/deliveries/runs", form)
    run_path = re.search(r"/deliveries/runs/\d+", page.text)
    assert run_path
    assert "0 % done" in page.text
    assert "Chosen by: state failed" in anna.words(run_path[0])
    assert "Sending again: 4 numbers" in anna.words("/deliveries")

    running.advance(engine, now())
    assert not any(deliveries.row(one)["failed_at"] for one in failed)

    anna.press(f"{run_path[0]}/cancel")
    running.advance(engine, now())
    assert f"Cancelled by {anna.email}" in anna.words(run_path[0])
    assert all(deliveries.row(one)["failed_at"] for one in failed)
    assert "Sending again" not in anna.words("/deliveries")


def test_a_filter_that_nothing_matches_has_no_plan(anna, failed):
    assert "Nothing matches" in anna.words("/deliveries/plan?sku=NOBODY")


def test_a_program_lets_many_be_sent_again_and_watches(
    api, failed, engine, monkeypatch
):
    monkeypatch.setattr(redelivery, "MANY", 4)

    begun = api.post("/publications/retry", {"filter": {}}, status=202)
    path = f"/runs/{begun['run']}"
    before = api.get(path)
    running.advance(engine, now())
    after = api.post(f"{path}/cancel", None, status=200)

    assert begun["matched"] == 4
    assert (before["state"], before["rows"]) == ("running", {store.WAITS: 4})
    assert (after["state"], after["rows"]) == ("cancelled", {store.CANCELLED: 4})
    assert api.refused("/runs/x/cancel", None, 404) == []

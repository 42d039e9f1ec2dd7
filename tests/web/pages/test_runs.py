"""Many deliveries at once: a plan, a run that can be watched and cancelled."""

import re

import pytest

from app.domain.instants import now
from app.pipeline.repairing import redelivery, running
from app.store.publishing import runs as store
from tests.builders import JACKET, sale
from tests.web.pages.conftest import text_of


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
    assert "Nothing matches" in anna.words("/deliveries/plan?product=NOBODY")
    assert "Nothing is selected" in anna.words("/deliveries/plan?ids=&state=failed")


def test_ticked_rows_have_a_plan_and_a_run_of_their_own(
    anna, failed, engine, deliveries
):
    page = anna.read(f"/deliveries/plan?ids=&ids={failed[0]}&ids={failed[3]}&ids=x")
    assert "Send 2 numbers again?" in page

    form = {"action": "retry", "ids": f"{failed[0]},{failed[3]}"}
    run = text_of(anna.press("/deliveries/runs", form).text)
    running.advance(engine, now())

    assert "Chosen by: 2 ticked rows" in run
    stopped = [deliveries.row(one)["failed_at"] is not None for one in failed]
    assert stopped == [False, True, True, False]


def test_the_plan_of_a_discard_says_what_stays_wrong(
    anna, failed, shop, engine, deliveries
):
    shop.tell("till", sale("T-1", JACKET, 8, at=now(), location="1"))
    ids = f"{failed[0]},{failed[1]}"

    words = anna.words(f"/deliveries/plan?action=discard&ids={ids}")
    assert "Discard 2 deliveries?" in words
    assert "8 units that should not be sold" in words

    anna.press("/deliveries/runs", {"action": "discard", "ids": ids})
    running.advance(engine, now())
    gone = [deliveries.row(one)["discarded_at"] is not None for one in failed]
    assert gone == [True, True, False, False]


def test_a_program_lets_many_be_sent_again_and_watches(
    api, anna, failed, engine, monkeypatch
):
    monkeypatch.setattr(redelivery, "MANY", 4)

    begun = api.post("/publications/retry", {"ids": failed}, status=202)
    path = f"/runs/{begun['run']}"
    assert "Chosen by: 4 ticked rows" in anna.words(f"/deliveries{path}")
    before = api.get(path)
    running.advance(engine, now())
    after = api.post(f"{path}/cancel", None, status=200)

    assert begun["matched"] == 4
    assert (before["state"], before["rows"]) == ("running", {store.WAITS: 4})
    assert (after["state"], after["rows"]) == ("cancelled", {store.CANCELLED: 4})
    assert api.refused("/runs/x/cancel", None, 404) == []

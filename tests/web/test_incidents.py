"""POST incidents/<id>/resolve: a person's word is kept."""

import pytest

from app.domain.instants import DAY, iso, now
from tests.builders import JACKET, returned, sale


@pytest.fixture
def oversold(api, shop):
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))
    [incident] = api.get("/incidents?kind=oversell")["items"]
    return incident


def test_an_oversell_is_listed_open(api, oversold):
    assert (oversold["state"], oversold["subject"]) == ("open", JACKET)
    assert oversold["details"]["units"] == 2
    assert oversold["resolution"] is None


def test_a_person_resolves_it_once(api, oversold):
    path = f"/incidents/{oversold['id']}/resolve"

    told = api.post(path, {"note": "sent from the harbour"}, status=200)
    again = api.post(path, {"note": "something else"}, status=200)

    assert again == told
    assert (told["state"], told["resolution"]) == ("resolved", "sent from the harbour")
    assert told["resolved_by"] == "token:a admin"
    assert told["resolved_at"] == told["closed_at"]
    assert api.get("/incidents?open=true")["items"] == []


def test_goods_sold_before_counting_began_are_dismissed_with_one_call(api, shop):
    back = returned("OLD-1", JACKET, 1, at=now(), location="1")
    shop.tell("till", back)
    [found] = api.get("/incidents?kind=surplus_return")["items"]
    assert "sold before this count began" in found["message"]

    api.post(f"/incidents/{found['id']}/resolve", {"note": "old goods"}, status=200)
    shop.tell("till", back | {"version": now()})

    [found] = api.get("/incidents?kind=surplus_return")["items"]
    assert (found["state"], found["resolution"]) == ("resolved", "old goods")
    assert found["resolved_by"] == "token:a admin"


@pytest.mark.parametrize("named", ["0", "999", "x", "9" * 30])
def test_an_incident_that_is_not_there_is_404(api, shop, named):
    assert api.refused(f"/incidents/{named}/resolve", {"note": "x"}, 404) == []


def test_a_note_must_be_given(api, oversold):
    assert api.refused(f"/incidents/{oversold['id']}/resolve", {}) == ["note"]


def test_an_incident_is_put_off_and_taken_up_again(api, oversold):
    path = f"/incidents/{oversold['id']}/snooze"
    assert oversold["snoozed_until"] is None

    later = iso(now() + DAY)
    assert api.post(path, {"until": later}, status=200)["snoozed_until"] == later
    assert api.post(path, {"until": None}, status=200)["snoozed_until"] is None

    assert api.refused(path, {"until": iso(now() - DAY)}) == ["until"]
    assert api.refused(path, {}) == ["until"]
    assert api.refused("/incidents/999/snooze", {"until": later}, 404) == []

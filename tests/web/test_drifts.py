"""Drifts to be seen and decided: by the API, and on the incident's page."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.domain.instants import iso, now
from app.pipeline.publish import Publisher
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.tables import audit_log, channels, publications
from app.web.hub import EXTENSION
from tests.builders import JACKET
from tests.web.pages.conftest import Deliveries, anna, person

__all__ = ["anna", "person"]

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def edited(shop, settings):
    """Somebody took three jackets off downtown's number on the store."""
    with writing(shop.engine) as connection:
        connection.execute(channels.update().values(drift="ask"))
        channel_store.touch(connection, now())
    Deliveries(shop).all_settled()
    line = {"id": "1", "sku": "jacket-on-the-web", "quantity": 7}
    told = {"type": "observation", "occurred_at": iso(now()), "location": "d"}
    shop.tell("web", told | {"lines": [line]})
    with writing(shop.engine) as connection:
        connection.execute(publications.update().values(next_attempt_at=0))
    publisher = Publisher(shop.engine, shop.vault, replace(settings))
    while publisher.push_due("web"):
        pass


def shown(api) -> list[int]:
    return [row["desired"] for row in api.get("/publications?channel=web")["items"]]


def test_an_open_drift_says_why_both_numbers_and_the_ways_out(api, edited):
    [found] = api.get("/drifts?channel=web&state=open")["items"]

    assert (found["theirs"], found["ours"]) == (7, 10)
    assert (found["sku"], found["place"], found["cause"]) == (JACKET, "d", "unknown")
    assert (found["done"], found["state"], found["can_take"]) == ("wait", "open", True)
    assert found["healing"] == (
        "take ours: 10 is published; or take theirs: -3 units in the stock; "
        "until then 7 is shown"
    )
    assert api.get("/drifts?state=over")["items"] == []
    assert api.get("/drifts?channel=till")["items"] == []
    assert api.get("/drifts?limit=1")["next"] is None
    api.post(f"/skus/{JACKET}/aliases", {"alias": "0815"})
    assert api.get("/drifts?sku=0815")["items"] == [found]
    assert sorted(shown(api)) == [0, 7]


def test_the_explanation_of_a_number_mentions_it(api, edited):
    [found] = api.get("/drifts?state=open")["items"]

    told = api.get(f"/stock/{JACKET}/explain?channel=web")["numbers"]

    assert [one["dispute"] for one in told if one["place"] != "d"] == [None]
    [one] = [one for one in told if one["place"] == "d"]
    asked = one["dispute"]
    assert (asked["drift"], asked["theirs"], asked["ours"]) == (found["id"], 7, 10)
    assert (one["shown"], asked["held_back"]) == (7, 3)
    assert (
        "shows 7: 10 units available at downtown; it showed 7 where ours is 10"
        in (one["explanation"])
    )
    assert "a person is asked: 3 held back until then" in one["explanation"]


@pytest.mark.parametrize(("take", "left"), [("ours", 10), ("theirs", 7)])
def test_a_person_decides_once(api, edited, take, left):
    [found] = api.get("/drifts?state=open")["items"]
    path = f"/drifts/{found['id']}/decide"

    told = api.post(path, {"take": take}, status=200)

    assert told["state"] == "over"
    assert sorted(shown(api)) == [0, left]
    assert api.stock(JACKET)["available"] == left
    assert api.get("/incidents?kind=drift&open=true")["items"] == []
    assert api.refused(path, {"take": take}, 409) == []
    assert api.stock(JACKET)["available"] == left


def test_what_is_not_there_or_not_said_is_refused(api, edited):
    assert api.refused("/drifts/999/decide", {"take": "ours"}, 404) == []
    assert api.refused("/drifts/1/decide", {"take": "both"}) == ["take"]
    assert api.refused("/drifts/1/decide", {}) == ["take"]


def test_the_incident_shows_both_numbers_and_the_buttons_work(anna, api, edited):
    [incident] = api.get("/incidents?kind=drift")["items"]
    [found] = api.get("/drifts?state=open")["items"]
    page = f"/incidents/{incident['id']}"
    told = anna.words(page)
    assert "web shows at d 7" in told
    assert "Take ours: 10 Take theirs: 7" in told
    assert "These numbers were seen" in told
    assert "Below is what both are now" in told

    answer = anna.press(f"/drifts/{found['id']}/decide", {"take": "theirs"}, on=page)

    assert "the stock is adjusted to it" in answer.text
    assert api.stock(JACKET)["available"] == 7
    assert "Take ours" not in anna.words(page)
    again = anna.press(f"/drifts/{found['id']}/decide", {"take": "ours"}, on=page)
    assert "Nothing was done" in again.text
    query = sa.select(audit_log.c.action).where(audit_log.c.actor == anna.email)
    with api.client.application.extensions[EXTENSION].engine.connect() as connection:
        assert "take theirs" in connection.execute(query).scalars().all()

"""Holds: claims get all of what they ask for, or nothing and a reason."""

from datetime import timedelta

import pytest
import time_machine

from app.domain.instants import MINUTE, SECOND, now, parse
from app.store import timekeeper
from tests.builders import JACKET, order

HALF_AN_HOUR = 30 * MINUTE
two_machines = pytest.mark.parametrize("backend", ["postgres"], indirect=True)
"""Which share a database, and whose clocks differ by half an hour or by an hour."""


def held(quantity=4, **more):
    return {"lines": [{"sku": JACKET, "quantity": quantity}], **more}


def test_a_hold_reserves_units_until_it_expires(api, shop):
    hold = api.post("/holds", held(expires_in=900, reference="cart-1"))

    assert hold["id"]
    assert hold["state"] == "active"
    assert hold["expires_at"].endswith("Z")
    stock = api.stock(JACKET)
    assert (stock["available"], stock["reserved"], stock["on_hand"]) == (6, 4, 10)


def test_too_few_units_are_409_with_what_is_short(api, shop):
    response = api.call("POST", "/holds", held(11))

    assert response.status_code == 409
    assert response.content_type == "application/problem+json"
    assert response.json["short"] == [{"sku": JACKET, "requested": 11, "available": 10}]
    assert api.stock(JACKET)["available"] == 10


def test_a_released_hold_gives_its_units_back_and_cannot_be_committed(api, shop):
    hold = api.post("/holds", held())

    released = api.call("DELETE", f"/holds/{hold['id']}")
    assert released.status_code == 200
    assert released.json["state"] == "released"
    assert api.stock(JACKET)["available"] == 10

    response = api.call("POST", f"/holds/{hold['id']}/commit", {})
    assert response.status_code == 409


def test_a_committed_hold_is_a_promise_and_a_second_commit_answers_the_same(api, shop):
    hold = api.post("/holds", held())
    path = f"/holds/{hold['id']}"

    first = api.post(f"{path}/commit", {"channel": "web", "order": "1001"}, status=200)
    again = api.post(f"{path}/commit", {"channel": "web", "order": "1001"}, status=200)

    assert first == again
    assert first["state"] == "committed"
    stock = api.stock(JACKET)
    assert (stock["committed"], stock["reserved"], stock["on_hand"]) == (4, 0, 10)
    assert api.call("DELETE", path).status_code == 409


def test_a_hold_can_be_committed_without_a_body(client, api, shop):
    hold = api.post("/holds", held())

    response = api.call("POST", f"/holds/{hold['id']}/commit")

    assert response.status_code == 200, response.text
    assert api.stock(JACKET)["committed"] == 4


def test_an_expired_hold_cannot_be_committed(api, shop, engine):
    hold = api.post("/holds", held())
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE holds SET expires_at = {now() - SECOND}")

    response = api.call("POST", f"/holds/{hold['id']}/commit", {})

    assert response.status_code == 409
    assert api.stock(JACKET)["available"] == 10


def test_an_order_that_names_the_holds_reference_consumes_it(api, shop):
    api.post("/holds", held(reference="1001"))

    shop.tell("web", order("1001", "jacket-on-the-web", 4, at=now()))

    stock = api.stock(JACKET)
    assert (stock["reserved"], stock["committed"], stock["available"]) == (0, 4, 6)


def test_a_commitment_without_a_channel_is_of_the_order_that_is_known(api, shop):
    first, second = (api.post("/holds", held()) for _ in range(2))
    shop.tell("web", order("1001", "jacket-on-the-web", 4, at=now()))

    answer = api.call("POST", f"/holds/{first['id']}/commit", {"order": "1001"})
    assert answer.status_code == 200
    stock = api.stock(JACKET)
    assert (stock["reserved"], stock["committed"], stock["available"]) == (4, 4, 2)

    shop.tell("till", order("1001", JACKET, 1, at=now()))
    path = f"/holds/{second['id']}/commit"
    assert api.refused(path, {"order": "1001"}) == ["channel"]


def test_a_hold_stays_while_nobody_knows_what_its_order_takes(api, shop):
    api.post("/holds", held(reference="1001"))
    shop.tell("web", order("1001", "not-mapped-yet", 4, at=now()))
    assert api.stock(JACKET)["available"] == 6

    listing = {"channel": "web", "sku": JACKET, "external_id": "not-mapped-yet"}
    api.post("/listings", listing)

    stock = api.stock(JACKET)
    assert (stock["reserved"], stock["committed"], stock["available"]) == (0, 4, 6)


def on_a_machine(ahead):
    """Do the rest where the clock goes by that much before the database's."""
    return time_machine.travel(timedelta(microseconds=ahead))


def end_all(engine):
    """Let the time of all holds be over by the database's clock."""
    with engine.begin() as connection:
        clock = timekeeper.clock(connection)
        connection.exec_driver_sql(f"UPDATE holds SET expires_at = {clock} - 1000000")


def explained(api):
    """The holds that are told as a reason for what the store shows."""
    return api.get(f"/stock/{JACKET}/explain?channel=web")["holds"]


@two_machines
def test_a_hold_ends_at_one_time_on_all_machines(api, shop):
    ends = []
    for ahead in (-HALF_AN_HOUR, 0, HALF_AN_HOUR):
        with on_a_machine(ahead):
            hold = api.post("/holds", held(1, expires_in=900))
        ends.append(parse(hold["expires_at"]) - now() - 900 * SECOND)

    assert max(map(abs, ends)) < 20 * SECOND


@two_machines
def test_a_hold_does_not_end_early_where_the_clock_is_ahead(api, shop):
    made = [api.post("/holds", held(3, reference=n)) for n in ("1", "2", "3")]
    move = {"from": "downtown", "to": "harbour"} | held(2)

    with on_a_machine(HALF_AN_HOUR):
        stock, [shown] = api.stock(JACKET), api.get("/publications?limit=1")["items"]
        assert (stock["available"], stock["reserved"], shown["desired"]) == (1, 9, 1)
        assert [one["is_counted"] for one in explained(api)] == [True] * 3
        assert api.call("POST", "/holds", held(2)).status_code == 409
        assert api.call("POST", "/transfers", move).status_code == 409
        api.post(f"/holds/{made[0]['id']}/commit", {}, status=200)
        let_go = api.call("DELETE", f"/holds/{made[1]['id']}").json
        shop.tell("web", order("3", "jacket-on-the-web", 3, at=now()))

    assert let_go["state"] == "released"
    assert shop.level(JACKET) == {"available": 4, "committed": 6}


@two_machines
def test_a_hold_does_not_end_late_where_the_clock_is_behind(api, shop, engine):
    made = [api.post("/holds", held(3, reference=n)) for n in ("1", "2", "3")]
    move = {"from": "downtown", "to": "harbour"} | held(9)
    end_all(engine)

    with on_a_machine(-HALF_AN_HOUR):
        stock, [shown] = api.stock(JACKET), api.get("/publications?limit=1")["items"]
        assert (stock["available"], stock["reserved"], shown["desired"]) == (10, 0, 10)
        assert [one["is_counted"] for one in explained(api)] == [False] * 3
        commit = f"/holds/{made[0]['id']}/commit"
        assert api.call("POST", commit, {}).status_code == 409
        let_go = api.call("DELETE", f"/holds/{made[1]['id']}").json
        api.post("/holds", held(8))
        end_all(engine)
        api.post("/transfers", move)

    assert let_go["state"] == "expired"
    assert shop.level(JACKET) == {"available": 1, "incoming": 9}


def test_committing_other_units_than_are_held_names_the_line(api, shop):
    hold = api.post("/holds", held())
    path = f"/holds/{hold['id']}/commit"

    fewer = {"lines": [{"sku": JACKET, "quantity": 3}]}
    other = {"lines": [{"sku": "HAT", "id": "1"}]}

    assert api.refused(path, fewer) == ["lines[0].quantity"]
    assert api.refused(path, other) == ["lines[0].sku"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": "900"}, "expires_in"),
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": JACKET, "quantity": 0}]}, "lines[0].quantity"),
        ({"lines": [{"sku": "NOBODY", "quantity": 1}]}, "lines[0].sku"),
        (
            {"lines": [{"sku": JACKET, "quantity": 1, "location": "atlantis"}]},
            "lines[0].location",
        ),
    ],
)
def test_a_hold_that_cannot_be_meant_names_the_field(api, shop, change, field):
    assert api.refused("/holds", held() | change) == [field]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/holds/nobody/commit"),
        ("DELETE", "/holds/nobody"),
        ("POST", "/holds/%00/commit"),
        ("DELETE", "/holds/%00"),
    ],
)
def test_what_does_not_exist_is_404(api, shop, method, path):
    body = None if method == "DELETE" else {}

    assert api.call(method, path, body).status_code == 404

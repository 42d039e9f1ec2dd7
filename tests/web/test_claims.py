"""Holds: claims get all of what they ask for, or nothing and a reason."""

import pytest

from app.domain.instants import SECOND, now
from tests.builders import JACKET, order


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

"""POST adjustments, counts, receipts, returns: facts are written down, whatever is
there, and a fact that cannot be meant names its field."""

import pytest

from app.domain.instants import HOUR, iso, now
from tests.builders import JACKET, order, sale, shipment


def adjustment(**changes):
    return {
        "sku": JACKET,
        "location": "downtown",
        "change": -2,
        "reason": "stolen",
    } | changes


def lines(**changes):
    return [{"sku": JACKET, "quantity": 3} | changes]


def test_an_adjustment_moves_units_out_and_says_what_was_posted(api, shop):
    posted = api.post("/adjustments", adjustment(note="by the door"))

    [entry] = posted["entries"]
    assert posted["id"]
    assert entry["quantity"] == 2
    assert entry["from"] == {"state": "available", "location": "downtown"}
    assert entry["to"]["state"] == "variance"
    assert entry["reason"] == "stolen: by the door"
    assert entry["actor"] == "token:a admin"
    assert api.stock(JACKET)["available"] == 8
    assert api.get(f"/stock/{JACKET}/ledger")["items"][0] == entry


@pytest.mark.parametrize(("to", "on_hand"), [("damaged", 10), ("scrap", 8)])
def test_lost_units_may_be_damaged_or_scrap(api, shop, to, on_hand):
    api.post("/adjustments", adjustment(to=to))

    stock = api.stock(JACKET)
    assert (stock["available"], stock["on_hand"]) == (8, on_hand)


def test_a_fact_is_never_refused_for_lack_of_units(api, shop):
    api.post("/adjustments", adjustment(change=-12))

    assert api.stock(JACKET)["available"] == -2


def test_no_more_units_are_repaired_than_were_damaged(api, shop):
    api.post("/adjustments", adjustment(change=-1, to="damaged"))

    why = api.post("/adjustments", adjustment(change=2, to="damaged"), status=422)
    assert "leave `to` out for units that were found" in str(why)
    refused = api.refused("/adjustments", adjustment(change=2, to="damaged"))

    assert refused == ["change"]
    assert api.stock(JACKET)["damaged"] == 1
    api.post("/adjustments", adjustment(change=1, to="damaged"))
    assert api.stock(JACKET)["damaged"] == 0


def test_two_equal_adjustments_are_two(api, shop):
    api.post("/adjustments", adjustment())
    api.post("/adjustments", adjustment())

    assert api.stock(JACKET)["available"] == 6


def test_a_fact_may_have_happened_earlier(api, shop):
    at = iso(now() - HOUR // 2)

    posted = api.post("/adjustments", adjustment(occurred_at=at))

    assert posted["entries"][0]["occurred_at"] == at


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"change": 0}, "change"),
        ({"change": 1.5}, "change"),
        ({"change": 2.0}, "change"),
        ({"change": "2"}, "change"),
        ({"change": True}, "change"),
        ({"change": None}, "change"),
        ({"change": 10**9 + 1}, "change"),
        ({"change": -(10**30)}, "change"),
        ({"sku": "NOBODY"}, "sku"),
        ({"sku": 5}, "sku"),
        ({"sku": ""}, "sku"),
        ({"sku": "a\x00b"}, "sku"),
        ({"sku": "\ud800"}, "sku"),
        ({"location": "atlantis"}, "location"),
        ({"location": "unassigned:web"}, "location"),
        ({"reason": ""}, "reason"),
        ({"to": "customer"}, "to"),
        ({"occurred_at": "2026-11-23"}, "occurred_at"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
        ({"occured_at": "2026-11-23T10:00:00Z"}, "occured_at"),
    ],
)
def test_an_adjustment_that_cannot_be_meant_names_the_field(api, shop, change, field):
    assert api.refused("/adjustments", adjustment(**change)) == [field]
    assert api.stock(JACKET)["available"] == 10


def test_a_count_is_absolute_at_its_time(api, shop):
    posted = api.post(
        "/counts",
        {"location": "downtown", "lines": lines(quantity=12)},
    )

    assert posted["entries"][0]["quantity"] == 2
    assert api.stock(JACKET)["on_hand"] == 12


def test_a_count_of_nothing_is_zero_and_a_blank_one_is_refused(api, shop):
    api.post("/counts", {"location": "downtown", "lines": lines(quantity=0)})
    assert api.stock(JACKET)["on_hand"] == 0

    blank = {"location": "downtown", "lines": lines(quantity=None)}
    assert api.refused("/counts", blank) == ["lines[0].quantity"]


def test_a_line_may_have_been_counted_at_its_own_time(api, shop):
    shop.sku("HAT")
    early, late = iso(now() - HOUR // 2), iso(now() - HOUR // 4)

    posted = api.post(
        "/counts",
        {
            "location": "downtown",
            "counted_at": late,
            "lines": [
                {"sku": JACKET, "quantity": 9},
                {"sku": "HAT", "quantity": 3, "counted_at": early},
            ],
        },
    )

    times = {entry["sku"]: entry["occurred_at"] for entry in posted["entries"]}
    assert times == {JACKET: late, "HAT": early}


def test_counting_a_sku_twice_in_one_count_is_refused(api, shop):
    twice = {"location": "downtown", "lines": lines() + lines(quantity=4)}

    assert api.refused("/counts", twice) == ["lines[1].sku"]


def test_a_sku_is_counted_twice_however_its_time_is_said(api, shop):
    then = iso(now() - HOUR)
    twice = lines() + lines(quantity=4, counted_at=then)

    for name in ("counted_at", "occurred_at"):
        told = {"location": "downtown", name: then, "lines": twice}
        assert api.refused("/counts", told) == ["lines[1].sku"]


def test_a_sellable_count_leaves_damaged_units_out(api, shop):
    api.post("/adjustments", adjustment(to="damaged"))

    api.post(
        "/counts",
        {"location": "downtown", "scope": "sellable", "lines": lines(quantity=8)},
    )

    stock = api.stock(JACKET)
    assert (stock["available"], stock["damaged"]) == (8, 2)


def test_a_receipt_puts_units_on_the_shelf(api, shop):
    posted = api.post(
        "/receipts",
        {"location": "harbour", "reference": "PO-7", "lines": lines()},
    )

    assert posted["entries"][0]["from"]["state"] == "supplier"
    assert api.stock(JACKET)["on_hand"] == 13


@pytest.mark.parametrize("path", ["/receipts", "/returns"])
@pytest.mark.parametrize("quantity", [0, -1, 0.5, "3", False, 10**9 + 1])
def test_only_whole_units_can_arrive(api, shop, path, quantity):
    told = {"location": "downtown", "lines": lines() + lines(quantity=quantity)}

    assert api.refused(path, told) == ["lines[1].quantity"]


@pytest.mark.parametrize("path", ["/counts", "/receipts", "/returns"])
def test_lines_are_needed_and_named(api, shop, path):
    assert api.refused(path, {"location": "downtown"}) == ["lines"]
    assert api.refused(path, {"location": "downtown", "lines": []}) == ["lines"]
    unknown = {"location": "downtown", "lines": lines() + lines(sku="NOBODY")}
    assert api.refused(path, unknown) == ["lines[1].sku"]
    assert api.stock(JACKET)["on_hand"] == 10


def test_a_return_without_an_order_is_posted(api, shop):
    api.post(
        "/returns", {"location": "downtown", "lines": lines(disposition="inspect")}
    )

    stock = api.stock(JACKET)
    assert (stock["available"], stock["inspection"]) == (10, 3)


def test_a_return_without_an_order_is_put_before_a_person_once(api, shop):
    told = {"location": "downtown", "lines": lines()}
    api.post("/returns", told, key="a return")
    api.post("/returns", told, key="a return")

    [incident] = api.get("/incidents?open=true")["items"]
    assert incident["kind"] == "unlinked_return"
    assert incident["times"] == 1
    assert "3 units of BLUE-JACKET-M came back to downtown" in incident["message"]
    assert "from the API" in incident["message"]
    assert incident["details"]["sku"] == JACKET
    assert incident["details"]["locations"] == {"downtown": 3}


def test_a_return_waits_for_its_shipment_and_then_moves_by_itself(api, shop):
    at = now() - HOUR
    shop.tell("web", order("1001", "jacket-on-the-web", 2, at=at))
    before = api.stock(JACKET)["on_hand"]

    api.post(
        "/returns",
        {
            "location": "downtown",
            "order": "1001",
            "channel": "web",
            "lines": [{"sku": JACKET, "quantity": 1, "disposition": "damaged"}],
        },
    )
    assert api.stock(JACKET)["on_hand"] == before
    [incident] = api.get("/incidents?open=true")["items"]
    assert (incident["kind"], incident["channel"]) == ("surplus_return", "web")
    assert "1 unit of BLUE-JACKET-M" in incident["message"]
    assert "order 1001 of web" in incident["message"]

    shop.tell(
        "web",
        shipment("1001", "jacket-on-the-web", 2, at=at + HOUR // 2, location="d"),
    )
    stock = api.stock(JACKET)
    assert (stock["on_hand"], stock["damaged"]) == (before - 1, 1)
    assert api.get("/incidents?open=true")["items"] == []


def test_a_return_finds_its_order_without_the_channel(api, shop):
    at = now() - HOUR
    item = "jacket-on-the-web"
    shop.tell("web", order("1001", item, 1, at=at))
    told = {"location": "downtown", "order": "1001", "lines": lines(quantity=1)}
    api.post("/returns", told)
    assert api.stock(JACKET)["committed"] == 0

    shop.tell("web", shipment("1001", item, 1, at=at + HOUR // 2, location="d"))
    assert api.stock(JACKET)["on_hand"] == 10
    assert api.get("/incidents?open=true")["items"] == []


def test_a_return_of_an_order_that_several_channels_have_names_the_field(api, shop):
    at = now() - HOUR
    shop.tell("web", order("1001", "jacket-on-the-web", 1, at=at))
    shop.tell("till", sale("1001", JACKET, 1, at=at))
    before = api.stock(JACKET)
    told = {"location": "downtown", "order": "1001", "lines": lines(quantity=1)}

    refused = api.call("POST", "/returns", told, key="k")

    assert refused.status_code == 422
    [error] = refused.json["errors"]
    assert error["field"] == "channel"
    assert "till and web have an order '1001'" in error["detail"]
    assert api.stock(JACKET) == before
    api.post("/returns", told | {"channel": "till"}, key="k")
    assert api.stock(JACKET)["on_hand"] == before["on_hand"] + 1


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b"",
        b"[" * 100_000,
        b'{"change": ' + b"9" * 5000 + b"}",
        b'{"change": NaN}',
    ],
)
def test_a_body_that_is_no_object_is_a_problem(client, api, shop, body):
    response = client.post(
        "/api/v1/adjustments",
        data=body,
        headers={"Authorization": f"Bearer {api.token}"},
        content_type="application/json",
    )

    assert response.status_code in (400, 422)
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"5"])
def test_a_body_that_is_no_object_is_told_what_is_wanted(client, api, shop, body):
    response = client.post(
        "/api/v1/adjustments",
        data=body,
        headers={"Authorization": f"Bearer {api.token}"},
        content_type="application/json",
    )

    assert response.status_code == 422
    assert "must be a JSON object" in response.json["detail"]


def test_a_body_that_is_not_json_is_refused(client, api, shop):
    response = client.post(
        "/api/v1/adjustments",
        data=adjustment(),
        headers={"Authorization": f"Bearer {api.token}"},
    )

    assert response.status_code == 415

"""The returns loop: advised, received where the custodian says so, judged, disposed."""

import pytest

from app.domain.instants import MINUTE, now
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from tests.builders import JACKET, order, returned, shipment

WEB = "jacket-on-the-web"


@pytest.fixture
def sold(shop):
    """Two jackets of order 1001, handed over."""
    at = now() - 30 * MINUTE
    shop.tell("web", order("1001", WEB, 2, at=at))
    shop.tell("web", shipment("1001", WEB, 2, at=at + MINUTE, location="d"))
    return shop


def notice(quantity=1, **more):
    lines = [{"sku": JACKET, "quantity": quantity}]
    return {
        "stage": "advised",
        "order": "1001",
        "channel": "web",
        "lines": lines,
    } | more


def back(quantity=1, **more):
    lines = [{"sku": JACKET, "quantity": quantity} | more.pop("line", {})]
    named = {"order": "1001", "channel": "web", "location": "downtown", "lines": lines}
    return named | more


def listed(api, query=""):
    return api.get(f"/returns{query}")["items"]


def test_a_notice_moves_nothing_and_is_listed(api, sold):
    posted = api.post("/returns", notice())

    assert posted["entries"] == []
    assert api.stock(JACKET)["on_hand"] == 8
    [case] = listed(api)
    assert (case["order"], case["channel"], case["sku"]) == ("1001", "web", JACKET)
    assert case["state"] == "advised"
    assert case["units"]["advised"] == 1
    api.post(f"/skus/{JACKET}/aliases", {"alias": "0815"})
    assert listed(api, "?sku=0815") == [case]
    assert case["missing"] == "1 unit that have not come back"


def test_notices_of_one_unit_by_three_systems_are_one_unit(api, sold):
    api.post("/returns", notice())
    body = returned("1001", WEB, 1, at=now(), location="d") | {"stage": "advised"}
    del body["location"]
    sold.tell("web", body, body)
    body["lines"][0]["sku"] = JACKET
    sold.tell("till", body | {"channel": "web", "id": "scan"})

    [case] = listed(api)
    assert case["units"]["advised"] == 1


def test_it_is_received_in_part_then_whole(api, sold):
    api.post("/returns", notice(2))
    api.post("/returns", back())

    [case] = listed(api, "?state=received")
    assert case["missing"] == "1 unit that have not come back"
    assert api.stock(JACKET)["available"] == 9
    api.post("/returns", back())

    assert listed(api) == []
    [case] = listed(api, "?state=disposed")
    assert case["units"]["sellable"] == 2
    assert case["missing"] is None


def test_it_waits_for_inspection_until_somebody_judged(api, sold):
    api.post("/returns", back(line={"disposition": "inspect"}))
    [case] = listed(api, "?state=inspection")
    assert case["missing"] == "somebody to judge 1 unit at downtown"

    lines = [{"sku": JACKET, "quantity": 1, "disposition": "sellable"}]
    api.post("/inspections", {"location": "downtown", "lines": lines})

    assert listed(api) == []


def test_more_than_was_shipped_waits_in_the_same_list(api, sold):
    api.post("/returns", back(3))

    [case] = listed(api, "?state=waiting")
    assert case["units"]["waiting"] == 1
    assert case["missing"] == "the shipment of 1 unit, before they count"
    assert api.stock(JACKET)["available"] == 10


def test_one_that_names_no_order_waits_until_a_person_resolved_it(api, shop):
    lines = [{"sku": JACKET, "quantity": 1}]
    api.post("/returns", {"location": "downtown", "lines": lines})
    [case] = listed(api, "?state=waiting")
    assert case["order"] is None

    [incident] = api.get("/incidents?kind=unlinked_return")["items"]
    path = f"/incidents/{incident['id']}/resolve"
    api.post(path, {"note": "a gift"}, status=200)

    assert listed(api) == []


def test_one_for_an_order_nobody_knows_moves_over_when_it_is_told(api, shop):
    api.post("/returns", notice())
    at = now() - MINUTE
    shop.tell("web", order("1001", WEB, 2, at=at))

    [case] = listed(api)
    assert (case["order"], case["units"]["advised"]) == ("1001", 1)


def test_a_notice_without_its_channel_finds_the_order_later(api, shop):
    body = notice()
    del body["channel"]
    api.post("/returns", body)
    assert listed(api)[0]["channel"] is None

    shop.tell("web", order("1001", WEB, 2, at=now()))

    [case] = listed(api)
    assert (case["channel"], case["units"]["advised"]) == ("web", 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lines": [{"sku": JACKET, "quantity": 1}]}, "location"),
        ({"stage": "advised", "lines": [{"sku": JACKET, "quantity": 1}]}, "order"),
        (notice(stage="gone"), "stage"),
    ],
)
def test_what_cannot_be_meant_names_the_field(api, sold, body, field):
    assert api.refused("/returns", body) == [field]


def test_pages_follow_each_other(api, sold):
    sold.tell("web", order("1002", WEB, 1, at=now()))
    api.post("/returns", notice())
    api.post("/returns", notice(order="1002"))

    page = api.get("/returns?limit=1")
    rest = api.get(f"/returns?limit=1&next={page['next']}")

    assert [one["order"] for one in (*page["items"], *rest["items"])] == [
        "1002",
        "1001",
    ]
    assert rest["next"] is None


def test_all_of_it_is_provable(api, sold):
    api.post("/returns", notice(2))
    api.post("/returns", back(2, line={"disposition": "inspect"}))

    with sold.engine.connect() as connection:
        assert list(differences(connection)) == []
        assert list(rehearse(connection, now() + MINUTE, 3)) == []

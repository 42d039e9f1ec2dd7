"""GET and POST inspections: what waits is listed, and judged once."""

import pytest

from tests.builders import JACKET


def lines(*judged):
    return [
        {"sku": JACKET, "quantity": quantity, "disposition": disposition}
        for quantity, disposition in judged
    ]


@pytest.fixture
def waiting(api, shop):
    """Three jackets came back downtown, one at the harbour."""
    for location, quantity in (("downtown", 3), ("harbour", 1)):
        api.post(
            "/returns",
            {"location": location, "lines": lines((quantity, "inspect"))},
        )


def test_what_waits_is_listed_by_sku_and_location(api, waiting):
    first = api.get("/inspections?limit=1")
    second = api.get(f"/inspections?limit=1&cursor={first['next']}")

    assert first["items"] == [
        {"sku": JACKET, "name": "", "location": "downtown", "quantity": 3}
    ]
    assert [one["location"] for one in second["items"]] == ["harbour"]
    assert second["next"] is None
    assert len(api.get("/inspections?location=harbour")["items"]) == 1
    assert api.get("/inspections?sku=OTHER")["items"] == []


def test_units_are_judged_and_wait_no_more(api, waiting):
    judged = lines((1, "sellable"), (1, "damaged"), (1, "scrap"))

    posted = api.post("/inspections", {"location": "downtown", "lines": judged})

    assert [(e["from"]["state"], e["to"]["state"]) for e in posted["entries"]] == [
        ("inspection", "available"),
        ("inspection", "damaged"),
        ("inspection", "scrap"),
    ]
    stock = api.stock(JACKET)
    assert (stock["available"], stock["damaged"], stock["inspection"]) == (11, 1, 1)
    assert [one["location"] for one in api.get("/inspections")["items"]] == ["harbour"]


def test_more_than_waits_there_is_refused_whole(api, waiting):
    body = {"location": "downtown", "lines": lines((2, "sellable"), (2, "scrap"))}

    answer = api.call("POST", "/inspections", body)

    assert answer.status_code == 409
    assert answer.json["short"] == [{"sku": JACKET, "requested": 4, "available": 3}]
    assert answer.json["errors"] == [
        {
            "field": "lines[1].quantity",
            "detail": f"3 units of {JACKET} wait for inspection there, not 4",
        }
    ]
    assert api.stock(JACKET)["inspection"] == 4


def test_the_same_key_judges_once(api, waiting):
    body = {"location": "downtown", "lines": lines((3, "sellable"))}

    first = api.post("/inspections", body, key="judged")
    second = api.post("/inspections", body, key="judged")

    assert second == first
    assert api.stock(JACKET)["inspection"] == 1


def test_a_wrong_judgement_can_be_reversed(api, waiting):
    body = {"location": "downtown", "lines": lines((3, "scrap"))}
    [entry] = api.post("/inspections", body)["entries"]

    api.post(f"/ledger/{entry['id']}/reverse", {"reason": "the wrong box"})

    assert api.stock(JACKET)["inspection"] == 4


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"location": "nowhere"}, "location"),
        ({"lines": lines((1, "inspect"))}, "lines[0].disposition"),
        ({"lines": lines((0, "scrap"))}, "lines[0].quantity"),
        ({"lines": []}, "lines"),
    ],
)
def test_what_cannot_be_meant_names_its_field(api, shop, change, field):
    body = {"location": "downtown", "lines": lines((1, "scrap"))} | change

    assert api.refused("/inspections", body) == [field]

"""POST ledger/<entry>/reverse: a mistake is undone once, by entries that name it."""

import pytest

from app.domain.instants import now
from tests.builders import JACKET, order, sale, shipment


def adjustment(**changes):
    told = {"sku": JACKET, "location": "downtown", "change": -2, "reason": "stolen"}
    return told | changes


def newest(api):
    return api.get(f"/stock/{JACKET}/ledger")["items"][0]


def test_an_adjustment_is_undone_by_an_entry_that_names_it(api, shop):
    [mistake] = api.post("/adjustments", adjustment())["entries"]

    told = api.post(f"/ledger/{mistake['id']}/reverse", {"reason": "found behind it"})

    [undone] = told["entries"]
    assert undone["reverses"] == mistake["id"]
    assert (undone["from"], undone["to"]) == (mistake["to"], mistake["from"])
    assert (undone["kind"], undone["quantity"]) == ("reversed", 2)
    assert (undone["reason"], undone["actor"]) == ("found behind it", "token:a admin")
    assert undone["event"] == told["id"]
    assert told["events"] == [{"key": told["id"], "verdict": "posted", "note": None}]
    assert api.stock(JACKET)["available"] == 10


def test_twice_is_once(api, shop):
    [mistake] = api.post("/adjustments", adjustment())["entries"]
    path = f"/ledger/{mistake['id']}/reverse"

    first = api.post(path, {"reason": "found"})
    second = api.post(path, {"reason": "found again"}, status=200)

    assert second == first
    assert api.stock(JACKET)["available"] == 10


@pytest.mark.parametrize("to", ["damaged", "scrap"])
def test_what_was_called_damaged_or_scrap_is_sellable_again(api, shop, to):
    [mistake] = api.post("/adjustments", adjustment(to=to))["entries"]

    api.post(f"/ledger/{mistake['id']}/reverse", {"reason": "it is fine"})

    stock = api.stock(JACKET)
    assert (stock["available"], stock["damaged"], stock["on_hand"]) == (10, 0, 10)


def test_a_receipt_that_was_keyed_in_twice_is_taken_out_again(api, shop):
    body = {"location": "harbour", "lines": [{"sku": JACKET, "quantity": 5}]}
    api.post("/receipts", body)
    [twice] = api.post("/receipts", body)["entries"]

    api.post(f"/ledger/{twice['id']}/reverse", {"reason": "keyed in twice"})

    assert api.stock(JACKET)["available"] == 15


def test_what_a_count_has_seen_since_then_is_not_put_right_twice(api, shop):
    [mistake] = api.post("/adjustments", adjustment())["entries"]
    body = {"location": "downtown", "lines": [{"sku": JACKET, "quantity": 10}]}
    api.post("/counts", body)

    api.post(f"/ledger/{mistake['id']}/reverse", {"reason": "never stolen"})

    assert api.stock(JACKET)["available"] == 10


def test_units_that_have_moved_on_must_be_moved_back_first(api, shop):
    [mistake] = api.post("/adjustments", adjustment(to="damaged"))["entries"]
    api.post("/adjustments", adjustment(change=2, to="damaged"))

    assert api.refused(f"/ledger/{mistake['id']}/reverse", {"reason": "x"}, 409) == []
    assert api.stock(JACKET)["available"] == 10


def test_a_channels_adjustment_is_undone_too_and_not_by_its_repeat(api, shop):
    body = {
        "type": "adjustment",
        "id": "A-1",
        "occurred_at": "2026-01-05T10:00:00Z",
        "lines": [
            {"id": "1", "sku": JACKET, "quantity": -3, "reason": "lost", "place": "1"}
        ],
    }
    shop.tell("till", body)
    assert api.stock(JACKET)["available"] == 10  # before the count: it was inside
    body |= {"id": "A-2", "occurred_at": newest(api)["recorded_at"]}
    shop.tell("till", body)
    assert api.stock(JACKET)["available"] == 7

    api.post(f"/ledger/{newest(api)['id']}/reverse", {"reason": "not lost"})
    shop.tell("till", body)

    assert api.stock(JACKET)["available"] == 10
    assert newest(api)["channel"] is None


def test_a_newer_word_of_the_channel_on_what_was_reversed_counts_again(api, shop):
    body = {
        "type": "adjustment",
        "id": "A-1",
        "occurred_at": newest(api)["recorded_at"],
        "lines": [{"id": "1", "sku": JACKET, "quantity": -3, "reason": "lost"}],
    }
    shop.tell("till", body)
    path = f"/ledger/{newest(api)['id']}/reverse"
    first = api.post(path, {"reason": "not lost"})

    body["lines"][0]["quantity"] = -1
    shop.tell("till", body | {"version": "2099-01-01T00:00:00Z"})

    assert api.stock(JACKET)["available"] == 9
    again = api.post(f"/ledger/{newest(api)['id']}/reverse", {"reason": "nor this"})
    assert api.stock(JACKET)["available"] == 10
    assert len(again["entries"]) == len(first["entries"]) + 1


def test_what_is_corrected_in_another_way_says_in_which(api, shop):
    at = now()
    shop.tell("web", order("1001", JACKET, 1, at=at))
    shop.tell("web", shipment("1001", JACKET, 1, at=at, location="d"))
    shop.tell("till", sale("T-1", JACKET, 1, at=at))
    [mistake] = api.post("/adjustments", adjustment())["entries"]
    api.post(f"/ledger/{mistake['id']}/reverse", {"reason": "found"})
    lines = [{"sku": JACKET, "quantity": 1}]
    api.post("/holds", {"lines": lines})

    reason = {"reason": "because"}
    refused = [
        api.call("POST", f"/ledger/{entry['id']}/reverse", reason)
        for entry in api.get(f"/stock/{JACKET}/ledger")["items"]
        if entry["kind"] != "adjusted"
    ]

    assert {answer.status_code for answer in refused} == {409}
    words = {
        answer.json["detail"].partition(";")[0].split(" ", 2)[2] for answer in refused
    }
    assert words == {
        "is a reversal",
        "came of a count",
        "is an order's own",
        "is a hold's",
    }


@pytest.mark.parametrize("entry", ["0", "999", "x", "9" * 30])
def test_an_entry_that_is_not_there_is_404(api, shop, entry):
    assert api.refused(f"/ledger/{entry}/reverse", {"reason": "x"}, 404) == []


def test_a_reason_must_be_given(api, shop):
    [mistake] = api.post("/adjustments", adjustment())["entries"]

    assert api.refused(f"/ledger/{mistake['id']}/reverse", {}) == ["reason"]

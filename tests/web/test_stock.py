"""GET /api/v1/stock…: what there is, what there was, and why."""

from urllib.parse import quote

import pytest
import time_machine

from app.domain.instants import HOUR, SECOND, iso, now
from app.pipeline.acts import claims
from app.store import timekeeper
from tests.builders import JACKET, order, sale, shipment


def test_stock_is_told_per_location_and_in_total(api, shop):
    shop.count(JACKET, "harbour", 4)
    shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    stock = api.stock(JACKET)

    assert stock["sku"] == JACKET
    assert stock["on_hand"] == stock["available"] == 13
    assert {
        spot["location"]: (spot["on_hand"], spot["available"])
        for spot in stock["locations"]
    } == {"downtown": (9, 9), "harbour": (4, 4)}


def test_a_promise_without_a_place_is_unassigned_and_lowers_the_total(api, shop):
    shop.tell("web", order("1001", "jacket-on-the-web", 3, at=now()))

    stock = api.stock(JACKET)

    assert stock["unassigned"] == 3
    assert (stock["on_hand"], stock["available"], stock["committed"]) == (10, 7, 3)
    [downtown] = stock["locations"]
    assert (downtown["available"], downtown["committed"]) == (10, 0)
    for state in ("on_hand", "reserved", "inspection", "damaged", "incoming"):
        assert stock[state] == downtown[state]


def test_an_expired_hold_is_available_again_before_anybody_sweeps_it(api, shop, engine):
    api.post("/holds", {"lines": [{"sku": JACKET, "quantity": 4}], "expires_in": 900})
    assert api.stock(JACKET)["reserved"] == 4

    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE holds SET expires_at = {now() - SECOND}")

    stock = api.stock(JACKET)
    assert (stock["reserved"], stock["available"], stock["on_hand"]) == (0, 10, 10)
    assert stock["locations"][0]["available"] == 10


def test_stock_of_the_past_by_what_had_happened_and_by_what_was_known(api, shop):
    counted = now() - 3 * HOUR
    shop.sku("LATE")
    shop.count("LATE", "downtown", 5, at=counted)
    known = now()
    shop.tell("till", sale("T-1", "LATE", 2, at=now() - 2 * HOUR))

    def on_hand(query: str) -> int:
        return api.get(f"/stock/LATE?{query}")["on_hand"]

    assert on_hand(f"at={iso(counted - HOUR)}") == 0
    assert on_hand(f"at={iso(counted + SECOND)}") == 5
    assert on_hand(f"at={iso(now())}") == 3
    assert on_hand(f"at={iso(now())}&known_at={iso(known)}") == 5
    assert on_hand(f"known_at={iso(known)}") == 5


@pytest.mark.parametrize("swept", [False, True])
def test_holds_of_the_past_by_what_was_known(api, shop, swept, monkeypatch):
    """Neither later holds nor whether somebody has swept up since change the answer."""
    monkeypatch.setattr(timekeeper, "theirs", lambda _, at: at)

    def hold(units, seconds):
        lines = [{"sku": JACKET, "quantity": units}]
        api.post("/holds", {"lines": lines, "expires_in": seconds})

    with time_machine.travel(now() / SECOND, tick=False) as clock:
        hold(5, 900)
        hold(1, 20)
        clock.shift(10)
        first = iso(now())
        clock.shift(10)
        second = iso(now())
        hold(2, 20)
        clock.shift(30)
        if swept:
            claims.expire_holds(shop.engine, now())

        def reserved(query):
            return api.get(f"/stock/{JACKET}?{query}")["reserved"]

        assert reserved(f"known_at={first}") == 6
        assert reserved(f"known_at={first}&at={first}") == 6
        assert reserved(f"known_at={first}&at={second}") == 5
        assert reserved(f"known_at={second}") == 7
        assert reserved(f"at={second}") == 7
        assert api.stock(JACKET)["reserved"] == 5


def test_a_zone_with_a_plus_may_come_unescaped(api, shop):
    assert api.get(f"/stock/{JACKET}?at=2100-01-01T00:00:00+02:00")["on_hand"] == 10


@pytest.mark.parametrize(
    "at", ["yesterday", "2026-11-23T10:00:00", "1969-01-01T00:00Z"]
)
def test_a_time_that_cannot_be_meant_names_its_field(api, shop, at):
    response = api.call("GET", f"/stock/{JACKET}?at={at}")

    assert response.status_code == 422
    assert response.json["errors"][0]["field"] == "at"


@pytest.mark.parametrize(
    "sku", ["A/B", "/", "a b/ä?#%25", "x/ledger", "ledger", "日本", "A//B/", "a\u202eb"]
)
def test_a_sku_may_be_any_text(api, shop, sku):
    shop.sku(sku)
    shop.count(sku, "downtown", 2)
    path = f"/stock/{quote(sku, safe='')}"

    assert api.get(path)["on_hand"] == 2
    assert len(api.get(f"{path}/ledger")["items"]) == 1


@pytest.mark.parametrize("sku", ["NOBODY", "%00", "%ed%a0%80", "x" * 3000])
def test_an_unknown_sku_is_404(api, shop, sku):
    for path in (f"/stock/{sku}", f"/stock/{sku}/ledger"):
        response = api.call("GET", path)
        assert response.status_code == 404
        assert response.content_type == "application/problem+json"


def test_the_list_of_stock_pages_through_every_sku_once(api, shop):
    skus = [f"SKU-{number:02}" for number in range(7)]
    shop.sku(*skus)

    seen, cursor = [], ""
    while True:
        page = api.get(f"/stock?limit=3{cursor}")
        assert len(page["items"]) <= 3
        seen += [item["sku"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert sorted(seen) == sorted([JACKET, *skus])


def test_a_full_last_page_has_no_next(api, shop):
    shop.sku("ONE-MORE")

    assert api.get("/stock?limit=2")["next"] is None


def test_stock_can_be_searched(api, shop):
    shop.sku("RED-HAT", "100%")

    assert [item["sku"] for item in api.get("/stock?search=hat")["items"]] == [
        "RED-HAT"
    ]
    assert [item["sku"] for item in api.get("/stock?search=%25")["items"]] == ["100%"]


def test_the_ledger_tells_newest_first_from_where_to_where_and_why(api, shop):
    at = now()
    shop.tell("web", order("1001", "jacket-on-the-web", 2, at=at))
    shop.tell(
        "web",
        shipment("1001", "jacket-on-the-web", 2, at=at + SECOND, location="d"),
    )

    entries = api.get(f"/stock/{JACKET}/ledger")["items"]

    assert [entry["occurred_at"] for entry in entries] == sorted(
        (entry["occurred_at"] for entry in entries), reverse=True
    )
    shipped = next(e for e in entries if e["to"]["state"] == "customer")
    assert shipped["quantity"] == 2
    assert shipped["from"] == {"state": "available", "location": "downtown"}
    assert shipped["channel"] == "web"
    assert "shipped" in shipped["event"]
    counted = next(e for e in entries if e["from"]["state"] == "variance")
    assert counted["actor"] == "test"
    promised = next(e for e in entries if e["to"]["state"] == "committed")
    assert promised["to"]["location"] is None


def test_the_ledger_pages_in_order(api, shop):
    for number in range(5):
        shop.tell("till", sale(f"T-{number}", JACKET, 1, at=now()))
    everything = api.get(f"/stock/{JACKET}/ledger")["items"]

    paged, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/stock/{JACKET}/ledger?limit=2{cursor}")
        paged += page["items"]
        cursor = page["next"] and f"&cursor={page['next']}"

    assert paged == everything
    assert len(paged) == 6


def test_the_ledger_of_the_past_is_what_had_happened_and_what_was_known(api, shop):
    counted = now() - 3 * HOUR
    shop.sku("LATE")
    shop.count("LATE", "downtown", 5, at=counted)
    known = now()
    shop.tell("till", sale("T-1", "LATE", 2, at=now() - 2 * HOUR))

    def kinds(query: str) -> list[str]:
        items = api.get(f"/stock/LATE/ledger?{query}")["items"]
        return [entry["kind"] for entry in items]

    assert kinds(f"at={iso(counted - HOUR)}") == []
    assert kinds(f"at={iso(counted + SECOND)}") == ["counted"]
    assert kinds(f"at={iso(now())}") == ["shipped", "counted"]
    assert kinds(f"known_at={iso(known)}") == ["counted"]

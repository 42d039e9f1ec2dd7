"""POST counts: a stocktake of thousands of lines, keyed in late, while the shop sells."""

import pytest

from app.domain.instants import HOUR, MINUTE, iso, now
from app.pipeline.proving.audit import differences
from app.store.engine import writing
from app.store.tables import skus, stock_levels
from tests.builders import JACKET, sale

LINES = 5_000


def counted(quantity, **more):
    lines = [{"sku": JACKET, "quantity": quantity}]
    return {"location": "downtown", "lines": lines} | more


def sold(number, at):
    return sale(number, JACKET, 1, at=at, location="1")


def is_right(shop):
    with shop.engine.connect() as connection:
        return not list(differences(connection))


@pytest.fixture
def wide(shop):
    """Five thousand SKUs more."""
    with writing(shop.engine) as connection:
        rows = [{"sku": f"S-{number:04}"} for number in range(LINES)]
        connection.execute(skus.insert(), rows)
    return shop


def test_a_whole_shop_is_counted_in_one_call(api, wide):
    lines = [{"sku": f"S-{n:04}", "quantity": n % 7} for n in range(LINES)]

    posted = api.post("/counts", {"location": "downtown", "lines": lines}, key="k")

    assert len(posted["events"]) == LINES
    assert {event["verdict"] for event in posted["events"]} == {"posted"}
    assert len(posted["entries"]) == sum(1 for n in range(LINES) if n % 7)
    assert api.stock("S-0013")["on_hand"] == 6
    again = api.post("/counts", {"location": "downtown", "lines": lines}, key="k")
    assert again == posted
    assert is_right(wide)


def test_more_lines_than_a_stocktake_has_are_refused(api, wide):
    lines = [{"sku": JACKET, "quantity": 1}] * 10_001

    assert api.refused("/counts", {"location": "downtown", "lines": lines}) == ["lines"]


def test_what_a_whole_count_leaves_out_is_listed_and_stays(api, shop):
    shop.sku("HAT", "SCARF", "GONE")
    shop.count("HAT", "downtown", 3)
    shop.count("SCARF", "harbour", 2)
    shop.count("GONE", "downtown", 0)

    posted = api.post("/counts", counted(10, whole=True))

    assert posted["uncounted"] == [{"sku": "HAT", "on_hand": 3}]
    assert api.stock("HAT")["on_hand"] == 3
    [incident] = api.get("/incidents?kind=uncounted&open=true")["items"]
    assert incident["details"]["skus"] == {"HAT": 3}
    assert "not 1 SKU of which" in incident["message"]

    lines = [{"sku": sku, "quantity": 1} for sku in (JACKET, "HAT")]
    posted = api.post(
        "/counts", {"location": "downtown", "whole": True, "lines": lines}
    )
    assert posted["uncounted"] == []
    assert api.get("/incidents?kind=uncounted&open=true")["items"] == []


def test_a_count_that_is_not_whole_says_nothing_of_the_rest(api, shop):
    shop.sku("HAT")
    shop.count("HAT", "downtown", 3)

    assert "uncounted" not in api.post("/counts", counted(10))
    assert api.get("/incidents?kind=uncounted")["items"] == []


def test_a_whole_count_of_what_may_be_sold_is_refused(api, shop):
    assert api.refused("/counts", counted(1, whole=True, scope="sellable")) == ["scope"]


def test_a_count_keyed_in_an_hour_later_keeps_what_was_sold_since(api, shop):
    at = now() - HOUR // 2
    shop.tell("till", sold("T-1", at - 10 * MINUTE), sold("T-2", at + 10 * MINUTE))

    api.post("/counts", counted(7, counted_at=iso(at)))

    assert api.stock(JACKET)["on_hand"] == 6
    shop.tell("till", sold("T-3", at - MINUTE))  # told late: it was inside
    assert api.stock(JACKET)["on_hand"] == 6
    shop.tell("till", sold("T-4", at + MINUTE))
    assert api.stock(JACKET)["on_hand"] == 5
    assert is_right(shop)


def test_of_two_counters_the_later_is_right_from_then_on_whoever_keys_in_first(
    api, shop
):
    early, late = now() - 20 * MINUTE, now() - 10 * MINUTE
    api.post("/counts", counted(8, counted_at=iso(late)))
    api.post("/counts", counted(5, counted_at=iso(early)))

    assert api.stock(JACKET)["on_hand"] == 8
    path = f"/stock/{JACKET}?at={iso(early + MINUTE)}"
    assert api.get(path)["on_hand"] == 5
    assert is_right(shop)


def test_blank_is_refused_and_nothing_of_the_count_is_written(api, shop):
    shop.sku("HAT")
    body = counted(3)
    body["lines"].append({"sku": "HAT", "quantity": None})

    assert api.refused("/counts", body) == ["lines[1].quantity"]
    body["lines"][1] = {"sku": "HAT"}
    assert api.refused("/counts", body) == ["lines[1].quantity"]
    assert api.stock(JACKET)["on_hand"] == 10
    with shop.engine.connect() as connection:
        assert len(connection.execute(stock_levels.select()).all()) == 1

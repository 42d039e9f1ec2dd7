"""Why a channel shows a number: told now, and as it was."""

import pytest

from app.domain.instants import HOUR, MINUTE, SECOND, iso, now
from tests.builders import JACKET, order, sale

PATH = f"/stock/{JACKET}/explain"
LISTING = {"channel": "web", "sku": JACKET, "external_id": "jacket-on-the-web"}


@pytest.fixture
def shop(shop, engine):
    """The shop, configured long before it was counted."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE policies SET changed_at = {now() - 24 * HOUR}"
        )
    return shop


def at_downtown(told):
    return next(one for one in told["numbers"] if one["place"] == "d")


def test_every_part_of_a_number_is_told(api, shop):
    shop.tell("web", order("1", "jacket-on-the-web", 2, at=now()))
    api.post("/holds", {"lines": [{"sku": JACKET, "quantity": 1}], "reference": "Q-7"})
    api.post("/listings", LISTING | {"policy": {"buffer": 1, "share": 50, "cap": 9}})

    told = api.get(f"{PATH}?channel=web")
    one = at_downtown(told)

    assert (one["available"], one["kept_for_promises"], one["sellable"]) == (9, 2, 7)
    assert one["shown"] == 2
    assert one["explanation"] == (
        "web at its place d shows 2: 9 units available at downtown, 2 kept for promises "
        "that name no location, so 7 units may be sold; 50 % of that is 3; less a "
        "buffer of 1 is 2; it has not taken a number from here yet."
    )
    assert one["explanation"].removesuffix(".") in told["explanation"]
    assert one["policy"]["listing_version"]["version"] == 1
    assert one["policy"]["listing_version"]["actor"] == "token:a admin"
    assert one["policy"]["channel_version"]["version"] == 1
    assert one["policy"]["from"] == ["downtown"]
    [downtown] = told["locations"]
    assert (downtown["on_hand"], downtown["reserved"]) == (10, 1)
    assert told["promises"] == [
        {"sku": JACKET, "channel": "web", "units": 2, "from": ["downtown", "harbour"]}
    ]
    [hold] = told["holds"]
    assert (hold["reference"], hold["quantity"], hold["is_counted"]) == ("Q-7", 1, True)
    assert {one["kind"] for one in told["ledger"]} == {"counted", "placed", "held"}


def test_the_number_is_the_one_that_is_published(api, shop):
    shop.tell("web", order("1", "jacket-on-the-web", 2, at=now()))
    api.post("/listings", LISTING | {"policy": {"preorder": 4, "stop_at": 1}})

    published = api.get("/publications?channel=web")["items"]
    told = api.get(f"{PATH}?channel=web")["numbers"]

    assert [one["desired"] for one in published] == [one["shown"] for one in told]


def test_the_past_is_told_by_the_levels_and_policies_of_then(api, shop, engine):
    api.post("/listings", LISTING | {"policy": {"buffer": 1}})
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE policies SET changed_at = {now() - 30 * MINUTE} "
            "WHERE listing_id IS NOT NULL"
        )
    shop.tell("till", sale("T-1", JACKET, 3, at=now() - 10 * MINUTE))
    api.post("/listings", LISTING | {"policy": {"buffer": 4}})

    def shown(minutes):
        told = api.get(f"{PATH}?channel=web&at={iso(now() - minutes * MINUTE)}")
        return at_downtown(told)["shown"], len(told["ledger"])

    assert shown(120) == (0, 0)
    assert shown(45) == (10, 1)
    assert shown(20) == (9, 1)
    assert shown(5) == (6, 2)
    assert at_downtown(api.get(f"{PATH}?channel=web"))["shown"] == 3


def test_before_a_channel_was_there_it_showed_nothing(api, shop):
    told = api.get(f"{PATH}?channel=web&at={iso(now() - 48 * HOUR)}")

    assert told["numbers"] == []
    assert "nothing is published" in told["explanation"]


def test_a_hold_that_expired_is_told_and_not_counted(api, shop, engine):
    api.post("/holds", {"lines": [{"sku": JACKET, "quantity": 4}]})
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE holds SET expires_at = {now() - SECOND}")

    told = api.get(f"{PATH}?channel=web")

    assert [hold["is_counted"] for hold in told["holds"]] == [False]
    assert at_downtown(told)["shown"] == 10


def test_a_hold_that_was_given_back_since_still_counted_then(api, shop):
    lines = [{"sku": JACKET, "quantity": 4}]
    hold = api.post("/holds", {"lines": lines})
    between = now()
    assert api.call("DELETE", f"/holds/{hold['id']}").status_code < 300

    then = api.get(f"{PATH}?channel=web&at={iso(between)}")
    assert [one["is_counted"] for one in then["holds"]] == [True]
    assert at_downtown(then)["shown"] == 6
    today = api.get(f"{PATH}?channel=web")
    assert (today["holds"], at_downtown(today)["shown"]) == ([], 10)


def test_what_is_not_listed_is_explained_too(api, shop):
    shop.sku("HAT")
    shop.count("HAT", "harbour", 3)

    told = api.get("/stock/HAT/explain?channel=web")
    assert (told["is_listed"], told["numbers"]) == (False, [])
    assert told["explanation"] == (
        "web shows nothing of HAT: it is not listed there; 3 units are available in all."
    )
    assert [spot["location"] for spot in told["locations"]] == ["harbour"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "channel"),
        ("?channel=", "channel"),
        ("?channel=nobody", "channel"),
        ("?channel=web&at=yesterday", "at"),
        ("?channel=web&at=2100-01-01T00:00:00Z", "at"),
    ],
)
def test_what_cannot_be_meant_names_its_field(api, shop, query, field):
    response = api.call("GET", f"{PATH}{query}")

    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == [field]


def test_an_unknown_sku_is_404_and_a_name_may_end_like_this(api, shop):
    assert api.call("GET", "/stock/NO/explain?channel=web").status_code == 404

    shop.sku("NO/explain")
    assert api.get("/stock/NO/explain")["sku"] == "NO/explain"
    told = api.get("/stock/NO%2Fexplain/explain?channel=web")
    assert told["sku"] == "NO/explain"

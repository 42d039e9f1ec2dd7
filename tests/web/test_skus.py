"""/api/v1/skus/…: recipes, aliases and renames over HTTP."""

import pytest
import sqlalchemy as sa

from app.domain.instants import HOUR, iso, now
from app.pipeline.proving.rehearsal import rehearse
from app.store.tables import skus, stock_events
from tests.builders import JACKET, order

SCARF, GIFT = "RED-SCARF", "GIFT/BOX"
PARTS = [{"sku": JACKET, "quantity": 1}, {"sku": SCARF, "quantity": 2}]


@pytest.fixture
def put(api):
    def put(path, body, status=200, key=None):
        response = api.call("PUT", f"/skus/{path}/recipe", body, key)
        assert response.status_code == status, response.text
        return response.json

    return put


@pytest.fixture
def gift(api, shop, put):
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 9)
    return put(GIFT, {"components": PARTS})


def test_a_recipe_makes_a_kit_and_is_shown_with_its_history(api, gift, put):
    assert gift["recipe"] == gift["parts"] == PARTS
    assert gift["recipe_history"][0]["valid_from"] == "1970-01-01T00:00:00Z"
    since = iso(now())

    put(GIFT, {"components": PARTS[:1], "from": since})

    told = api.get(f"/skus/{GIFT}")
    assert told["recipe"] == PARTS[:1]
    assert [one["components"] for one in told["recipe_history"]] == [PARTS[:1], PARTS]
    assert told["recipe_history"][0]["actor"] is not None
    assert put(GIFT, {"components": []})["recipe"] is None


def test_a_recipe_sent_twice_is_one(api, gift, put):
    body = {"components": PARTS[:1]}

    assert put(GIFT, body, key="k") == put(GIFT, body, key="k")
    put(GIFT, {"components": PARTS[1:]}, status=422, key="k")
    assert len(api.get(f"/skus/{GIFT}")["recipe_history"]) == 2


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        (GIFT, {}, "components", ""),
        (
            GIFT,
            {"components": [{"sku": "X", "quantity": 0}]},
            "components[0].quantity",
            "",
        ),
        (
            GIFT,
            {"components": [{"sku": "X", "quantity": 1.5}]},
            "components[0].quantity",
            "",
        ),
        (
            GIFT,
            {"components": [{"sku": "X", "quantity": 1}]},
            "components",
            "no SKU 'X'",
        ),
        (
            GIFT,
            {"components": [{"sku": GIFT, "quantity": 1}]},
            "components",
            "a kit cannot hold itself: GIFT/BOX is made of GIFT/BOX",
        ),
        (
            JACKET,
            {"components": [{"sku": SCARF, "quantity": 1}]},
            "sku",
            "has units of its own",
        ),
        (
            GIFT,
            {"components": PARTS[:1], "from": "2999-01-01T00:00:00Z"},
            "from",
            "future",
        ),
        (
            GIFT,
            {"components": PARTS[:1], "from": "1970-01-01T00:00:00Z"},
            "from",
            "began at",
        ),
    ],
)
def test_what_cannot_be_a_recipe_is_refused_with_the_field(
    gift, put, path, body, field, words
):
    problem = put(path, body, status=422)

    assert field in [error["field"] for error in problem["errors"]]
    assert words in problem["detail"]


def test_no_components_make_no_new_sku(gift, put, api):
    put("NO-SUCH", {"components": []}, status=422)
    assert api.call("GET", "/skus/NO-SUCH").status_code == 404


def test_a_kit_is_stock_that_can_be_put_together(api, shop, gift):
    api.post("/listings", {"channel": "web", "sku": GIFT, "external_id": "gift-1"})
    shop.tell("web", order("1", "gift-1", 1, at=now()) | {"location": "d"})

    stock = api.stock(GIFT)
    listed = {row["sku"]: row for row in api.get("/stock")["items"]}

    assert stock["available"] == listed[GIFT]["available"] == 3
    assert stock["components"] == listed[GIFT]["components"] == PARTS
    assert "components" not in listed[JACKET]
    assert [(s["location"], s["available"]) for s in stock["locations"]] == [
        ("downtown", 3)
    ]
    assert api.stock(SCARF)["committed"] == 2
    rows = api.get(f"/publications?channel=web&sku={GIFT}")["items"]
    assert {row["location"]: row["desired"] for row in rows} == {
        "downtown": 3,
        "harbour": 0,
    }
    told = api.get(f"/stock/{GIFT}/explain?channel=web")
    assert told["components"] == PARTS
    assert (
        "each is made of 1 of BLUE-JACKET-M and 2 of RED-SCARF" in told["explanation"]
    )
    then = api.get(f"/stock/{GIFT}/explain?channel=web&at={iso(now() - HOUR // 2)}")
    assert [one["sku"] for one in then["ledger"]] == [SCARF, JACKET]


def test_facts_about_kits_move_components_or_are_refused(api, shop, gift):
    line = {"sku": GIFT, "quantity": 2}

    api.post("/receipts", {"location": "downtown", "lines": [line]})
    assert api.stock(SCARF)["available"] == 13
    api.post(
        "/adjustments",
        {"sku": GIFT, "location": "downtown", "change": -1, "reason": "dropped"},
    )
    assert api.stock(SCARF)["available"] == 11
    assert api.stock(JACKET)["available"] == 11
    held = api.post("/holds", {"lines": [line], "expires_in": 900})
    assert api.stock(SCARF)["reserved"] == 4
    assert api.call("DELETE", f"/holds/{held['id']}").status_code == 200
    refused = {"location": "downtown", "lines": [line]}
    assert api.refused("/counts", refused) == ["lines[0].sku"]
    short = api.call("POST", "/holds", {"lines": [line | {"quantity": 9}]})
    assert short.json["short"] == [{"sku": GIFT, "requested": 9, "available": 5}]


def test_what_came_back_of_a_kit_is_judged_as_kits_or_by_its_components(
    api, shop, gift
):
    def judge(sku, quantity):
        line = {"sku": sku, "quantity": quantity, "disposition": "scrap"}
        return {"location": "downtown", "lines": [line]}

    back = {"sku": GIFT, "quantity": 3, "disposition": "inspect"}
    api.post("/returns", {"location": "downtown", "lines": [back]})
    waiting = api.get(f"/inspections?sku={GIFT}")["items"]
    assert [(one["sku"], one["quantity"]) for one in waiting] == [
        (JACKET, 3),
        (SCARF, 6),
    ]

    api.post("/inspections", judge(JACKET, 1))
    refused = api.call("POST", "/inspections", judge(GIFT, 3))
    assert refused.json["short"] == [{"sku": GIFT, "requested": 3, "available": 2}]
    assert refused.json["errors"][0]["field"] == "lines[0].quantity"
    api.post("/inspections", judge(GIFT, 2))
    pages = [api.get(f"/stock/{GIFT}/ledger?limit=2")]
    pages.append(api.get(f"/stock/{GIFT}/ledger?limit=2&cursor={pages[0]['next']}"))
    assert [(one["sku"], one["kind"]) for page in pages for one in page["items"]] == [
        (SCARF, "inspected"),
        (JACKET, "inspected"),
        (JACKET, "inspected"),
        (SCARF, "returned"),
    ]

    waiting = api.get(f"/inspections?sku={GIFT}")["items"]
    assert [(one["sku"], one["quantity"]) for one in waiting] == [(SCARF, 2)]
    assert api.stock(JACKET)["on_hand"] == 10


def test_an_adjustment_of_a_kit_is_reversed_as_a_whole(api, shop, gift):
    api.post(
        "/adjustments",
        {"sku": GIFT, "location": "downtown", "change": -1, "reason": "dropped"},
    )
    entry = api.get(f"/stock/{SCARF}/ledger")["items"][0]

    api.post(f"/ledger/{entry['id']}/reverse", {"reason": "it was another box"})

    assert api.stock(SCARF)["available"] == 9
    assert api.stock(JACKET)["available"] == 10
    undone = api.get(f"/stock/{SCARF}/ledger")["items"][0]
    assert undone["reverses"] == entry["id"]
    with shop.engine.connect() as connection:
        told = connection.execute(
            sa.select(skus.c.sku)
            .join(stock_events, stock_events.c.sku_id == skus.c.id)
            .where(stock_events.c.key == undone["event"])
        )
        assert told.scalars().all() == [GIFT], "what was told of was the kit"
        assert list(rehearse(connection, now() + HOUR, 3)) == []


def test_an_alias_is_found_everywhere_and_an_old_code_after_a_rename(api, shop):
    told = api.post(f"/skus/{JACKET}/aliases", {"alias": "0815"})
    assert told["aliases"] == ["0815"]
    assert api.refused(f"/skus/{JACKET}/aliases", {"alias": JACKET}) == ["alias"]
    assert api.refused("/skus/NO-SUCH/aliases", {"alias": "X"}, status=404) == []

    told = api.post(f"/skus/{JACKET}/rename", {"to": "COAT"}, status=200)

    assert (told["sku"], told["aliases"]) == ("COAT", ["0815", JACKET])
    assert [one["kind"] for one in told["alias_history"]] == ["alias", "renamed"]
    for text in ("COAT", "0815", JACKET):
        assert api.stock(text)["sku"] == "COAT"
        assert api.get(f"/skus/{text}") == told
        assert api.get(f"/publications?sku={text}")["items"]
        assert api.get(f"/stock/{text}/ledger")["items"]
        told_why = api.get(f"/stock/{text}/explain?channel=web")
        assert told_why["sku"] == "COAT"
    counted = {"location": "downtown", "lines": [{"sku": "0815", "quantity": 4}]}
    api.post("/counts", counted)
    assert api.stock("COAT")["on_hand"] == 4
    counted["lines"].append({"sku": "COAT", "quantity": 5})
    assert api.refused("/counts", counted) == ["lines[1].sku"]
    held = api.post("/holds", {"lines": [{"sku": "COAT", "quantity": 2}]})
    commit = f"/holds/{held['id']}/commit"
    assert api.refused(commit, {"lines": [{"sku": "0815", "quantity": 1}]}) == [
        "lines[0].quantity"
    ]
    api.post(commit, {"lines": [{"sku": "0815", "quantity": 2}]}, status=200)
    shop.sku("RED-SCARF")
    assert api.refused("/skus/COAT/rename", {"to": "RED-SCARF"}) == ["to"]

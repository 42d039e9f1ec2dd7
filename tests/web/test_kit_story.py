"""A kit's recipe changes between any two things that are told of it."""

from itertools import cycle

import pytest

from app.domain.instants import MINUTE, iso, now
from app.pipeline.acts import transferring
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.rebuilding import rebuild
from tests.builders import JACKET

SCARF, GIFT = "RED-SCARF", "GIFT"


@pytest.fixture
def change(api, shop):
    """Make a gift of something else, each time it is called."""
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 90)
    shop.count(JACKET, "downtown", 90)
    recipes = cycle([(1, 2), (3, 1), (2, 3), (1, 1)])

    def change():
        parts = zip((JACKET, SCARF), next(recipes), strict=True)
        made = [{"sku": sku, "quantity": units} for sku, units in parts]
        answer = api.call("PUT", f"/skus/{GIFT}/recipe", {"components": made})
        assert answer.status_code == 200, answer.text

    change()
    return change


def test_everything_told_of_a_kit_ends_by_the_recipe_it_began_with(api, shop, change):
    two = {"sku": GIFT, "quantity": 2}
    one = two | {"quantity": 1}

    def post(path, status=201, **body):
        change()
        return api.post(path, body, status=status)

    def tell(kind, **more):
        change()
        moment = {"id": kind, "occurred_at": iso(now()), "location": "d"}
        line = {"id": "1", **two}
        shop.tell("web", {"type": kind, **moment, "lines": [line], **more})

    held = post("/holds", lines=[two])
    post(f"/holds/{held['id']}/commit", 200, channel="web", order="1")
    tell("shipment", order="1")
    held = post("/holds", lines=[two], reference="2")
    tell("order", order="2")
    tell("shipment", order="2")
    tell("return", order="2")
    held = post("/holds", lines=[two])
    change()
    assert api.call("DELETE", f"/holds/{held['id']}").status_code == 200
    sent = post("/transfers", **{"from": "downtown", "to": "harbour", "lines": [two]})
    post(f"/transfers/{sent['id']}/receive", 200, lines=[one])
    post(f"/transfers/{sent['id']}/receive", 200, closes=True, reason="fell off")
    tell("expected")
    receipt = {"location": "downtown", "of": "expected"}
    post("/receipts", **receipt, lines=[one])
    post("/receipts", **receipt, closes=True, reason="short")
    lost = {"sku": GIFT, "location": "downtown", "change": -1, "reason": "dropped"}
    [entry, _] = post("/adjustments", **lost)["entries"]
    post(f"/ledger/{entry['id']}/reverse", reason="it was another box")

    for sku in (JACKET, SCARF):
        stock = api.stock(sku)
        assert not any(stock[n] for n in ("reserved", "committed", "incoming")), sku
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        for seed in (1, 2):
            assert list(rehearse(connection, now() + MINUTE, seed)) == []
    done = rebuild(shop.engine, now())
    assert (done.before, done.levels, done.entries, done.after) == ([], [], 0, [])


def test_what_the_parts_of_a_kit_are_on_the_way_by_is_found(api, shop, change):
    two = {"sku": GIFT, "quantity": 2}
    told = {"type": "expected", "id": "PO-1", "location": "d"}
    at = iso(now() - MINUTE)
    shop.tell("web", {**told, "occurred_at": at, "lines": [{"id": "1", **two}]})
    api.post("/transfers", {"from": "downtown", "to": "harbour", "lines": [two]})
    change()
    coming = api.stock(SCARF)["incoming"]

    with shop.engine.connect() as connection:
        sent, expected = transferring.on_the_way(connection, SCARF, coming)

    assert (sent["from"], sent["to"], sent["units"]) == ("downtown", "harbour", 4)
    assert (expected["from"], expected["to"], expected["units"]) == (
        None,
        "downtown",
        4,
    )
    assert (expected["id"], coming) == ("PO-1", 8)

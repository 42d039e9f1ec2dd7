"""Transfers and expected receipts: what is on the way, arrives in parts, or is lost."""

import pytest
import sqlalchemy as sa
from alembic import command

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import MINUTE, iso, now
from app.domain.way import UNDER_WAY
from app.pipeline.acts import transferring
from app.pipeline.acts.facts import record_in
from app.pipeline.applying.travelling import Way
from app.pipeline.proving.rehearsal import rehearse
from app.store.engine import applying, writing
from app.store.migrations import alembic_config, upgrade
from app.store.tables import ways
from tests.builders import JACKET


def moved(quantity=4, **more):
    sent = {"from": "downtown", "to": "harbour"}
    return {**sent, "lines": [{"sku": JACKET, "quantity": quantity}], **more}


@pytest.fixture
def sent(api, shop):
    """Four jackets on their way to the harbour; the path that takes them in."""
    told = api.post("/transfers", moved())
    return f"/transfers/{told['id']}/receive"


def arrived(quantity, **more):
    return {"lines": [{"sku": JACKET, "quantity": quantity}], **more}


def lost(quantity, **more):
    line = {"sku": JACKET, "quantity": quantity, "reason": "fell off", **more}
    return {"lost": [line]}


def at(api, location):
    spots = api.stock(JACKET)["locations"]
    [found] = [spot for spot in spots if spot["location"] == location]
    return found


def entries(api, kind):
    found = api.get(f"/stock/{JACKET}/ledger")["items"]
    return [one for one in found if one["kind"] == kind]


def told(kind, fact, quantity, **more):
    return {
        "type": kind,
        "id": fact,
        "occurred_at": iso(now() - MINUTE),
        "location": "h",
        "lines": [{"id": "1", "sku": "jacket-on-the-web", "quantity": quantity}],
    } | more


def is_provable(shop):
    with shop.engine.connect() as connection:
        for way_id, *kept in listed(connection):
            way = Way(connection, way_id)
            assert kept == [way.is_sent, way.state], way_id
        return [
            list(rehearse(connection, now() + MINUTE, seed)) for seed in (1, 2)
        ] == [[], []]


def listed(connection):
    columns = (ways.c.way_id, ways.c.is_transfer, ways.c.state)
    return list(map(tuple, connection.execute(sa.select(*columns).order_by(ways.c.id))))


def test_a_transfer_is_on_the_way_until_it_is_received(api, shop):
    sent = api.post("/transfers", moved())
    stock = api.stock(JACKET)
    assert (stock["available"], stock["incoming"]) == (6, 4)
    assert sent["entries"][0]["to"] == {"state": "incoming", "location": "harbour"}

    received = {"lines": [{"sku": JACKET, "quantity": 3}]}
    api.post(f"/transfers/{sent['id']}/receive", received, status=200)

    stock = api.stock(JACKET)
    assert (stock["available"], stock["incoming"]) == (9, 1)
    there = {spot["location"]: spot["available"] for spot in stock["locations"]}
    assert there == {"downtown": 6, "harbour": 3}


def test_no_more_can_be_received_than_is_on_the_way(api, shop):
    sent = api.post("/transfers", moved())
    path = f"/transfers/{sent['id']}/receive"

    response = api.call("POST", path, {"lines": [{"sku": JACKET, "quantity": 5}]})

    assert response.status_code == 409
    assert response.json["short"][0]["available"] == 4


def test_a_transfer_takes_all_its_lines_or_none(api, shop):
    shop.sku("HAT")
    both = moved(lines=[*moved()["lines"], {"sku": "HAT", "quantity": 1}])

    response = api.call("POST", "/transfers", both)

    assert response.status_code == 409
    assert [row["sku"] for row in response.json["short"]] == ["HAT"]
    assert api.stock(JACKET)["incoming"] == 0


def test_a_transfer_to_where_it_comes_from_is_refused(api, shop):
    assert api.refused("/transfers", moved(to="downtown")) == ["to"]


def test_a_transfer_that_does_not_exist_is_404(api, shop):
    for named in ("nobody", "%00"):
        assert (
            api.call("POST", f"/transfers/{named}/receive", arrived(1)).status_code
            == 404
        )


def test_parts_arrive_and_the_rest_is_lost(api, shop, sent):
    api.post(sent, arrived(1), status=200)
    api.post(sent, arrived(1), status=200)
    over = api.post(sent, lost(2), status=200)

    assert over["state"] == "closed"
    [entry] = over["entries"]
    assert (entry["kind"], entry["quantity"], entry["reason"]) == (
        "lost",
        2,
        "fell off",
    )
    assert entry["actor"] == "token:a admin"
    assert (entry["from"]["state"], entry["to"]["state"]) == ("incoming", "variance")
    stock = api.stock(JACKET)
    assert (stock["incoming"], stock["on_hand"]) == (0, 8)
    assert is_provable(shop)


def test_units_that_were_destroyed_on_the_way_are_scrap(api, shop, sent):
    [entry] = api.post(sent, lost(2, disposition="scrap"), status=200)["entries"]

    assert entry["to"] == {"state": "scrap", "location": "harbour"}


def test_one_call_takes_in_the_last_and_writes_the_rest_off(api, shop, sent):
    body = arrived(3, closes=True, reason="the van was opened")

    over = api.post(sent, body, status=200)

    assert over["state"] == "closed"
    assert [(one["kind"], one["quantity"]) for one in over["entries"]] == [
        ("received", 3),
        ("lost", 1),
    ]
    assert over["entries"][1]["reason"] == "the van was opened"
    assert api.stock(JACKET)["incoming"] == 0


def test_no_more_can_be_lost_than_is_on_the_way(api, shop, sent):
    response = api.call("POST", sent, arrived(3) | lost(2))

    assert response.status_code == 409
    assert response.json["short"] == [{"sku": JACKET, "requested": 5, "available": 4}]
    assert api.stock(JACKET)["incoming"] == 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "lines"),
        ({"closes": True}, "reason"),
        ({"lost": [{"sku": JACKET, "quantity": 1}]}, "lost[0].reason"),
        ({"lost": [{"sku": "NO", "quantity": 1, "reason": "x"}]}, "lost[0].sku"),
    ],
)
def test_an_arrival_that_cannot_be_meant_names_the_field(api, shop, sent, body, field):
    assert api.refused(sent, body) == [field]


def test_the_list_says_what_was_sent_arrived_is_lost_and_left(api, shop, sent):
    api.post("/transfers", moved(1))
    api.post(sent, arrived(1) | lost(1), status=200)

    newer, older = api.get("/transfers?state=open")["items"]

    assert newer["state"] == "sent"
    assert older["state"] == "partly received"
    assert (older["from"], older["to"]) == ("downtown", "harbour")
    assert older["lines"] == [
        {"sku": JACKET, "sent": 4, "received": 1, "lost": 1, "on_the_way": 2}
    ]
    api.post(sent, arrived(2), status=200)
    assert [one["id"] for one in api.get("/transfers?state=open")["items"]] == [
        newer["id"]
    ]
    page = api.get("/transfers?limit=1")
    assert page["items"] == [newer]
    [last] = api.get(f"/transfers?limit=1&next={page['next']}")["items"]
    assert (last["id"], last["state"]) == (older["id"], "closed")


def test_what_is_over_costs_the_list_of_what_is_open_nothing(api, shop, sent):
    def statements():
        told = []
        sa.event.listen(
            sa.Engine, "before_cursor_execute", lambda *a: told.append(a[2])
        )
        with shop.engine.connect() as connection:
            [row] = transferring.transfers(connection, UNDER_WAY, limit=9)
        assert row["id"] == sent.split("/")[2]
        return len(told)

    few = statements()
    with writing(shop.engine) as connection:
        over = [
            {"way_id": str(n), "is_transfer": True, "state": "received"}
            for n in range(99)
        ]
        connection.execute(ways.insert(), over)

    assert statements() == few


def test_what_is_on_the_way_is_found_behind_all_that_is_over(api, shop, sent):
    def moves(kind, number, **more):
        at = now()
        more |= {"sku": JACKET, "fact": f"T-{number}", "line": "1"}
        return StockEvent(kind, 1, at, at, **more)

    ends = {"place": "downtown", "to_place": "harbour"}
    for kind, more in ((kinds.TRANSFERRED, ends), (kinds.LOST, {})):
        of = [{"of": f"T-{n}"} if kind == kinds.LOST else {} for n in range(501)]
        events = [moves(kind, n, **more, **of[n]) for n in range(501)]
        with applying(shop.engine) as connection:
            record_in(connection, events, actor="ada", now=now())

    with shop.engine.connect() as connection:
        [found] = transferring.on_the_way(connection, JACKET, 4)

    assert (found["id"], found["units"]) == (sent.split("/")[2], 4)


def test_how_far_it_is_was_known_before_it_was_written_down(api, shop, sent):
    """What the migration makes of entries is what telling the facts made of them."""
    shop.count(JACKET, "downtown", 50)
    paths = [
        f"/transfers/{api.post('/transfers', moved())['id']}/receive" for _ in "1234"
    ]
    api.post(paths[0], arrived(1) | lost(1), status=200)
    api.post(paths[1], arrived(4), status=200)
    api.post(paths[2], arrived(1) | lost(3), status=200)
    left = entries(api, "transferred")
    [entry] = [one for one in left if paths[3].split("/")[2] in one["event"]]
    api.post(f"/ledger/{entry['id']}/reverse", {"reason": "never left"})
    shop.tell("web", told("expected", "PO-1", 5))
    api.post("/receipts", {"location": "harbour", "of": "PO-1"} | arrived(7))
    with shop.engine.connect() as connection:
        before = listed(connection)
    states = [state for _, _, state in before]

    with shop.engine.connect() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0024")
    upgrade(shop.engine)

    assert states == [
        "sent",
        "partly received",
        "received",
        "closed",
        "reversed",
        "received",
    ]
    with shop.engine.connect() as connection:
        assert listed(connection) == before


def test_a_loss_is_undone_and_the_units_are_on_the_way_again(api, shop, sent):
    [loss] = api.post(sent, lost(2), status=200)["entries"]

    undone = api.post(f"/ledger/{loss['id']}/reverse", {"reason": "found in the van"})

    assert undone["entries"][0]["reverses"] == loss["id"]
    assert api.stock(JACKET)["incoming"] == 4
    api.post(sent, arrived(4), status=200)
    assert is_provable(shop)


def test_what_is_lost_and_turns_up_has_arrived(api, shop, sent):
    api.post(sent, lost(4), status=200)
    path = sent.split("/")[2]

    body = {"location": "harbour", "of": path} | arrived(4)
    api.post("/receipts", body)

    assert at(api, "harbour")["available"] == 4
    assert api.stock(JACKET)["on_hand"] == 10
    assert is_provable(shop)


def test_a_receipt_and_then_the_transfer_itself_are_reversed(api, shop, sent):
    [first] = entries(api, "transferred")
    [got] = api.post(sent, arrived(4), status=200)["entries"]
    path = f"/ledger/{first['id']}/reverse"

    assert api.call("POST", path, {"reason": "x"}).status_code == 409
    api.post(f"/ledger/{got['id']}/reverse", {"reason": "another parcel"})
    assert at(api, "harbour")["incoming"] == 4
    [undone] = api.post(path, {"reason": "never left"})["entries"]

    assert undone["reverses"] == first["id"]
    stock = api.stock(JACKET)
    assert (stock["incoming"], stock["available"]) == (0, 10)
    assert at(api, "downtown")["available"] == 10
    assert api.get("/transfers?state=open")["items"] == []
    assert len(api.get("/transfers?state=reversed")["items"]) == 1
    assert is_provable(shop)


# -- expected receipts -------------------------------------------------------------


def test_more_than_was_expected_comes_from_the_supplier_not_from_nowhere(api, shop):
    shop.tell("web", told("expected", "PO-1", 5))

    api.post("/receipts", {"location": "harbour", "of": "PO-1"} | arrived(7))

    stock = api.stock(JACKET)
    assert (stock["incoming"], stock["available"]) == (0, 17)
    assert is_provable(shop)


def test_a_receipt_may_come_before_what_it_fulfils(api, shop):
    shop.tell("web", told("receipt", "R-1", 3, of="PO-1"))
    assert api.stock(JACKET)["incoming"] == 0

    shop.tell("web", told("expected", "PO-1", 5))

    stock = api.stock(JACKET)
    assert (stock["incoming"], stock["available"]) == (2, 13)


def test_a_receipt_that_names_another_order_after_all_moves_over(api, shop):
    shop.tell("web", told("expected", "PO-1", 5), told("expected", "PO-2", 5))
    shop.tell("web", told("receipt", "R-1", 3, of="PO-1"))

    shop.tell("web", told("receipt", "R-1", 3, of="PO-2", version=iso(now())))
    shop.tell("web", told("receipt", "R-2", 5, of="PO-1"))

    stock = api.stock(JACKET)
    assert (stock["incoming"], stock["available"]) == (2, 18)


def test_a_supplier_that_ships_short_closes_its_order(api, shop):
    shop.tell("web", told("expected", "PO-1", 5))
    body = {"location": "harbour", "of": "PO-1", "closes": True, "reason": "sold out"}

    posted = api.post("/receipts", body | arrived(3), key="k")

    kinds = [(one["kind"], one["quantity"]) for one in posted["entries"]]
    assert kinds == [("received", 3), ("lost", 2)]
    assert posted["entries"][1]["to"]["state"] == "supplier"
    assert (api.stock(JACKET)["incoming"], api.stock(JACKET)["available"]) == (0, 13)
    assert is_provable(shop)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"of": "PO-9"}, "of"),
        ({"reason": None}, "reason"),
        ({"closes": False}, "lines"),
    ],
)
def test_closing_needs_something_that_is_open_and_a_reason(api, shop, change, field):
    shop.tell("web", told("expected", "PO-1", 5))
    body = {"location": "harbour", "of": "PO-1", "closes": True, "reason": "sold out"}

    assert api.refused("/receipts", body | change) == [field]


def test_a_receipt_that_fulfils_nothing_after_all_leaves_the_way_alone(api, shop):
    shop.tell("web", told("expected", "PO-1", 5))
    shop.tell("web", told("receipt", "R-1", 3, of="PO-1"))

    shop.tell("web", told("receipt", "R-1", 3, version=iso(now())))

    stock = api.stock(JACKET)
    assert (stock["incoming"], stock["available"]) == (5, 13)
    assert is_provable(shop)


def test_an_expected_receipt_is_reversed_by_one_call(api, shop):
    shop.tell("web", told("expected", "PO-1", 5))
    [entry] = entries(api, "expected")

    api.post(f"/ledger/{entry['id']}/reverse", {"reason": "cancelled"})

    assert api.stock(JACKET)["incoming"] == 0


def test_what_was_sent_as_packs_may_arrive_as_units(api, shop):
    made = {"components": [{"sku": JACKET, "quantity": 6}]}
    assert api.call("PUT", "/skus/SIX/recipe", made).status_code == 200
    api.post("/listings", {"channel": "web", "sku": "SIX", "external_id": "six"})
    pack = {"sku": "SIX", "quantity": 1}
    sent = api.post("/transfers", moved() | {"lines": [pack]})
    path = f"/transfers/{sent['id']}/receive"

    api.post(path, arrived(4), status=200)
    for line, left in ((pack, 0), ({"sku": JACKET, "quantity": 3}, 2)):
        short = api.call("POST", path, {"lines": [line]}).json["short"]
        asked = {"sku": line["sku"], "requested": line["quantity"]}
        assert short == [{**asked, "available": left}]
    [entry] = sent["entries"]
    undone = api.call("POST", f"/ledger/{entry['id']}/reverse", {"reason": "no"})
    assert "only 0 of its units of SIX are still on the way" in undone.json["detail"]
    api.post(path, {"closes": True, "reason": "never came"}, status=200)

    [one] = api.get("/transfers?state=closed")["items"]
    assert one["lines"] == [
        {"sku": JACKET, "sent": 6, "received": 4, "lost": 2, "on_the_way": 0}
    ]
    packs = [{"id": "1", "sku": "six", "quantity": 2}]
    shop.tell("web", told("expected", "PO", 0, lines=packs))
    assert at(api, "harbour")["incoming"] == 12
    shop.tell("web", told("receipt", "R", 11, of="PO"))
    there = at(api, "harbour")
    assert (there["available"], there["incoming"]) == (15, 1)
    assert is_provable(shop)

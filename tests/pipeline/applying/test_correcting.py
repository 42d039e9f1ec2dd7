"""A line or a fact is corrected to another SKU; an item that is mapped anew is not one."""

import json
from dataclasses import replace
from itertools import permutations

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import MINUTE, iso, now
from app.pipeline.acts import facts
from app.pipeline.configuring.listings import map_listing
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.rebuilding import rebuild
from app.pipeline.repairing.replaying import replay
from app.store.receiving import traces
from app.store.tables import incidents, stock_events
from app.web.pages import cases
from tests.builders import JACKET, order, sale, shipment

SCARF = "RED-SCARF"


@pytest.fixture
def shop(shop):
    """Ten jackets and nine scarves downtown; a warehouse that ships for the store."""
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 9)
    shop.channel("wms")
    return shop


def fact(kind, version, sku, quantity, **more):
    line = {"id": "1", "sku": sku, "quantity": quantity, "reason": "lost"}
    moment = {"occurred_at": iso(now() - MINUTE), "version": version}
    return {"type": kind, "id": kind, "lines": [line], **moment, **more}


def is_right(shop):
    """Every other order of arrival leads to the same, and nothing is to be rebuilt."""
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        for seed in (1, 2):
            assert list(rehearse(connection, now() + MINUTE, seed)) == []
    done = rebuild(shop.engine, now())
    return (done.before, done.levels, done.entries, done.after) == ([], [], 0, [])


@pytest.mark.parametrize("arrival", list(permutations(range(3))))
@pytest.mark.parametrize("at_once", [True, False])
def test_an_order_line_is_what_its_newest_version_says(shop, arrival, at_once):
    at = now() - MINUTE
    told = [
        order("1", JACKET, 2, at=at, version=1),
        order("1", SCARF, 3, at=at, version=2),
        order("1", SCARF, 1, at=at, version=3),
    ]
    for number in arrival:
        shop.receive("web", told[number])
        if not at_once:
            shop.apply()
    shop.apply()

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(SCARF) == {"available": 8, "committed": 1}
    assert is_right(shop)


@pytest.mark.parametrize(
    ("kind", "quantity", "left"),
    [
        ("receipt", 2, {"available": 11}),
        ("expected", 2, {"available": 9, "incoming": 2}),
        ("adjustment", -2, {"available": 7}),
    ],
)
def test_a_fact_of_the_wrong_sku_is_corrected(shop, kind, quantity, left):
    for version, sku in ((1, JACKET), (2, SCARF)):
        told = fact(kind, version, sku, quantity, location="downtown")
        shop.tell("wms", told)

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(SCARF) == left
    assert is_right(shop)


@pytest.mark.parametrize("arrival", [(1, 2, 3), (2, 1, 3), (3, 2, 1)])
def test_a_sale_of_the_wrong_sku_is_corrected(shop, arrival):
    sold = {1: (JACKET, 2), 2: (SCARF, 3), 3: (SCARF, 1)}
    for version in arrival:
        sku, units = sold[version]
        told = sale("T", sku, units, at=now() - MINUTE, location="downtown")
        shop.tell("till", told | {"version": version})

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(SCARF) == {"available": 8}
    assert is_right(shop)


def test_an_item_that_is_mapped_to_another_sku_moves_no_open_line(shop):
    at = now() - MINUTE
    shop.listing("web", JACKET, "item")
    shop.tell("web", order("1", "item", 2, at=at, version=1))
    shop.listing("web", SCARF, "item")
    shop.tell("web", order("1", "item", 3, at=at, version=2))

    assert shop.level(JACKET) == {"available": 7, "committed": 3}
    assert is_right(shop)


def test_a_transfer_told_again_goes_where_it_went(shop):
    """Its place is another location of ours by now; another place contradicts it."""
    shop.locations("east", "west", "yard")
    shop.channel("wms", mapped={"downtown": "D", "west": "W"})
    sent = fact("transfer", 1, JACKET, 2, location="D")
    shop.tell("wms", sent | {"to": "W"})
    shop.channel("wms", mapped={"downtown": "D", "east": "W", "yard": "Y"})
    replay(shop.engine, filter={})
    shop.apply()

    assert contradiction(shop) is None
    assert shop.level(JACKET, "west") == {"incoming": 2}
    assert is_right(shop)

    shop.tell("wms", sent | {"to": "Y"})
    with shop.engine.connect() as connection:
        messages = connection.execute(sa.select(incidents.c.message)).scalars().all()
    assert [" now, with the same version" in one for one in messages] == [True]
    assert is_right(shop)


@pytest.mark.parametrize("arrival", [(0, 2, 1, 3), (2, 3, 0, 1), (0, 1, 3, 2)])
def test_what_a_warehouse_shipped_stays_with_its_sku(shop, arrival):
    """Two lines change places: their ids are the store's, the warehouse tells SKUs."""

    def ordered(version, *lines):
        told = fact("order", version, "", 0, order="1")
        names = [
            {"id": f"{at}", "sku": sku, "quantity": units}
            for at, (sku, units) in enumerate(lines)
        ]
        return "web", {**told, "lines": names}

    def left(parcel, sku, units):
        more = {"order": "1", "channel": "web", "location": "downtown", "id": parcel}
        return "wms", fact("shipment", 1, sku, units) | more

    told = [
        ordered(1, (JACKET, 2), (SCARF, 2)),
        ordered(2, (SCARF, 2), (JACKET, 3)),
        left("a", JACKET, 1),
        left("b", SCARF, 2),
    ]
    for number in arrival:
        shop.tell(*told[number])

    assert shop.level(JACKET) == {"available": 7, "committed": 2}
    assert shop.level(SCARF) == {"available": 7}
    assert is_right(shop)


# -- what another system reports -------------------------------------------------


def parcel(version, sku, units, kind="shipment", **more):
    """Parcel p, line 1: what a warehouse reports of the store's order."""
    told = {"order": "1", "channel": "web", "location": "downtown", "id": "p"}
    return fact(kind, version, sku, units) | told | more


def ordered(version=1):
    names = ((JACKET, 2), (SCARF, 2))
    lines = [
        {"id": f"{at}", "sku": sku, "quantity": n} for at, (sku, n) in enumerate(names)
    ]
    return fact("order", version, "", 0, order="1") | {"lines": lines}


ARRIVALS = list(permutations(range(4)))[::5]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("arrival", ARRIVALS)
def test_a_parcel_line_is_what_its_newest_version_says(shop, arrival, at_once):
    told = [
        ("web", ordered()),
        ("wms", parcel(1, JACKET, 1)),
        ("wms", parcel(2, SCARF, 2)),
        ("wms", parcel(3, SCARF, 1)),
    ]
    for number in arrival:
        shop.receive(*told[number])
        if not at_once:
            shop.apply()
    shop.apply()

    assert shop.level(JACKET) == {"available": 8, "committed": 2}
    assert shop.level(SCARF) == {"available": 7, "committed": 1}
    assert is_right(shop)


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_what_came_back_is_what_its_newest_version_says(shop, arrival):
    told = [
        ("wms", parcel(1, JACKET, 2, location="downtown")),
        ("wms", parcel(1, SCARF, 2, id="q")),
        ("wms", parcel(1, JACKET, 1, "return", id="r")),
        ("wms", parcel(2, SCARF, 1, "return", id="r")),
    ]
    for number in arrival:
        shop.tell(*told[number])
    shop.tell("web", ordered())

    assert shop.level(JACKET) == {"available": 8}
    assert shop.level(SCARF) == {"available": 8}
    assert is_right(shop)


@pytest.mark.parametrize("kind", ["shipment", "return"])
@pytest.mark.parametrize("at_once", [True, False])
def test_one_version_of_two_skus_is_a_contradiction(shop, kind, at_once):
    shop.tell("web", ordered())
    if kind == "return":
        shop.tell("wms", parcel(1, JACKET, 1), parcel(1, SCARF, 1, id="q"))
    before = shop.level(JACKET), shop.level(SCARF)
    for sku in (JACKET, SCARF, SCARF):
        shop.receive("wms", parcel(1, sku, 1, kind, id="x"))
        if not at_once:
            shop.apply()
    shop.apply()

    assert shop.level(SCARF) == before[1]
    assert shop.level(JACKET) != before[0]
    said = f"said 1 of {JACKET} before and 1 of {SCARF} now"
    assert said in contradiction(shop)
    assert is_right(shop)

    shop.tell("wms", parcel(2, SCARF, 1, kind, id="x"))

    assert shop.level(JACKET) == before[0]
    assert shop.level(SCARF) != before[1]
    assert contradiction(shop) is None
    assert is_right(shop)


@pytest.mark.parametrize("kind", ["order", "sale", "receipt", "adjustment"])
def test_one_version_of_a_fact_of_two_skus_is_a_contradiction(shop, kind):
    more = {"order": "1"} if kind == "order" else {"location": "downtown"}
    for sku in (JACKET, SCARF):
        shop.tell("wms", fact(kind, 1, sku, 2, **more))

    assert shop.level(SCARF) == {"available": 9}
    assert f"said 2 of {JACKET} before and 2 of {SCARF} now" in contradiction(shop)
    assert is_right(shop)


@pytest.mark.parametrize(
    "arrival",
    [
        ("SCRAF", "SCRAFF", SCARF),
        ("SCRAFF", SCARF, "SCRAF"),
        (SCARF, "SCRAF", "SCRAFF"),
    ],
)
@pytest.mark.parametrize("kind", ["sale", "receipt", "order"])
def test_a_name_nobody_knows_is_corrected_in_the_same_version(shop, kind, arrival):
    """What waits for a name and what can be posted are two things that were said."""
    more = {"order": "1"} if kind == "order" else {"location": "downtown"}
    for sku in arrival:
        shop.tell("wms", fact(kind, 1, sku, 2, **more))

    assert shop.level(SCARF)["available"] == (11 if kind == "receipt" else 7)
    assert is_right(shop)

    shop.sku("SCRAFF")
    map_listing(shop.engine, "wms", "SCRAFF", "SCRAFF", now=now())

    said = f"said 2 of {SCARF} before and 2 of SCRAFF now"
    assert said in contradiction(shop, "SCRAFF")
    assert is_right(shop)


@pytest.mark.parametrize("arrival", [(1, 2), (2, 1)])
@pytest.mark.parametrize("kind", ["sale", "receipt", "order"])
def test_what_is_corrected_to_a_name_nobody_knows_waits_for_it(shop, kind, arrival):
    more = {"order": "1"} if kind == "order" else {"location": "downtown"}
    sku = {1: SCARF, 2: "GLOVE"}
    for version in arrival:
        shop.tell("wms", fact(kind, version, sku[version], 2, **more))

    assert shop.level(SCARF)["available"] == (11 if kind == "receipt" else 7)
    assert [state for state, _ in shop.messages()].count("parked") == 1

    shop.sku("GLOVE")
    map_listing(shop.engine, "wms", "GLOVE", "GLOVE", now=now())

    assert shop.level("GLOVE")["available"] == (2 if kind == "receipt" else -2)
    assert shop.level(SCARF)["available"] == 9
    assert is_right(shop)


@pytest.mark.parametrize("arrival", [(1, 2), (2, 1)])
@pytest.mark.parametrize("kind", ["sale", "receipt", "shipment"])
def test_what_waits_for_a_place_is_corrected_once_that_is_known(shop, kind, arrival):
    """Both versions are tried again at once, neither of them posted before."""
    sku = {1: JACKET, 2: SCARF}
    more = {"order": "1", "channel": "web"} if kind == "shipment" else {}
    for version in arrival:
        told = fact(kind, version, sku[version], 2, location="uptown")
        shop.tell("wms", told | more)

    shop.locations("uptown")
    map_listing(shop.engine, "wms", JACKET, JACKET, now=now())

    assert shop.level(JACKET, "uptown") == {}
    assert shop.level(SCARF, "uptown") == {"available": 2 if kind == "receipt" else -2}
    assert is_right(shop)


@pytest.mark.parametrize("arrival", [(1, 2, 0), (1, 0, 2), (2, 1, 0)])
def test_a_line_that_was_shipped_first_is_what_the_order_says(shop, arrival):
    """What is shipped of a line names its item only until the order is told."""
    at = now() - MINUTE
    told = [
        order("1", JACKET, 2, at=at, version=1),
        shipment("1", JACKET, 1, at=at, location="downtown") | {"version": 2},
        order("1", SCARF, 2, at=at, version=3),
    ]
    for number in arrival:
        shop.tell("web", told[number])

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(SCARF) == {"available": 7, "committed": 1}
    assert is_right(shop)


@pytest.mark.parametrize("arrival", [(1, 2), (2, 1)])
def test_a_parcel_of_an_order_that_nobody_told_is_corrected(shop, arrival):
    sku = {1: JACKET, 2: SCARF}
    for version in arrival:
        told = shipment("1", sku[version], 1, at=now() - MINUTE, location="downtown")
        shop.tell("web", told | {"version": version})

    assert shop.level(JACKET) == {"available": 10}
    assert shop.level(SCARF) == {"available": 8}
    assert is_right(shop)


@pytest.mark.parametrize("kind", ["sale", "receipt", "adjustment"])
def test_one_version_of_a_fact_at_two_places_is_a_contradiction(shop, kind):
    shop.locations("harbour")
    for place in ("downtown", "harbour", "harbour"):
        shop.tell("wms", fact(kind, 1, SCARF, 2, location=place))

    assert shop.level(SCARF, "harbour") == {}
    assert shop.level(SCARF) != {"available": 9}
    assert "said 2 before and 2 at harbour now" in contradiction(shop, "harbour")
    assert is_right(shop)


@pytest.mark.parametrize("kind", ["sale", "receipt", "adjustment"])
def test_a_place_that_is_mapped_anew_contradicts_nothing(shop, kind):
    shop.locations("harbour")
    shop.channel("wms", mapped={"downtown": "D"})
    shop.tell("wms", fact(kind, 1, SCARF, 2, location="D"))
    before = shop.level(SCARF, "downtown")
    shop.channel("wms", mapped={"harbour": "D"})
    replay(shop.engine, filter={})
    shop.apply()

    assert contradiction(shop) is None
    assert shop.level(SCARF, "downtown") == before
    assert is_right(shop)


def test_both_states_are_kept_in_which_one_version_says_that_units_came_back(shop):
    shop.tell("web", ordered())
    shop.tell("wms", parcel(1, JACKET, 1))
    for state in ("sellable", "damaged"):
        told = parcel(1, JACKET, 1, "return", id="r")
        told["lines"][0]["disposition"] = state
        shop.tell("wms", told)

    assert shop.level(JACKET) == {"available": 9, "committed": 1}
    assert "said 1 before and 1 damaged now" in contradiction(shop, state)
    assert is_right(shop)


def test_every_report_of_one_version_is_kept(shop):
    """None takes the room of another that says as many, of another SKU or state."""
    shop.tell("wms", fact("receipt", 1, JACKET, 2, location="downtown"))
    for sku in (JACKET, SCARF, SCARF):
        shop.tell("wms", fact("receipt", 1, sku, 1, location="downtown"))
    shop.tell("web", ordered())
    shop.tell("wms", parcel(1, JACKET, 2), parcel(1, JACKET, 2, "return", id="r"))
    for state in ("damaged", "sellable"):
        told = parcel(1, JACKET, 1, "return", id="r")
        told["lines"][0]["disposition"] = state
        shop.tell("wms", told)

    with shop.engine.connect() as connection:
        refused = connection.execute(
            sa.select(stock_events.c.details).where(
                stock_events.c.verdict == "quarantined"
            )
        )
        kept = [json.loads(row.details) for row in refused]
    assert {one["sku"] for one in kept} == {JACKET, SCARF}
    assert {one["disposition"] for one in kept if "order" in one} == {
        "damaged",
        "sellable",
    }
    assert len(kept) == 4
    assert is_right(shop)


def contradiction(shop, second=SCARF):
    """What the open contradiction says; both reports that it is about are kept."""
    with shop.engine.connect() as connection:
        found = [
            row
            for row in connection.execute(sa.select(incidents)).mappings()
            if row["kind"] == "contradiction" and row["closed_at"] is None
        ]
        if not found:
            return None
        [row] = found
        told = traces.reports_of(connection, cases.reports(row))
        both = [one for one in told if one["verdict"] != "parked"]
        both.sort(key=lambda one: one["verdict"])
        assert [one["verdict"] for one in both] == ["posted", "quarantined"]
        assert [second in one["details"] for one in both] == [False, True]
        return row["message"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_parcel_of_an_item_mapped_to_another_sku_stays_what_it_was(shop, version):
    shop.listing("wms", JACKET, "item")
    shop.tell("wms", parcel(1, "item", 1))
    shop.listing("wms", SCARF, "item")
    shop.tell("wms", parcel(version, "item", version))

    assert shop.level(JACKET) == {"available": 10 - version}
    assert shop.level(SCARF) == {"available": 9}
    assert contradiction(shop) is None
    assert is_right(shop)


def test_a_parcel_without_line_ids_holds_several_skus(shop):
    at = now() - MINUTE
    left = StockEvent(kinds.SHIPPED, 1, at, at, order="1", order_channel="web")
    skus = [replace(left, sku=sku, fact="p") for sku in (JACKET, SCARF)]
    shop.tell("web", ordered())
    facts.record(shop.engine, skus, actor="test", now=now())

    assert shop.level(JACKET) == {"available": 8, "committed": 1}
    assert shop.level(SCARF) == {"available": 7, "committed": 1}
    assert contradiction(shop) is None
    assert is_right(shop)


def test_parcels_of_two_channels_orders_with_one_number_are_two_facts(shop):
    for channel, sku in (("web", JACKET), ("till", SCARF)):
        shop.tell("wms", parcel(1, sku, 1, channel=channel))

    assert shop.level(JACKET) == {"available": 9}
    assert shop.level(SCARF) == {"available": 8}
    assert is_right(shop)

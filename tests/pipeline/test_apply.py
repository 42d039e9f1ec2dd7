"""What messages do to stock, through the inbox, on both databases."""

import itertools

import pytest
import sqlalchemy as sa

from app.domain.errors import KeyMissing
from app.domain.instants import SECOND, iso, now
from app.pipeline.inbound import Inbound
from app.pipeline.proving.audit import differences
from app.pipeline.publishing.desired import numbers
from app.pipeline.receive import Receiver
from app.pipeline.repairing.replaying import replay
from app.store.configuration.channels import touch
from app.store.engine import writing
from app.store.tables import channels, incidents, ledger, publications, stock_events
from app.store.vault import Vault
from tests.builders import (
    JACKET,
    Limits,
    Shop,
    cancellation,
    order,
    returned,
    sale,
    shipment,
)

KEY, FORGOTTEN = "a secret key for tests", "a key that is forgotten"


def is_right(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        return differences(connection) == []


def shown(shop: Shop) -> set[int]:
    with shop.engine.connect() as connection:
        rows = connection.execute(sa.select(publications)).mappings().all()
        return set(numbers(connection, rows).values())


def entries(shop: Shop) -> int:
    with shop.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count(ledger.c.id))).scalar_one()


def test_a_sale_at_the_till_leaves_one_fewer_for_every_channel(shop):
    shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    assert shop.level(JACKET) == {"available": 9}
    assert shown(shop) == {9}
    assert is_right(shop)


def test_an_order_promises_units_and_a_shipment_hands_them_over(shop):
    at = now()
    shop.tell("web", order("1001", JACKET, 3, at=at))
    assert shop.level(JACKET) == {"available": 7, "committed": 3}

    shop.tell("web", shipment("1001", JACKET, 2, at=at + SECOND))
    assert shop.level(JACKET) == {"available": 7, "committed": 1}
    assert is_right(shop)


def test_every_order_of_arrival_leads_to_the_same_levels(shop):
    at = now() - 60 * SECOND
    story = [
        order("1", JACKET, 4, at=at),
        shipment("1", JACKET, 2, at=at + SECOND),
        cancellation("1", JACKET, 1, at=at + 2 * SECOND),
        returned("1", JACKET, 1, at=at + 3 * SECOND, location="downtown"),
    ]
    for number, told in enumerate(itertools.permutations(story)):
        renamed = [dict(body, order=f"o{number}") for body in told]
        before = shop.level(JACKET)
        shop.tell("web", *renamed, *renamed)
        after = shop.level(JACKET)

        assert after["committed"] - before.get("committed", 0) == 1
        assert before.get("available", 0) - after.get("available", 0) == 2
    assert is_right(shop)


def test_the_same_webhook_twice_is_once(shop):
    body = sale("T-1", JACKET, 1, at=now())
    shop.tell("till", body, body, body)

    assert shop.level(JACKET) == {"available": 9}


def test_replaying_everything_changes_nothing(shop):
    at = now()
    shop.tell("web", order("1", JACKET, 2, at=at), shipment("1", JACKET, 1, at=at + 1))
    before = (shop.level(JACKET), entries(shop))

    assert replay(shop.engine, filter={"channel": "web"}) == 2
    shop.apply()

    assert (shop.level(JACKET), entries(shop)) == before


def test_a_correction_posts_only_the_difference(shop):
    at = now()
    shop.tell("web", order("1", JACKET, 2, at=at, version=1))
    shop.tell("web", order("1", JACKET, 5, at=at, version=3))
    shop.tell("web", order("1", JACKET, 9, at=at, version=2))

    assert shop.level(JACKET) == {"available": 5, "committed": 5}


def test_two_targets_with_one_version_are_shown_to_a_person(shop):
    at = now()
    shop.tell("web", order("1", JACKET, 2, at=at), order("1", JACKET, 3, at=at))

    assert shop.level(JACKET) == {"available": 8, "committed": 2}
    with shop.engine.connect() as connection:
        found = connection.execute(sa.select(incidents)).one()
    assert found.kind == "contradiction"
    assert found.message == (
        "Order 1, line 1 (BLUE-JACKET-M): whoever told it said 2 before and 3 now, with "
        "the same version; a person must decide which is true"
    )


def test_a_sale_beyond_what_is_there_is_written_down(shop):
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))

    assert shop.level(JACKET) == {"available": -2}
    assert shown(shop) == {0}


def test_an_unknown_sku_waits_and_its_neighbours_do_not(shop):
    body = order("1", JACKET, 1, at=now())
    body["lines"].append({"id": "2", "sku": "RED-SCARF", "quantity": 2})
    shop.tell("web", body)

    assert shop.level(JACKET) == {"available": 9, "committed": 1}
    assert shop.messages() == [("parked", "unknown sku RED-SCARF")]


def test_a_line_that_waited_applies_as_if_it_had_been_known(shop):
    from app.pipeline.configuring.listings import map_listing

    shop.tell("web", order("1", "scarf-ext", 2, at=now()))
    shop.sku("RED-SCARF")
    map_listing(shop.engine, "web", "RED-SCARF", "scarf-ext", now=now())

    assert shop.level("RED-SCARF") == {"available": -2, "committed": 2}
    assert shop.messages() == [("applied", None)]
    assert is_right(shop)


@pytest.mark.parametrize(
    ("quantity", "words"), [(-1, "lines[0].quantity"), (1.5, "lines[0].quantity")]
)
def test_a_bad_quantity_is_buried_alone_with_its_field(shop, quantity, words):
    bad = order("1", JACKET, 1, at=now())
    bad["lines"][0]["quantity"] = quantity
    shop.tell("web", order("2", JACKET, 1, at=now()), bad, b"{", b"[1]")

    states = shop.messages()
    assert [state for state, _ in states] == ["applied", "buried", "buried", "buried"]
    assert words in states[1][1]
    assert shop.level(JACKET) == {"available": 9, "committed": 1}


def test_a_bad_line_holds_none_of_the_others_back(shop):
    body = order("1", JACKET, 1, at=now())
    body["lines"].append({"id": "2", "sku": JACKET, "quantity": "many"})
    body["lines"].append({"id": "3", "sku": "NEVER-HEARD-OF", "quantity": 1})
    shop.tell("web", body)

    [(state, error)] = shop.messages()
    assert state == "buried"
    assert error.startswith("lines[1].quantity: ")
    assert error.endswith("; the other lines are taken")
    assert shop.level(JACKET) == {"available": 9, "committed": 1}
    shop.sku("NEVER-HEARD-OF")
    assert shop.messages() == [(state, error)]
    assert is_right(shop)


def test_a_message_that_the_database_refuses_is_buried_alone(shop):
    at = now()
    bad = {
        "type": "receipt",
        "id": "R1",
        "occurred_at": iso(at),
        "of": "nothing",
        "location": "downtown",
        "lines": [{"id": "1", "sku": JACKET, "quantity": 2**31}],
    }
    shop.tell("web", *[order(f"{n}", JACKET, 1, at=at) for n in range(5)], bad)

    assert shop.level(JACKET)["committed"] == 5
    assert is_right(shop)


def test_what_came_before_a_wrong_secret_key_waits_for_the_right_one(shop):
    shop.receive("till", sale("T-1", JACKET, 1, at=now()))
    with pytest.raises(KeyMissing, match="ONECOUNT_SECRET_KEY_PREVIOUS"):
        Inbound(shop.engine, Vault(["not the one it was"])).run(now())

    assert shop.messages() == [("waiting", None)]
    shop.inbound.run(now())
    assert shop.messages() == [("applied", None)]
    assert shop.level(JACKET) == {"available": 9}


def test_a_channel_whose_provider_is_not_here_is_in_nobodys_way(shop):
    shop.receive("web", order("1", JACKET, 2, at=now()))
    with writing(shop.engine) as connection:
        web = channels.c.key == "web"
        connection.execute(channels.update().where(web).values(provider="kiosk"))
        touch(connection, now())
    shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    (buried, error), (applied, _) = shop.messages()
    assert (buried, applied) == ("buried", "applied")
    assert "no provider 'kiosk'; known: " in error
    assert shop.level(JACKET) == {"available": 9}


def test_a_body_whose_key_is_forgotten_is_buried_alone(shop):
    other = Receiver(shop.engine, Vault([FORGOTTEN, KEY]), shop.bell, Limits())
    shop.receive("till", sale("T-1", JACKET, 1, at=now()))
    shop.receiver.close()
    shop.receiver = other
    shop.tell("till", sale("T-2", JACKET, 2, at=now()))

    (applied, _), (buried, error) = shop.messages()
    assert (applied, buried) == ("applied", "buried")
    assert "ONECOUNT_SECRET_KEY_PREVIOUS, or have it sent again" in error
    assert shop.level(JACKET) == {"available": 9}


def test_a_count_absorbs_what_happened_before_it_and_is_told_later(shop):
    at = now() - 60 * SECOND
    shop.count(JACKET, "downtown", 7, at=at)
    shop.tell("till", sale("early", JACKET, 2, at=at - 10 * SECOND))
    assert shop.level(JACKET) == {"available": 7}

    shop.tell("till", sale("late", JACKET, 1, at=at + 10 * SECOND))
    assert shop.level(JACKET) == {"available": 6}
    shop.count(JACKET, "downtown", 9, at=at - 20 * SECOND)
    assert shop.level(JACKET) == {"available": 6}
    assert is_right(shop)


def test_an_order_without_a_location_sits_in_no_physical_place(empty_shop):
    shop = empty_shop
    shop.locations("north", "south")
    shop.channel("web", mapped={"north": "N", "south": "S"}, publish={})
    shop.channel("pos", mapped={"south": "S1"}, publish={})
    shop.sku(JACKET)
    shop.listing("web", JACKET, "1")
    shop.listing("pos", JACKET, "1")
    shop.count(JACKET, "north", 1)
    shop.count(JACKET, "south", 1)
    at = now()
    shop.tell("web", order("1", "1", 1, at=at))

    assert shop.level(JACKET, "unassigned:web") == {"available": -1, "committed": 1}
    assert shown(shop) == {1}
    shop.tell("pos", sale("t", "1", 1, at=at))
    assert shown(shop) == {0}
    shop.tell("web", shipment("1", "1", 1, at=at + 1, location="N"))
    assert shop.level(JACKET) == {}
    assert is_right(shop)


def test_a_shipping_provider_and_the_shop_report_one_shipment_once(shop):
    shop.channel("wms")
    at = now()
    shipped = dict(shipment("1001", JACKET, 2, at=at + SECOND), channel="web")
    shop.tell("wms", shipped)
    assert shop.level(JACKET) == {"available": 8}

    shop.tell("web", order("1001", JACKET, 2, at=at))
    shop.tell("web", dict(shipment("1001", JACKET, 2, at=at + 2 * SECOND), id="own"))
    assert shop.level(JACKET) == {"available": 8}
    assert is_right(shop)


def test_a_till_s_sale_without_a_place_waits_where_there_are_several(shop):
    shop.locations("uptown")
    shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    assert shop.messages() == [("parked", "unknown location (none named)")]

    shop.tell("till", sale("T-2", JACKET, 1, at=now(), location="uptown"))
    assert shop.level(JACKET, "uptown") == {"available": -1}


def test_a_parked_line_that_cannot_be_applied_holds_up_no_other(shop):
    from app.pipeline.configuring.listings import map_listing

    at = iso(now())
    bad = {"type": "receipt", "id": "R", "occurred_at": at, "location": "downtown"}
    bad["lines"] = [
        {"id": "1", "sku": "scarf-ext", "quantity": 5},
        {"id": "2", "sku": "scarf-ext", "quantity": 1},
    ]
    shop.tell("web", bad, order("1", "scarf-ext", 2, at=now()))
    with writing(shop.engine) as connection:
        # Judging units that were never taken in would make inspection negative.
        received = stock_events.c.kind == "received", stock_events.c.target == 5
        change = stock_events.update().where(*received).values(kind="inspected")
        connection.execute(change)
    shop.sku("RED-SCARF")
    map_listing(shop.engine, "web", "RED-SCARF", "scarf-ext", now=now())

    assert shop.level("RED-SCARF") == {"available": -1, "committed": 2}
    why = "line 1 cannot be applied: inspection would fall below zero"
    assert shop.messages() == [
        ("buried", f"{why}; the other lines are taken"),
        ("applied", None),
    ]
    assert is_right(shop)


def test_a_line_that_cannot_be_so_is_named_and_holds_up_no_other(shop):
    shop.sku("SCARF")
    back = {"id": "1", "sku": JACKET, "quantity": 2, "disposition": "damaged"}
    lost = {"id": "2", "sku": "SCARF", "quantity": -1}
    told = {"type": "adjustment", "id": "A", "occurred_at": iso(now())}
    each = [line | {"reason": "looked"} for line in (back, lost)]
    shop.tell("till", told | {"lines": each}, sale("T", JACKET, 1, at=now()))

    why = "line 1 cannot be applied: damaged would fall below zero"
    assert shop.messages() == [
        ("buried", f"{why}; the other lines are taken"),
        ("applied", None),
    ]
    assert shop.level("SCARF") == {"available": -1}
    assert shop.level(JACKET) == {"available": 9}
    assert is_right(shop)

    replay(shop.engine)
    shop.apply()
    assert shop.messages()[0] == ("buried", f"{why}; the other lines are taken")
    assert shop.level("SCARF") == {"available": -1}
    alone = told | {"id": "B", "lines": each[:1]}
    shop.tell("till", alone)
    assert shop.messages()[-1] == ("buried", why)
    half = {"id": "3", "sku": JACKET, "quantity": 0.5, "reason": "looked"}
    shop.tell("till", told | {"id": "C", "lines": [*each, half]})
    _, both = shop.messages()[-1]
    assert "lines[2].quantity" in both
    assert f"{why}; the other lines are taken" in both

"""Aliases and renamed SKUs: another text, the same units."""

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.errors import BadConfiguration, ShortOfUnits, UnknownName
from app.domain.events import StockEvent
from app.domain.instants import HOUR, MINUTE, now
from app.pipeline.acts import facts, holding, transferring
from app.pipeline.applying.travelling import Arrival
from app.pipeline.configuring.listings import add_sku, map_listing
from app.pipeline.configuring.naming import add_alias, rename
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.engine import writing
from app.store.stock import aliases, balances
from app.store.stock.balances import When
from app.store.tables import incidents, skus, stock_events
from tests.builders import JACKET, order, sale, shipment

OLD, NEW = "JKT-0815", "JACKET-BLUE"


def alias(shop, text, sku=JACKET):
    return add_alias(shop.engine, sku, text, now=now(), actor="test")


def renamed(shop, to, sku=JACKET):
    return rename(shop.engine, sku, to, now=now(), actor="test")


def sku_of(shop, text):
    with shop.engine.connect() as connection:
        return aliases.sku_id(connection, text)


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == [] == list(rehearse(connection, now(), 3))


def test_what_waited_for_an_alias_applies_once_it_is_known(shop):
    shop.tell("till", sale("T", OLD, 2, at=now() - MINUTE))
    assert [state for state, _ in shop.messages()] == ["parked"]

    assert alias(shop, OLD) == {"outbound:web", "outbound:till"}

    assert [state for state, _ in shop.messages()] == ["applied"]
    assert shop.level(JACKET) == {"available": 8}
    assert alias(shop, OLD) == set(), "twice is once"
    assert is_right(shop)


def test_a_text_that_names_something_already_is_no_alias(shop):
    shop.sku("RED-SCARF")
    alias(shop, OLD)

    for text, sku in ((JACKET, JACKET), (JACKET, "RED-SCARF"), (OLD, "RED-SCARF")):
        with pytest.raises(BadConfiguration) as refused:
            alias(shop, text, sku)
        assert refused.value.field == "alias"
    with pytest.raises(UnknownName):
        alias(shop, "X", "NO-SUCH")


def test_an_import_under_an_alias_changes_the_sku_and_makes_no_second(shop):
    alias(shop, OLD)

    with writing(shop.engine) as connection:
        add_sku(connection, OLD, "Blue jacket", "4006381333931")
        found = connection.execute(sa.select(skus)).all()

    assert [(row.sku, row.name) for row in found] == [(JACKET, "Blue jacket")]


def test_facts_claims_and_listings_take_an_alias(shop):
    shop.locations("harbour")
    alias(shop, OLD)
    lines = [{"sku": OLD, "quantity": 2, "location": "downtown"}]

    held = holding.hold(shop.engine, lines, 600, actor="test", now=now())
    holding.commit(
        shop.engine,
        held["id"],
        "web",
        "7",
        [{"id": "1", "sku": OLD}],
        actor="test",
        now=now(),
    )
    shop.tell("web", order("7", JACKET, 2, at=now()))
    map_listing(shop.engine, "till", OLD, "t-1", now=now())
    shop.tell("till", sale("T", "t-1", 1, at=now(), location="downtown"))
    lost = StockEvent(
        kinds.ADJUSTED, -1, now(), now(), sku=OLD, place="downtown", fact="A", line="1"
    )
    facts.record(shop.engine, [lost], actor="test", now=now())

    assert shop.level(JACKET) == {"available": 6, "committed": 2}
    both = [
        {"sku": OLD, "quantity": 4, "location": "downtown"},
        {"sku": JACKET, "quantity": 3, "location": "downtown"},
    ]
    with pytest.raises(ShortOfUnits):
        holding.hold(shop.engine, both, 600, actor="test", now=now())
    assert is_right(shop)


def test_a_transfer_is_not_received_twice_under_two_names(shop):
    shop.locations("harbour")
    alias(shop, OLD)
    sent = transferring.transfer(
        shop.engine,
        "downtown",
        "harbour",
        [{"sku": OLD, "quantity": 3}],
        actor="test",
        now=now(),
    )

    def arrive(*lines):
        told = [{"sku": sku, "quantity": units} for sku, units in lines]
        transferring.receive_transfer(
            shop.engine, sent["id"], Arrival(told), actor="test", now=now()
        )

    with pytest.raises(ShortOfUnits):
        arrive((JACKET, 2), (OLD, 2))
    arrive((JACKET, 1), (OLD, 2))
    assert shop.level(JACKET, "harbour") == {"available": 3}


def test_a_renamed_sku_keeps_its_units_and_its_old_code_finds_it(shop):
    shop.tell("web", order("1", JACKET, 2, at=now() - MINUTE))
    before = shop.level(JACKET)

    renamed(shop, NEW)

    assert shop.level(NEW) == before
    assert sku_of(shop, JACKET) == sku_of(shop, NEW) is not None
    shop.tell("web", shipment("1", JACKET, 1, at=now()))
    shop.tell("till", sale("T", JACKET, 1, at=now(), location="downtown"))
    shop.sku("OTHER")
    lost = StockEvent(
        kinds.ADJUSTED, -1, now(), now(), sku=NEW, place="downtown", fact="A", line="1"
    )
    facts.record(shop.engine, [lost], actor="test", now=now())
    assert shop.level(NEW) == {"available": 6, "committed": 1}
    with shop.engine.connect() as connection:
        found = balances.stock_of(connection, JACKET, When(now()))
        [match] = balances.page(connection, When(now()), limit=5, search="JACKET-M")
        history = aliases.history(connection, sku_of(shop, NEW))
    assert found["sku"] == match["sku"] == NEW
    assert [(row["alias"], row["kind"]) for row in history] == [(JACKET, "renamed")]
    assert is_right(shop)


def test_renaming_back_ends_the_alias_and_keeps_it_as_history(shop):
    renamed(shop, NEW)
    renamed(shop, JACKET, sku=NEW)

    with shop.engine.connect() as connection:
        history = aliases.history(connection, sku_of(shop, JACKET))
        [row] = connection.execute(sa.select(skus)).all()
    assert row.sku == JACKET
    assert [(one["alias"], one["ended_at"] is None) for one in history] == [
        (JACKET, False),
        (NEW, True),
    ]


def test_a_code_that_is_anothers_is_refused(shop):
    shop.sku("RED-SCARF")
    alias(shop, OLD, "RED-SCARF")

    for to in ("RED-SCARF", OLD):
        with pytest.raises(BadConfiguration, match="already") as refused:
            renamed(shop, to)
        assert refused.value.field == "to"


def test_an_oversell_goes_on_under_the_new_code(shop):
    shop.tell("web", order("1", JACKET, 12, at=now()))

    renamed(shop, NEW)

    with shop.engine.connect() as connection:
        still_open = sa.select(incidents.c.subject).where(
            incidents.c.kind == "oversell", incidents.c.closed_at.is_(None)
        )
        assert connection.execute(still_open).scalars().all() == [NEW]
    shop.count(NEW, "downtown", 20, at=now())
    with shop.engine.connect() as connection:
        assert connection.execute(still_open).scalars().all() == []


def test_a_return_that_waited_before_a_rename_is_found_by_its_order(shop):
    back = StockEvent(
        kinds.RETURNED,
        1,
        now() - MINUTE,
        now(),
        sku=JACKET,
        place="downtown",
        order="55",
        fact="R",
    )
    facts.record(shop.engine, [back], actor="test", now=now())
    assert shop.level(JACKET) == {"available": 10}, "nothing was shipped yet"

    renamed(shop, NEW)
    shop.tell("web", order("55", JACKET, 2, at=now() - HOUR // 2))
    shop.tell("web", shipment("55", JACKET, 2, at=now() - HOUR // 3))

    assert shop.level(NEW) == {"available": 9}
    with shop.engine.connect() as connection:
        told = connection.execute(
            sa.select(stock_events.c.verdict, stock_events.c.note)
        )
        assert any(note and "told again" in note for _, note in told)
    assert is_right(shop)

"""Seals: whoever changes what is written is found out."""

import sqlalchemy as sa

from app.domain.instants import MINUTE, now
from app.pipeline.proving import sealing
from app.pipeline.proving.audit import differences
from app.store.tables import ledger, ledger_seals
from tests.builders import JACKET, sale


def sell(shop, units):
    for number in range(units):
        shop.tell("till", sale(f"T-{number}", JACKET, 1, at=now()))


def wrong(shop):
    with shop.engine.connect() as connection:
        return list(sealing.broken(connection))


def tamper(shop, statement):
    with shop.engine.begin() as connection:
        connection.execute(statement)


def test_entries_are_sealed_in_ranges_once_they_are_old_enough(shop):
    sell(shop, 4)
    assert sealing.seal(shop.engine, now()) == 0

    later = now() + MINUTE
    assert sealing.seal(shop.engine, later, portion=2) == 5
    assert sealing.seal(shop.engine, later) == 0
    with shop.engine.connect() as connection:
        seals = connection.execute(sa.select(ledger_seals.c.entries)).scalars().all()
    assert seals == [2, 2, 1]
    assert wrong(shop) == []


def test_a_changed_entry_breaks_its_seal(shop):
    sell(shop, 4)
    sealing.seal(shop.engine, now() + MINUTE, portion=2)
    tamper(shop, ledger.update().where(ledger.c.id == 3).values(actor="nobody"))

    assert wrong(shop) == [
        "the ledger's entries 3 to 4 are not what was sealed: changed: 3"
    ]
    with shop.engine.connect() as connection:
        assert len(differences(connection)) == 1, "no sum could tell"


def test_a_removed_entry_is_missed(shop):
    sell(shop, 4)
    sealing.seal(shop.engine, now() + MINUTE)
    tamper(shop, ledger.delete().where(ledger.c.id == 2))
    assert wrong(shop) == [
        "the ledger's entries 1 to 5 are not what was sealed: gone: 2"
    ]


def test_a_removed_seal_is_missed(shop):
    sell(shop, 4)
    sealing.seal(shop.engine, now() + MINUTE, portion=2)
    tamper(shop, ledger_seals.delete().where(ledger_seals.c.first_id == 3))

    (first, *_) = wrong(shop)
    assert first == (
        "the ledger's entries 5 to 5 are not sealed where the range before ends (2)"
    )


def test_an_entry_that_was_slipped_in_is_named(shop):
    sell(shop, 4)
    with shop.engine.connect() as connection:
        row = dict(connection.execute(sa.select(ledger)).mappings().first())
    tamper(shop, ledger.delete().where(ledger.c.id == 3))
    sealing.seal(shop.engine, now() + MINUTE)
    assert wrong(shop) == [], "a gap is nothing bad"
    tamper(shop, ledger.insert().values(**row | {"id": 3}))

    assert wrong(shop) == [
        "the ledger's entries 1 to 5 are not what was sealed: slipped in: 3"
    ]


def test_whoever_seals_anew_what_he_changed_breaks_the_next_seal(shop):
    sell(shop, 3)
    tamper(shop, ledger.update().where(ledger.c.id == 2).values(actor="nobody"))
    sealing.seal(shop.engine, now() + MINUTE, portion=2)
    with shop.engine.connect() as connection:
        first, second = connection.execute(sa.select(ledger_seals)).mappings().all()
    tamper(shop, ledger.update().where(ledger.c.id == 2).values(actor=None))
    tamper(shop, ledger_seals.delete())
    sealing.seal(shop.engine, now() + MINUTE, portion=2)
    tamper(shop, ledger_seals.delete().where(ledger_seals.c.first_id == 3))
    tamper(shop, ledger_seals.insert().values(**second))

    (said,) = wrong(shop)
    assert said.startswith("the ledger's entries 3 to 4 were sealed after another seal")
    assert first["hash"] == second["previous"]


def test_a_long_ledger_is_sealed_in_rounds(shop, monkeypatch):
    sell(shop, 4)
    monkeypatch.setattr(sealing, "PORTIONS", 2)
    later = now() + MINUTE

    assert [sealing.seal(shop.engine, later, portion=1) for _ in range(4)] == [
        2,
        2,
        1,
        0,
    ]

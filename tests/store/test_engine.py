"""Writing: all or nothing, one after the other where the database needs it."""

import threading
import time

import pytest
import sqlalchemy as sa

from app.store.driver import give_up_after
from app.store.engine import applying, is_sqlite, open_engine, writing
from app.store.gate import gate_path
from app.store.tables import skus
from app.store.trouble import AWAY, trouble


def names(engine):
    with engine.connect() as connection:
        return sorted(connection.execute(sa.select(skus.c.sku)).scalars())


def write_twice(connection, name):
    for _ in range(2):
        connection.execute(skus.insert().values(sku=name))


def test_what_was_written_before_an_error_is_gone(engine):
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        write_twice(connection, "A")
    assert names(engine) == []

    with writing(engine) as connection:
        connection.execute(skus.insert().values(sku="B"))
    assert names(engine) == ["B"]


def test_nobody_sees_what_is_not_committed(engine):
    with writing(engine) as connection:
        connection.execute(skus.insert().values(sku="A"))
        assert names(engine) == []
    assert names(engine) == ["A"]


def test_a_reader_does_not_wait_for_a_writer(engine):
    with writing(engine) as connection:
        connection.execute(skus.insert().values(sku="A"))
        with engine.connect() as reader:
            assert reader.execute(sa.select(sa.func.count(skus.c.id))).scalar() == 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_sqlite_is_durable_patient_and_keeps_its_references(engine):
    with engine.connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_failed_write_opens_the_gate_again(engine):
    for _ in range(3):
        with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
            connection.execute(skus.insert().values(sku=None))
    with writing(engine) as connection:
        connection.execute(skus.insert().values(sku="A"))
    assert names(engine) == ["A"]


def test_only_a_file_has_a_gate(engine):
    path = gate_path(engine)
    assert (path is not None) == is_sqlite(engine)
    assert gate_path(open_engine("sqlite://")) is None


def test_appliers_go_one_after_the_other(engine):
    """Each reads, lets the others try, and writes what it read plus one."""
    with writing(engine) as connection:
        connection.execute(skus.insert().values(sku="count", name="0"))
    together = threading.Barrier(4, timeout=20)

    def count() -> None:
        together.wait()
        for _ in range(5):
            with applying(engine) as connection:
                found = int(connection.execute(sa.select(skus.c.name)).scalar_one())
                connection.execute(skus.update().values(name=str(found + 1)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with engine.connect() as connection:
        assert connection.execute(sa.select(skus.c.name)).scalar_one() == "20"


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_what_is_planned_for_a_small_table_serves_a_large_one(engine):
    query = "EXPLAIN SELECT id FROM skus WHERE sku = 'A'"
    with applying(engine) as connection:
        connection.exec_driver_sql("ANALYZE skus")
        plan = " ".join(connection.exec_driver_sql(query).scalars())
    assert "Index Scan using uq_skus_sku" in plan


def test_an_error_does_not_tell_what_was_in_the_row(engine):
    with pytest.raises(sa.exc.IntegrityError) as caught, writing(engine) as connection:
        connection.execute(skus.insert(), [{"sku": "A", "name": "s3cret"}] * 2)
    assert "[parameters" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_write_that_may_be_done_again_does_not_wait_for_the_disk(engine):
    def waits(durable: bool) -> str:
        with writing(engine, durable=durable) as connection:
            name = "synchronous" if is_sqlite(engine) else "synchronous_commit"
            word = "PRAGMA" if is_sqlite(engine) else "SHOW"
            told = connection.exec_driver_sql(f"{word} {name}").scalar_one()
            return {1: "off", 2: "on"}.get(told, told)

    assert [waits(True), waits(False), waits(True)] == ["on", "off", "on"]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_what_finds_its_rows_by_their_keys_is_planned_once(engine):
    def plans(planned_once: bool) -> str:
        with writing(engine, planned_once=planned_once) as connection:
            return connection.exec_driver_sql("SHOW plan_cache_mode").scalar_one()

    told = [plans(one) for one in (False, True, False)]
    assert told == ["auto", "force_generic_plan", "auto"]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_server_that_says_nothing_is_given_up(database_url):
    engine, began = open_engine(database_url), time.monotonic()
    give_up_after(engine, 0.5)

    def write_and_wait():
        with writing(engine) as connection:
            connection.execute(skus.insert().values(sku="A"))
            connection.execute(sa.text("SELECT pg_sleep(10)"))

    with pytest.raises(sa.exc.OperationalError) as caught:
        write_and_wait()

    assert time.monotonic() - began < 5
    assert trouble(caught.value) == AWAY
    assert names(engine) == []
    engine.dispose()

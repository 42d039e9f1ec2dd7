"""The driver asked directly: errors and lost connections are SQLAlchemy's all the same."""

import pytest
import sqlalchemy as sa

from app.store import bulk, driver
from app.store.engine import writing
from app.store.tables import locations, skus


def test_an_error_is_raised_as_everywhere_and_the_connection_goes_on(engine):
    with pytest.raises(sa.exc.DBAPIError) as failed, writing(engine) as connection:
        driver.fetched(connection, "SELECT a secret FROM nowhere")
    assert not failed.value.connection_invalidated

    with writing(engine) as connection:
        assert list(driver.fetched(connection, "SELECT 1")) == [(1,)]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_after_a_lost_connection_every_one_is_made_anew(engine):
    ours, cut = "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%s)"
    with engine.connect() as one, engine.connect() as other:
        lost = [driver.fetched(each, ours)[0] for each in (one, other)]
    with writing(engine) as connection:
        others = [pid for pid in lost if pid != driver.fetched(connection, ours)[0]]
        for pid in others:
            driver.fetched(connection, cut, pid)
        driver.fetched(connection, ours)
        with engine.connect() as cut_off:
            with pytest.raises(sa.exc.OperationalError) as failed:
                driver.fetched(cut_off, ours)
            assert failed.value.connection_invalidated

    with writing(engine) as connection:
        assert driver.fetched(connection, ours)[0] not in lost


@pytest.fixture
def said(monkeypatch):
    """Every statement that the driver is told."""
    statements, told = [], driver.told

    def hear(connection, statement, *args, **kwargs):
        statements.append(statement)
        return told(connection, statement, *args, **kwargs)

    monkeypatch.setattr(driver, "told", hear)
    return statements


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_what_nobody_waits_for_is_written_by_one_statement(engine, said):
    with writing(engine) as connection:
        bulk.insert(connection, skus, ("sku",), [("A",), ("B",)])
        bulk.insert(connection, locations, ("code", "name"), [("attic", "Attic")])
        assert said == ["BEGIN"]
        assert names(connection) == ["A", "B"]
        [written] = said[1:]
        assert written.count("INSERT") == 2

        bulk.insert(connection, skus, ("sku",), [("C",)])
        bulk.insert(connection, skus, ("sku",), [("D",)])
    assert len(said) == 4
    with engine.connect() as connection:
        assert names(connection) == ["A", "B", "C", "D"]


def write_and_fail(engine):
    with writing(engine) as connection:
        bulk.insert(connection, skus, ("sku",), [("A",)])
        raise ZeroDivisionError


def test_what_is_rolled_back_is_not_written_by_the_next(engine):
    with pytest.raises(ZeroDivisionError):
        write_and_fail(engine)
    with writing(engine) as connection:
        bulk.insert(connection, skus, ("sku",), [("B",)])
    with engine.connect() as connection:
        assert names(connection) == ["B"]


def test_a_savepoint_answers_for_what_was_written_in_it(engine):
    with writing(engine) as connection:
        bulk.insert(connection, skus, ("sku",), [("A",)])
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            bulk.insert(connection, skus, ("sku",), [("A",)])
        bulk.insert(connection, skus, ("sku",), [("B",)])
    with engine.connect() as connection:
        assert names(connection) == ["A", "B"]


def names(connection):
    return list(
        connection.execute(sa.select(skus.c.sku).order_by(skus.c.sku)).scalars()
    )

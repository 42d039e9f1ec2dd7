"""The timekeeper: the database's time, whatever our own clock says."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from app.domain import instants
from app.domain.instants import HOUR, MINUTE, SECOND
from app.store import driver, timekeeper
from app.store.engine import open_engine, reading

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
postgres = pytest.mark.parametrize("backend", ["postgres"], indirect=True)


def told(engine):
    """What the database itself says."""
    with reading(engine) as connection:
        query = f"SELECT {timekeeper.clock(connection)}"
        return driver.fetched(connection, query)[0][0]


@pytest.fixture
def asked(monkeypatch):
    """Notes how often the database is asked for the time."""
    times, ask = [], timekeeper._asked

    def noted(bound):
        times.append(bound)
        return ask(bound)

    monkeypatch.setattr(timekeeper, "_asked", noted)
    return times


def test_it_is_the_time_of_the_database(engine):
    with engine.connect() as connection:
        for bound in (connection, engine, engine):
            before = told(engine)
            found = timekeeper.now(bound)
            assert before - SECOND // 5 < found < told(engine) + SECOND // 5


@postgres
@pytest.mark.parametrize("minutes", [-7, 7])
def test_our_own_clock_does_not_matter(engine, minutes):
    with time_machine.travel(timedelta(minutes=minutes)):
        own = instants.now()
        assert abs(timekeeper.now(engine) - told(engine)) < SECOND
        assert abs(own + HOUR - timekeeper.theirs(engine, own + HOUR)) > 6 * MINUTE
    assert abs(timekeeper.now(engine) - told(engine)) < SECOND


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_file_goes_by_the_clock_of_its_machine(engine, asked):
    with time_machine.travel(timedelta(minutes=7), tick=False):
        assert timekeeper.now(engine) == instants.now()
        assert timekeeper.theirs(engine, 5) == 5
    assert asked == []


@postgres
def test_it_is_asked_for_now_and_then(engine, asked):
    for _ in range(3):
        timekeeper.now(engine)
    assert len(asked) == 1

    timekeeper._keepers[engine]._due = 0
    for _ in range(3):
        timekeeper.now(engine)
    assert len(asked) == 2


@postgres
def test_nobody_waits_for_another_who_asks(engine, monkeypatch):
    timekeeper.now(engine)
    ask, is_asking, goes_on = timekeeper._asked, threading.Event(), threading.Event()

    def slowly(bound):
        is_asking.set()
        assert goes_on.wait(10)
        return ask(bound)

    monkeypatch.setattr(timekeeper, "_asked", slowly)
    timekeeper._keepers[engine]._due = 0
    first = threading.Thread(target=timekeeper.now, args=(engine,))
    first.start()
    try:
        assert is_asking.wait(10)
        assert abs(timekeeper.now(engine) - told(engine)) < SECOND
        assert first.is_alive()
    finally:
        goes_on.set()
        first.join()


@postgres
def test_time_goes_on_while_the_database_is_away(engine, monkeypatch):
    gone = open_engine(NOWHERE)
    timekeeper.now(engine)
    monkeypatch.setattr(timekeeper, "reading", lambda _: reading(gone))
    timekeeper._keepers[engine]._due = 0

    with pytest.raises(sa.exc.OperationalError):
        timekeeper.now(engine)
    with time_machine.travel(timedelta(minutes=7)):
        assert abs(timekeeper.now(engine) - told(engine)) < SECOND


def test_a_database_that_has_never_told_the_time_is_asked_each_time():
    gone = open_engine(NOWHERE)

    for _ in range(2):
        with pytest.raises(sa.exc.OperationalError):
            timekeeper.now(gone)

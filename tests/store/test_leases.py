"""Leases: one holder at a time, whatever happens to it."""

import threading

import sqlalchemy as sa

from app.store import leases
from app.store.engine import writing

LANE = "outbound:web"


def take(engine, holder, seconds=30.0, name=LANE):
    with writing(engine) as connection:
        return leases.acquire(connection, name, holder, seconds)


def test_a_lane_has_one_holder_who_may_renew(engine):
    assert take(engine, "first")
    assert not take(engine, "second")
    assert take(engine, "first")
    assert take(engine, "second", name="outbound:till")


def test_a_lane_given_back_is_free(engine):
    take(engine, "first")
    with writing(engine) as connection:
        leases.release(connection, LANE, "first")
    assert take(engine, "second")


def test_nobody_gives_back_another_s_lane(engine):
    take(engine, "first")
    with writing(engine) as connection:
        leases.release(connection, LANE, "second")
    assert not take(engine, "second")


def test_a_dead_holder_s_lane_is_free_after_its_time(engine, eventually):
    take(engine, "dead", seconds=0.3)
    assert not take(engine, "second")
    assert eventually(lambda: take(engine, "second"))
    assert not take(engine, "dead")


def test_a_lane_is_free_in_time_although_the_clock_was_set_back(engine, eventually):
    take(engine, "dead", seconds=3600)
    assert not take(engine, "second", seconds=0.3)
    assert eventually(lambda: take(engine, "second", seconds=0.3))


def test_the_time_is_the_database_s(engine):
    take(engine, "first", seconds=30)
    with engine.connect() as connection:
        until = connection.execute(sa.text("SELECT until FROM leases")).scalar_one()
        clock = (
            "(julianday('now') - 2440587.5) * 86400000000"
            if connection.dialect.name == "sqlite"
            else "extract(epoch FROM clock_timestamp()) * 1000000"
        )
        now = float(connection.execute(sa.text(f"SELECT {clock}")).scalar_one())
    assert 20_000_000 < until - now <= 30_000_000


def test_of_many_who_ask_at_once_one_gets_it(engine):
    together, got = threading.Barrier(6, timeout=20), []

    def ask(holder: str) -> None:
        together.wait()
        if take(engine, holder):
            got.append(holder)

    threads = [threading.Thread(target=ask, args=(f"{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1

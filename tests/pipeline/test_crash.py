"""A worker that dies between any two statements leaves work that is done once."""

import multiprocessing
import os
import signal
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.domain.instants import SECOND, now
from app.pipeline.acts import holding
from app.pipeline.inbound import Inbound
from app.pipeline.proving.audit import differences
from app.pipeline.publish import Publisher
from app.store import driver
from app.store.engine import open_engine, writing
from app.store.tables import publications, push_attempts
from tests.builders import JACKET, Shop, cancellation, order, returned, sale, shipment
from tests.listening import listening

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.builders"])


class Killed(BaseException):
    """The process is gone: no handler of ours runs."""


@contextmanager
def dying(engine, at, error=Killed):
    """Die before the n-th statement, or just before the commit that ends it."""
    seen = {"statements": 0}

    def count(*_):
        seen["statements"] += 1
        if seen["statements"] == at:
            raise error

    def last(_):
        count()

    sa.event.listen(engine, "before_cursor_execute", count)
    sa.event.listen(engine, "commit", last)
    try:
        with pytest.MonkeyPatch.context() as patched:
            hear_driver(patched, count)
            yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
        sa.event.remove(engine, "commit", last)


def hear_driver(patched, count):
    """Count the statements that the driver is told directly, too."""
    told = driver.told

    def counted(*args, **kwargs):
        count()
        return told(*args, **kwargs)

    patched.setattr(driver, "told", counted)


def story(run):
    """One trading day, told anew for each run."""
    at = now() - 600 * SECOND
    number = f"{run}"
    return [
        order(number, JACKET, 3, at=at),
        shipment(number, JACKET, 2, at=at + SECOND),
        cancellation(number, JACKET, 1, at=at + 2 * SECOND),
        returned(number, JACKET, 1, at=at + 3 * SECOND, location="downtown"),
        sale(f"T-{number}", JACKET, 1, at=at + 4 * SECOND, location="downtown"),
    ]


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == []


def count(shop, table):
    with shop.engine.connect() as connection:
        return connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()


def available(shop):
    return shop.level(JACKET).get("available", 0)


def applied_once(shop, run):
    """What one run of the story adds to the tables when nothing goes wrong."""
    before = available(shop), count(shop, "ledger"), count(shop, "stock_events")
    shop.tell("web", *story(run))
    after = available(shop), count(shop, "ledger"), count(shop, "stock_events")
    return tuple(b - a for a, b in zip(before, after, strict=True))


def test_messages_are_applied_once_wherever_the_applier_dies(shop):
    shop.count(JACKET, "downtown", 1000, at=now() - 3600 * SECOND)
    effect = applied_once(shop, "whole")
    assert effect[0] == -2

    died, at = True, 0
    while died:
        at += 1
        for body in story(at):
            shop.receive("web", body)
        before = available(shop), count(shop, "ledger"), count(shop, "stock_events")
        worker = Inbound(shop.engine, shop.vault)
        try:
            with dying(shop.engine, at):
                worker.run(now())
            died = False
        except Killed:
            assert is_right(shop), f"half written before statement {at}"
        shop.inbound = Inbound(shop.engine, shop.vault)
        shop.apply()

        after = available(shop), count(shop, "ledger"), count(shop, "stock_events")
        change = tuple(b - a for a, b in zip(before, after, strict=True))
        assert change == effect, f"died before statement {at}"
        assert is_right(shop)
    assert at > 10
    assert {state for state, _ in shop.messages()} == {"applied"}


def test_a_database_that_goes_away_buries_nothing(shop):
    away = sa.exc.OperationalError("", {}, Exception("server closed the connection"))
    for at in (3, 6, 9):
        shop.receive("web", order(f"{at}", JACKET, 1, at=now()))
        with dying(shop.engine, at, away), pytest.raises(sa.exc.OperationalError):
            Inbound(shop.engine, shop.vault).run(now())
        assert shop.messages()[-1][0] == "waiting"

    shop.apply()
    assert shop.level(JACKET) == {"available": 7, "committed": 3}
    assert is_right(shop)


def test_a_hold_is_whole_or_not_there_wherever_its_request_dies(shop):
    at, died = 0, True
    while died:
        at += 1
        before = shop.level(JACKET)
        holds = count(shop, "holds")
        lines = [{"sku": JACKET, "quantity": 1}]
        try:
            with dying(shop.engine, at):
                held = holding.hold(shop.engine, lines, 60, actor="test", now=now())
            died = False
        except Killed:
            assert shop.level(JACKET) == before
            assert count(shop, "holds") == holds
    assert shop.level(JACKET) == {"available": 9, "reserved": 1}
    assert held["state"] == "active"
    assert is_right(shop)


def test_numbers_arrive_wherever_the_publisher_dies(empty_shop, settings):
    shop = empty_shop
    with listening() as channel:
        shop.locations("downtown")
        shop.channel("web", publish={}, settings={"push_url": channel.url})
        shop.channel("till")
        shop.sku(JACKET)
        shop.listing("web", JACKET, "jacket-1")
        shop.count(JACKET, "downtown", 500)
        quick = replace(settings, retry_base_seconds=0.01, retry_cap_seconds=0.01)
        left, at, died = 500, 0, True
        while died:
            at += 1
            left -= 1
            shop.tell("till", sale(f"T-{at}", JACKET, 1, at=now()))
            try:
                with dying(shop.engine, at):
                    Publisher(shop.engine, shop.vault, quick).push_due("web")
                died = False
            except Killed:
                pass
            _wait_out_the_lease(shop)
            healthy = Publisher(shop.engine, shop.vault, quick)
            while healthy.push_due("web"):
                pass
            healthy.release("web")

            row = _publication(shop)
            assert channel.shows() == {"jacket-1": left}, f"died at statement {at}"
            assert row["accepted"] == left
            assert row["accepted_version"] == row["wanted_version"]
            assert not row["unsure"]
        assert at > 6


def _wait_out_the_lease(shop):
    with writing(shop.engine) as connection:
        connection.execute(sa.text("UPDATE leases SET until = 0"))


def _publication(shop):
    with shop.engine.connect() as connection:
        return connection.execute(sa.select(publications)).mappings().one()


def test_an_attempt_is_written_down_before_the_call(empty_shop, settings):
    shop = empty_shop
    with listening() as channel:
        shop.locations("downtown")
        shop.channel("web", publish={}, settings={"push_url": channel.url})
        shop.sku(JACKET)
        shop.listing("web", JACKET, "jacket-1")
        publisher = Publisher(shop.engine, shop.vault, settings)
        seen = []

        def look(*_):
            with shop.engine.connect() as connection:
                seen.append(connection.execute(sa.select(push_attempts.c.result)).all())
                seen.append(_publication(shop)["unsure"])
            raise Killed

        adapter_of = publisher.adapter

        def spying(connection, row):
            adapter = adapter_of(connection, row)
            adapter.send = look
            return adapter

        publisher.adapter = spying
        with pytest.raises(Killed):
            publisher.push_due("web")

        assert [row.result for row in seen[0]] == ["sending"]
        assert seen[1]


def _apply_and_die(url, at):
    """In a process of its own: die for real before a statement or a commit."""
    engine = open_engine(url)
    inbound = Inbound(engine, Shop(engine).vault)
    seen = []

    def count(*_):
        seen.append(1)
        if len(seen) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(engine, "before_cursor_execute", count)
    sa.event.listen(engine, "commit", lambda _: count())
    hear_driver(pytest.MonkeyPatch(), count)
    while inbound.run(now()):
        pass


def dies(url, at):
    """Whether a process of its own is killed there, or ends before it gets so far."""
    worker = processes.Process(target=_apply_and_die, args=(url, at))
    worker.start()
    worker.join(60)
    assert worker.exitcode in (0, -signal.SIGKILL)
    return worker.exitcode != 0


def test_what_a_killed_process_leaves_is_applied_once_wherever_it_was_killed(
    shop, database_url
):
    shop.count(JACKET, "downtown", 1000, at=now() - 3600 * SECOND)
    effect = applied_once(shop, "whole")
    done, at, died = 0, 0, True
    while died:
        at += 1
        for body in story(at):
            shop.receive("web", body)
        before = available(shop), count(shop, "ledger"), count(shop, "stock_events")

        died = dies(database_url, at)

        there = available(shop), count(shop, "ledger"), count(shop, "stock_events")
        assert is_right(shop), f"half written when killed before {at}"
        whole = tuple(b - a for a, b in zip(before, there, strict=True))
        assert whole in ((0, 0, 0), effect), f"half applied when killed before {at}"
        done += whole == effect
        shop.apply()
        after = available(shop), count(shop, "ledger"), count(shop, "stock_events")
        change = tuple(b - a for a, b in zip(before, after, strict=True))
        assert change == effect, f"killed before {at}"
        assert is_right(shop)
    # It looks once more when it has applied everything.
    assert at > 15
    assert done < 5
    assert {state for state, _ in shop.messages()} == {"applied"}

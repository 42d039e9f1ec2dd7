"""Bulk runs: accepted at once, told portion by portion, cancelled without a trace."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.domain.budget import BULK, Budget
from app.domain.errors import GiveUp
from app.domain.instants import MINUTE, now
from app.pipeline.publish import Publisher
from app.pipeline.publishing.marking import mark_all
from app.pipeline.repairing import planning, running
from app.store.engine import writing
from app.store.publishing import deliveries, publications as store, runs
from app.store.publishing.deliveries import Filter
from app.store.publishing.due import due
from app.store.publishing.publications import BULK_LANE
from app.store.tables import audit_log, bulk_rows, channels, publications
from tests.builders import sale

SKUS = [f"SKU-{number}" for number in range(5)]


@pytest.fixture
def dead(web, monkeypatch):
    """Five dead letters, of which two are let go at a time."""
    monkeypatch.setattr(running, "IN_THE_AIR", 2)
    web.sku(*SKUS)
    for sku in SKUS:
        web.listing("web", sku, sku.lower())
        web.count(sku, "downtown", 7)
    mark_all(web.engine, now())
    with web.engine.connect() as connection:
        ids = list(connection.execute(sa.select(publications.c.id)).scalars())
    with writing(web.engine) as connection:
        store.settle(connection, ids[0], now(), 5)
        for one in ids[1:]:
            store.fail(connection, one, GiveUp("no such item"), now())
    return web


def rows(shop) -> list[sa.RowMapping]:
    with shop.engine.connect() as connection:
        query = sa.select(publications).where(publications.c.id > 1)
        return list(connection.execute(query.order_by("id")).mappings())


def begin(shop, action=runs.RETRY) -> running.Begun:
    chosen = deliveries.matching(Filter(deliveries.FAILED), now())
    return running.begin(shop.engine, action, "anna", {}, chosen, now())


def result(shop, run_id: int) -> dict[str, int]:
    with shop.engine.connect() as connection:
        row = runs.run(connection, run_id)
        assert row is not None
        if row["finished_at"] is None:
            return runs.by_state(runs.counts(connection, run_id))
        assert not connection.execute(sa.select(bulk_rows)).all(), "forgotten"
        return json.loads(row["result"])


def test_dead_letters_stay_what_they_are_until_their_turn(dead):
    begun = begin(dead)
    assert begun.matched == 5
    assert all(row["failed_at"] for row in rows(dead))

    assert running.advance(dead.engine, now()) == {"outbound:web"}
    assert running.advance(dead.engine, now()) == set(), "two are still in the air"

    assert [bool(row["failed_at"]) for row in rows(dead)].count(True) == 3
    with dead.engine.connect() as connection:
        assert len(due(connection, 1, BULK, 10, now())) == 2
    assert result(dead, begun.id) == {"sent": 2, "waits": 3}


def test_a_run_ends_with_every_number_told_and_is_in_the_audit_log(
    dead, settings, channel
):
    begun = begin(dead)
    publisher = Publisher(dead.engine, dead.vault, replace(settings, retry_limit=1))

    for _ in range(5):
        running.advance(dead.engine, now())
        while publisher.push_due("web"):
            pass

    assert result(dead, begun.id) == {"done": 5}
    assert {row["available"] for row in channel.rows} == {7}
    with dead.engine.connect() as connection:
        told = connection.execute(sa.select(audit_log).order_by("id")).mappings().all()
    assert [(row["actor"], row["action"]) for row in told] == [
        ("anna", "retry"),
        ("anna", "retry finished"),
    ]
    assert json.loads(told[1]["details"]) == {"done": 5}


def test_a_cancelled_run_leaves_what_nobody_sent_as_it_was(dead):
    begun = begin(dead)
    running.advance(dead.engine, now())

    assert running.cancel(dead.engine, begun.id, "otto", now())
    running.advance(dead.engine, now())

    assert result(dead, begun.id) == {"cancelled": 5}
    assert all(row["failed_at"] and row["last_error"] for row in rows(dead))
    assert not running.cancel(dead.engine, begun.id, "otto", now()), "it is over"


def test_what_a_sale_made_due_meanwhile_keeps_its_better_place(dead):
    with writing(dead.engine) as connection:
        connection.execute(publications.update().values(error_class="RetryLater"))
    begin(dead)
    dead.tell("till", sale("T-1", SKUS[0], 1, at=now()))
    mark_all(dead.engine, now())

    running.advance(dead.engine, now())

    lanes = [row["next_attempt_at"] for row in rows(dead) if not row["failed_at"]]
    assert sorted(lanes)[:1] == [0]
    assert BULK_LANE in lanes


def test_what_was_delivered_meanwhile_is_not_sent_again(dead):
    begin(dead)
    with writing(dead.engine) as connection:
        connection.execute(
            publications.update()
            .where(publications.c.id > 1)
            .values(
                failed_at=None,
                accepted_version=publications.c.wanted_version,
                accepted_at=now(),
            )
        )

    running.advance(dead.engine, now())

    assert all(row["wanted_version"] == row["accepted_version"] for row in rows(dead))


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_run_waits_for_nothing_that_is_published_no_more(dead, is_cancelled):
    begun = begin(dead)
    running.advance(dead.engine, now())
    with writing(dead.engine) as connection:
        connection.execute(publications.delete().where(publications.c.id > 1))
    if is_cancelled:
        running.cancel(dead.engine, begun.id, "anna", now())

    assert running.advance(dead.engine, now()) == set()

    wanted = {"cancelled": 3, "skipped": 2} if is_cancelled else {"skipped": 5}
    assert result(dead, begun.id) == wanted
    with dead.engine.connect() as connection:
        assert runs.unfinished(connection) == []


def test_many_can_be_discarded_as_well(dead):
    begun = begin(dead, runs.DISCARD)
    for _ in range(4):
        running.advance(dead.engine, now())

    assert result(dead, begun.id) == {"done": 5}
    assert all(row["discarded_at"] for row in rows(dead))


def test_a_plan_says_what_a_run_would_take(dead):
    budget = Budget(left=40, size=40, read_at=now(), rate=0.01, cost=10)
    with writing(dead.engine) as connection:
        connection.execute(channels.update().values(budget=budget.written()))
        right = {"observed": 7, "observed_at": now(), "believed": 7, "unsure": False}
        connection.execute(
            publications.update().where(publications.c.id == 2).values(**right)
        )
    chosen = deliveries.matching(Filter(deliveries.FAILED), now())
    with dead.engine.connect() as connection:
        plan = planning.plan(connection, chosen, now())

    assert (plan.rows, plan.sends, plan.correct, plan.is_weighed) == (5, 1, 1, True)
    assert 0 < plan.seconds < 1, "half of the budget is left for bulk work"


def test_how_long_a_budget_lasts_for_so_many_calls():
    at = now()
    bucket = Budget(left=100, size=100, read_at=at, rate=5, cost=10)
    window = Budget(left=40, size=40, read_at=at, resets_at=at + MINUTE)

    assert bucket.span(5, BULK, at) == 0
    assert bucket.span(55, BULK, at) == 100
    assert window.span(20, BULK, at) == 0
    assert window.span(60, BULK, at) == 120

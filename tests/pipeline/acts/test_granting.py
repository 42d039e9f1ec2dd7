"""Those who ask at the same time: served together, each as if they were alone."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest

from app.domain.errors import HubError, ShortOfUnits, UnknownName
from app.domain.instants import DAY, now
from app.pipeline.acts import granting
from app.pipeline.acts.granting import Ask, ask, grant
from app.pipeline.proving.audit import differences
from app.store import driver
from app.store.engine import applying
from app.store.together import Together
from tests.builders import JACKET

TOO_LONG = 2**63
"""Seconds beyond every calendar."""


def of(*quantities: int, sku: str = JACKET, hold_id: str | None = None) -> Ask:
    lines = [{"sku": sku, "quantity": quantity} for quantity in quantities]
    return Ask(lines, 900, None, "test", now(), hold_id)


def grant_all(shop, *asks: Ask):
    with applying(shop.engine) as connection:
        return grant(connection, asks)[0]


def test_a_refusal_takes_nothing_from_those_who_come_after(shop):
    made = grant_all(shop, of(4), of(3, 4), of(5), of(1), of(1, sku="NOPE"), of(1))

    assert [type(one) for one in made] == [
        *(dict, ShortOfUnits, dict, dict, UnknownName, ShortOfUnits)
    ]
    assert made[1].short == [{"sku": JACKET, "requested": 7, "available": 6}]
    assert made[5].short == [{"sku": JACKET, "requested": 1, "available": 0}]
    assert shop.level(JACKET) == {"reserved": 10}
    with shop.engine.connect() as connection:
        assert differences(connection) == []


def test_the_same_hold_asked_for_twice_is_one(shop):
    first, second = grant_all(shop, of(4, hold_id="mine"), of(4, hold_id="mine"))
    (again,) = grant_all(shop, of(4, hold_id="mine"))

    assert first == second == again
    assert shop.level(JACKET) == {"available": 6, "reserved": 4}


def test_a_claim_may_come_from_more_places_than_it_has_lines(shop):
    shop.locations("uptown")
    shop.count(JACKET, "uptown", 4)
    grant_all(shop, of(12), of(1))

    assert shop.level(JACKET, "downtown")["reserved"] == 10
    assert shop.level(JACKET, "uptown") == {"available": 1, "reserved": 3}
    with shop.engine.connect() as connection:
        assert differences(connection) == []


def test_what_a_claim_found_overdue_ends_before_it_is_written(shop):
    long_ago = now() - DAY
    with applying(shop.engine) as connection:
        grant(connection, [replace(of(10), now=long_ago)])
    grant_all(shop, of(6), of(4))

    assert shop.level(JACKET) == {"reserved": 10}
    with shop.engine.connect() as connection:
        assert differences(connection) == []


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_claim_waits_for_postgresql_no_oftener_than_it_must(shop, monkeypatch):
    grant_all(shop, of(1))
    said, tell = [], driver.told

    def told(connection, statement, *values, **named):
        said.append(statement.partition(" ")[0])
        return tell(connection, statement, *values, **named)

    monkeypatch.setattr(driver, "told", told)
    grant_all(shop, of(1))

    assert said == ["BEGIN;", "SELECT", "WITH"]


@pytest.fixture
def crowded(shop, monkeypatch):
    """Ask while somebody waits for their turn to write, so that all are served at once."""
    begun, goes_on = Event(), Event()
    groups: list[int] = []

    @contextmanager
    def slowly(engine):
        with applying(engine) as connection:
            begun.set()
            assert goes_on.wait(10)
            yield connection

    def counted(connection, asks):
        groups.append(len(asks))
        return grant(connection, asks)

    monkeypatch.setattr(granting, "applying", slowly)
    monkeypatch.setattr(granting, "grant", counted)

    def outcome(asked: Ask):
        try:
            return ask(shop.engine, asked)[0]["state"]
        except HubError as refusal:
            return type(refusal).__name__
        except Exception:  # noqa: BLE001 - the point: an error of any other kind
            return "failed"

    def all_at_once(asks):
        queue = granting._queues.setdefault(shop.engine, Together())
        with ThreadPoolExecutor(len(asks)) as pool:
            first = pool.submit(outcome, asks[0])
            assert begun.wait(10)
            rest = [pool.submit(outcome, one) for one in asks[1:]]
            while len(queue._waiting) < len(asks):
                assert not any(one.done() for one in rest)
            goes_on.set()
            return [one.result() for one in (first, *rest)], groups

    return all_at_once


def test_those_who_wait_are_served_in_one_transaction(shop, crowded):
    outcomes, groups = crowded([of(1) for _ in range(12)])

    assert sorted(outcomes) == ["ShortOfUnits"] * 2 + ["active"] * 10
    assert groups == [12]
    assert shop.level(JACKET) == {"reserved": 10}


def test_who_breaks_it_breaks_it_alone(shop, crowded):
    asks = [of(1), of(1), Ask(of(1).lines, TOO_LONG, None, "test", now()), of(1)]

    outcomes, groups = crowded(asks)

    assert outcomes == ["active", "active", "failed", "active"]
    assert groups == [4, 1, 1, 1, 1]
    assert shop.level(JACKET)["reserved"] == 3

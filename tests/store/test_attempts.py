"""Idempotency keys: kept before the call, bound to the very numbers, renewed when spent."""

import pytest

from app.domain.channels import Wish
from app.store import driver
from app.store.engine import is_sqlite, writing
from app.store.publishing import attempts


def begin(engine, listed: int, numbers: str, at: int) -> tuple[int, str]:
    with writing(engine) as connection:
        wish = Wish(listed, "A", "ext-A", None, None, 4, 1)
        return attempts.begin(connection, 1, numbers, [wish], at)


def finish(engine, attempt: int, result: str) -> None:
    with writing(engine) as connection:
        attempts.finish(connection, attempt, result, 20)


@pytest.mark.parametrize("result", [attempts.RETRY, attempts.UNKNOWN, None])
def test_the_same_numbers_go_out_under_the_same_key(engine, listed, result):
    attempt, key = begin(engine, listed, "4 for A", 10)
    if result is not None:  # else its worker died
        finish(engine, attempt, result)

    assert begin(engine, listed, "4 for A", 30)[1] == key
    assert begin(engine, listed, "3 for A", 40)[1] != key


@pytest.mark.parametrize("result", [attempts.REFUSED, attempts.ACCEPTED])
def test_a_spent_key_is_not_used_again(engine, listed, result):
    attempt, key = begin(engine, listed, "4 for A", 10)
    finish(engine, attempt, result)

    assert begin(engine, listed, "4 for A", 30)[1] != key


def test_a_key_is_found_however_many_attempts_there_were(engine, listed, monkeypatch):
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO push_attempts "
            "(channel_id, key, variables_hash, started_at, result) "
            "WITH RECURSIVE numbers(n) AS "
            "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) "
            "SELECT 1, 'key-' || n, 'numbers-' || n, n, 'accepted' FROM numbers"
        )
        connection.exec_driver_sql("ANALYZE")
    asked = []
    fetched = driver.fetched

    def hear(*given):
        asked.append(given[1:])
        return fetched(*given)

    monkeypatch.setattr(driver, "fetched", hear)
    begin(engine, listed, "4 for A", 10)

    (statement, values), *_ = asked
    word = "EXPLAIN QUERY PLAN" if is_sqlite(engine) else "EXPLAIN"
    with engine.connect() as connection:
        plan = fetched(connection, f"{word} {statement}", values)
    assert "ix_push_attempts_keys" in str(plan)

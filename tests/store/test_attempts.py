"""Idempotency keys: kept before the call, bound to the very numbers, renewed when spent."""

import pytest

from app.domain.channels import Wish
from app.store.engine import writing
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

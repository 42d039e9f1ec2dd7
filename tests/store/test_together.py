"""Threads that want to write at the same time share one write."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.store.together import Come, Together

PATIENCE = 10.0


class Desk:
    """Doubles numbers; the first one that it serves is kept until the others wait."""

    def __init__(self) -> None:
        self.queue = Together[int, int]()
        self.is_open = threading.Event()
        self.shares: list[int] = []
        self.poison: int | None = None
        """Whoever asks for it, serving fails with what it `raises`."""
        self.raises: Exception = ZeroDivisionError("poison")

    def ask(self, number: int) -> int:
        return self.queue.served(number, self.serve)

    def serve(self, come: Come[int]) -> list[int | Exception]:
        assert self.is_open.wait(PATIENCE)
        numbers = come()
        self.shares.append(len(numbers))
        if self.poison in numbers:
            raise self.raises
        return [ValueError(str(n)) if n < 0 else 2 * n for n in numbers]

    def has(self, many: int) -> bool:
        """Whether so many wait."""
        return len(self.queue._waiting) == many


class Died(BaseException):
    """A thread that is gone from one moment to the next."""


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_everybody_gets_their_own_answer_from_one_write(desk: Desk, eventually) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(desk.ask, number) for number in range(8)]
        eventually(lambda: desk.has(8))
        desk.is_open.set()
        answers = [one.result(PATIENCE) for one in asked]
    assert answers == [2 * number for number in range(8)]
    assert desk.shares == [8]


def test_who_comes_while_others_are_served_is_served_next(desk: Desk) -> None:
    desk.is_open.set()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(desk.ask, range(400), timeout=PATIENCE))
    assert answers == [2 * number for number in range(400)]
    assert sum(desk.shares) == 400


def test_what_is_wrong_with_one_is_raised_to_that_one(desk: Desk, eventually) -> None:
    with ThreadPoolExecutor(2) as pool:
        bad, good = pool.submit(desk.ask, -1), pool.submit(desk.ask, 3)
        eventually(lambda: desk.has(2))
        desk.is_open.set()
        assert good.result(PATIENCE) == 6
        with pytest.raises(ValueError, match="-1"):
            bad.result(PATIENCE)


def test_what_nobody_expected_is_raised_to_who_asked_for_it_alone(
    desk: Desk, eventually
) -> None:
    desk.poison = 2
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(desk.ask, number) for number in (1, 2, 3)]
        eventually(lambda: desk.has(3))
        desk.is_open.set()
        assert [asked[n].result(PATIENCE) for n in (0, 2)] == [2, 6]
        with pytest.raises(ZeroDivisionError):
            asked[1].result(PATIENCE)
    assert desk.shares == [3, 1, 1, 1]


def test_trouble_of_the_database_is_not_tried_again_for_each(
    desk: Desk, eventually
) -> None:
    desk.poison, desk.raises = 2, sqlite3.OperationalError("database is locked")
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(desk.ask, number) for number in (1, 2, 3)]
        eventually(lambda: desk.has(3))
        desk.is_open.set()
        for one in asked:
            with pytest.raises(sqlite3.OperationalError):
                one.result(PATIENCE)
    assert desk.shares == [3]


def test_who_dies_before_serving_leaves_the_others_to_the_next(
    desk: Desk, eventually
) -> None:
    is_serving = threading.Event()

    def die(_: Come[int]) -> list[int]:
        is_serving.set()
        assert desk.is_open.wait(PATIENCE)
        raise Died

    with ThreadPoolExecutor(3) as pool:
        dying = pool.submit(desk.queue.served, 1, die)
        assert is_serving.wait(PATIENCE)
        others = [pool.submit(desk.ask, number) for number in (2, 3)]
        eventually(lambda: desk.has(3))
        desk.is_open.set()
        with pytest.raises(Died):
            dying.result(PATIENCE)
        assert [one.result(PATIENCE) for one in others] == [4, 6]
    assert desk.ask(4) == 8

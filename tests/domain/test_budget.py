"""How many calls a channel has left, and how long each lane waits for one."""

import pytest

from app.domain.budget import BULK, FIRST, RETRY, Budget, newest
from app.domain.instants import SECOND

NOW = 1_790_000_000 * SECOND
BUCKET = Budget(left=30, size=100, read_at=NOW, rate=2, cost=10)
"""Points that come back all the time, as Shopify's."""
WINDOW = Budget(left=3, size=40, read_at=NOW, resets_at=NOW + 17 * SECOND)
"""So many calls, then none until it is whole again."""


def later(seconds):
    return NOW + seconds * SECOND


@pytest.mark.parametrize(
    ("budget", "seconds", "left"),
    [
        (BUCKET, -5, 30),
        (BUCKET, -3600, 100),
        (WINDOW, -3600, 40),
        (BUCKET, 0, 30),
        (BUCKET, 5, 40),
        (BUCKET, 3600, 100),
        (WINDOW, 16, 3),
        (WINDOW, 17, 40),
        (WINDOW, 60, 40),
        (Budget(7, 10, NOW), 3600, 7),
    ],
    ids=[
        "a clock that went back",
        "a clock that was set back",
        "a clock that was set back within a window",
        "as told",
        "filling",
        "full",
        "before the window's end",
        "at its end",
        "after it",
        "nothing is known of more",
    ],
)
def test_what_is_left(budget, seconds, left):
    assert budget.at(later(seconds)) == left


@pytest.mark.parametrize(
    ("budget", "lane", "seconds"),
    [
        (BUCKET, FIRST, 0),
        (BUCKET, RETRY, 2.5),
        (BUCKET, BULK, 15),
        (Budget(15, 100, NOW, rate=2, cost=10), FIRST, 0),
        (Budget(14, 100, NOW, rate=2, cost=10), FIRST, 0.5),
        (Budget(0, 100, NOW, rate=0.1, cost=10), BULK, 120),
        (Budget(40, 50, NOW, rate=1, cost=60), FIRST, 10),
        (WINDOW, FIRST, 0),
        (WINDOW, RETRY, 17),
        (Budget(0, 40, NOW, resets_at=NOW + 3600 * SECOND), FIRST, 120),
        (Budget(0, 40, NOW), FIRST, 0),
    ],
    ids=[
        "enough for what is new",
        "a retry leaves a quarter alone",
        "bulk leaves half alone",
        "exactly enough",
        "not quite",
        "never longer than two minutes",
        "a call dearer than the bucket goes when it is full",
        "the window has calls left",
        "a retry waits for the next window",
        "a far window, two minutes at most",
        "nobody knows when there will be more",
    ],
)
def test_a_lane_waits_until_a_call_leaves_enough_for_the_more_urgent(
    budget, lane, seconds
):
    assert budget.wait(lane, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("budget", "calls", "lane", "seconds"),
    [
        (BUCKET, 2, FIRST, 0),
        (BUCKET, 3, FIRST, 5),
        (BUCKET, 4, FIRST, 10),
        (BUCKET, 2, BULK, 10),
        (Budget(0, 100, NOW, rate=0.5, cost=10), 1, FIRST, 20),
        (Budget(40, 40, NOW, resets_at=NOW), 20, BULK, 0),
        (Budget(40, 40, NOW, resets_at=NOW), 21, BULK, 60),
        (Budget(40, 40, NOW, resets_at=NOW), 40, BULK, 60),
        (Budget(40, 40, NOW, resets_at=NOW), 41, BULK, 120),
        (Budget(20, 20, NOW, cost=8), 5, FIRST, 120),
        (Budget(1, 1, NOW), 2, BULK, 120),
        (Budget(9, 9, NOW, rate=1, cost=0), 50, FIRST, 0),
    ],
    ids=[
        "what is left is enough",
        "one more is earned",
        "two more are earned",
        "none is left to bulk",
        "less than a point comes back each second",
        "all in this window",
        "one in the next",
        "the next one full",
        "a third",
        "calls are whole",
        "one a window at least",
        "calls that cost nothing",
    ],
)
def test_how_long_many_calls_take(budget, calls, lane, seconds):
    assert budget.span(calls, lane, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("budget", [BUCKET, WINDOW])
def test_it_is_stored_and_read_as_it_was(budget):
    assert Budget.of(budget.written()) == budget


@pytest.mark.parametrize("text", [None, ""])
def test_where_nothing_is_stored_nothing_is_known(text):
    assert Budget.of(text) is None


def test_the_newest_is_the_one_told_last():
    newer = Budget(1, 100, NOW + 1)
    assert newest(newer, None, BUCKET) == newest(BUCKET, newer) == newer
    assert newest(None) is newest() is None

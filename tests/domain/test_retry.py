"""When a delivery is tried again."""

import pytest
from hypothesis import given, strategies as st

from app.domain.errors import RetryLater
from app.domain.instants import SECOND
from app.domain.retry import Delay, Policy, delay

POLICY = Policy(base=2, cap=900, limit=12, floor_after_429=1)
DOWN = RetryLater("it is down", status=500)
chances = st.floats(0, 1)


def late():
    return 1.0


def soon():
    return 0.0


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (400, 900)]
)
def test_the_longest_wait_doubles_up_to_a_limit(attempts, seconds):
    assert delay(attempts, DOWN, POLICY, late).seconds == seconds


@given(st.integers(1, 100), chances)
def test_a_wait_is_anywhere_below_its_longest(attempts, chance):
    assert 0 <= delay(attempts, DOWN, POLICY, lambda: chance).seconds <= 900


@pytest.mark.parametrize(
    "error",
    [RetryLater("busy", status=429), RetryLater("silence", timed_out=True)],
    ids=["too many requests", "silence"],
)
def test_a_busy_or_silent_channel_is_not_asked_again_at_once(error):
    assert delay(1, error, POLICY, soon).seconds >= 1


@given(st.floats(0, 10_000), st.integers(1, 20), chances)
def test_never_before_the_time_the_channel_asked_for(after, attempts, chance):
    error = RetryLater("later", after=after, status=429)
    assert delay(attempts, error, POLICY, lambda: chance).seconds >= after


def test_a_busy_channel_is_left_alone_for_one_to_two_times_the_floor():
    busy = RetryLater("busy", status=429)
    assert delay(1, busy, POLICY, soon).seconds == 1.5
    assert delay(1, busy, POLICY, lambda: 0.5).seconds == 2.25
    assert delay(1, busy, POLICY, late).seconds == 3


def test_what_the_channel_asked_for_counts_even_when_it_is_just_our_own_wait():
    asked = delay(1, RetryLater("later", after=2, status=500), POLICY, late)
    assert asked == Delay(2.25, "the channel asked to wait")


def test_the_longest_wait_stops_doubling():
    patient = Policy(base=1, cap=1e30)
    assert delay(400, DOWN, patient, late).seconds == 2**30


def test_who_chose_the_time_is_said():
    asked = delay(1, RetryLater("later", after=30, status=429), POLICY, soon)
    assert asked.reason == "the channel asked to wait"
    assert "attempt 3 failed" in delay(3, DOWN, POLICY, late).reason


def test_a_delay_becomes_a_time():
    assert Delay(1.5, "so").after(10 * SECOND) == 11_500_000

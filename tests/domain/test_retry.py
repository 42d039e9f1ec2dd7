"""When a delivery is tried again, and the reason that is given for it."""

import pytest
from hypothesis import given, strategies as st

from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import SECOND
from app.domain.retry import (
    CLASSES,
    CREDENTIALS,
    LATER,
    NEVER,
    RATE_LIMITED,
    REFUSED,
    TIMED_OUT,
    UNAVAILABLE,
    UNREACHABLE,
    Delay,
    Policy,
    class_of,
    delay,
    hold,
    is_maybe_done,
    rule,
)

POLICY = Policy(base=2, cap=900, limit=12, floor=5, trip=5, hold=30, hold_cap=300)
DOWN = RetryLater("it is down", status=500)
SILENT = RetryLater("silence", timed_out=True, unknown=True)
BUSY = RetryLater("busy", status=429)
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


AT_ONCE = RetryLater("busy, Retry-After: 0", status=429, after=0.0)


@pytest.mark.parametrize(
    "error", [BUSY, SILENT, AT_ONCE], ids=["429", "silence", "429 and at once"]
)
def test_a_busy_or_silent_channel_is_not_asked_again_at_once(error):
    assert delay(1, error, POLICY, soon).seconds >= 5
    assert delay(1, error, POLICY, late).seconds == 6, "nor by all of them at the floor"


def test_the_floor_is_never_above_the_cap():
    assert delay(1, BUSY, Policy(cap=0.1), late).seconds <= 0.2


@given(st.floats(0, 10_000), st.integers(1, 20), chances)
def test_never_before_the_time_the_provider_asked_for(after, attempts, chance):
    error = RetryLater("later", after=after, status=429)
    assert delay(attempts, error, POLICY, lambda: chance).seconds >= after


@pytest.mark.parametrize(
    ("attempts", "error", "random", "reason"),
    [
        (1, RetryLater("x", after=40, status=429), soon, "the provider asked for 40 s"),
        (
            1,
            RetryLater("x", after=0.25, status=200),
            soon,
            "the provider asked for 0.25 s",
        ),
        (3, DOWN, soon, "3rd failure, random up to 8 s"),
        (
            3,
            SILENT,
            soon,
            "3rd failure, random up to 8 s, at least 5 s after a timeout",
        ),
        (1, BUSY, soon, "1st failure, random up to 2 s, at least 5 s after a 429"),
        (
            4,
            RetryLater("x", after=1, status=503),
            late,
            "4th failure, random up to 16 s; the provider asked for 1 s",
        ),
        *(
            (number, DOWN, soon, f"{number}{ending} failure, random up to 900 s")
            for ending, numbers in {
                "st": (21, 101),
                "nd": (22,),
                "rd": (23,),
                "th": (11, 12, 13, 14, 20, 111, 112, 113),
            }.items()
            for number in numbers
        ),
    ],
)
def test_the_reason_is_a_sentence_a_person_understands(attempts, error, random, reason):
    assert delay(attempts, error, POLICY, random).reason == reason


def test_the_longest_wait_stops_doubling():
    patient = Policy(base=1, cap=1e30, hold=1, hold_cap=1e30)
    assert delay(400, DOWN, patient, late).seconds == 2**30
    assert hold(400, DOWN, patient, late).seconds == 2**30


@pytest.mark.parametrize("wait", [delay, hold])
def test_all_come_back_within_a_quarter_of_a_second_of_the_time_asked_for(wait):
    error = RetryLater("later", after=400, status=429)
    assert wait(1, error, POLICY, late).seconds == 400.25


def test_a_wait_that_is_longer_than_was_asked_for_stays():
    error = RetryLater("later", after=1, status=503)
    assert delay(4, error, POLICY, late).seconds == 16


def test_a_delay_becomes_a_time():
    assert Delay(1.5, "so").after(10 * SECOND) == 11_500_000


@pytest.mark.parametrize(
    ("probes", "seconds"), [(0, 30), (1, 60), (2, 120), (4, 300), (99, 300)]
)
def test_a_hold_doubles_with_each_probe_that_fails(probes, seconds):
    assert hold(probes, DOWN, POLICY, late).seconds == seconds
    assert hold(probes, DOWN, POLICY, soon).seconds == seconds * 0.9


def test_the_reason_of_a_hold_tells_how_long_it_is():
    asked = RetryLater("later", after=40, status=503)
    assert hold(0, asked, POLICY, late).reason == "it asked for 40 s"
    assert hold(1, asked, POLICY, late).reason == "tried again about every 60 s"


@given(st.floats(0, 10_000), st.integers(0, 20), chances)
def test_a_hold_never_ends_before_the_time_the_provider_asked_for(
    after, probes, chance
):
    error = RetryLater("later", after=after, status=503)
    assert hold(probes, error, POLICY, lambda: chance).seconds >= after


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status):
    assert rule(status) == LATER


@pytest.mark.parametrize("status", [301, 400, 404, 409, 410, 413, 422])
def test_what_will_not_change_is_not_asked_again(status):
    assert rule(status) == NEVER
    assert rule(status, retried=(status,)) == LATER, "unless its provider means later"


def test_refused_credentials_are_told_apart():
    assert rule(401) == rule(403) == CREDENTIALS


def test_only_some_refusals_may_have_had_their_effect():
    assert is_maybe_done(500)
    assert is_maybe_done(408)
    assert not is_maybe_done(429)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BUSY, RATE_LIMITED),
        (RetryLater("busy", status=430), RATE_LIMITED),
        (RetryLater("Throttled", status=200, after=0.5), RATE_LIMITED),
        (RetryLater("failed inside", status=200), UNAVAILABLE),
        (RetryLater("down", status=503, after=1), UNAVAILABLE),
        (SILENT, TIMED_OUT),
        (RetryLater("no such host"), UNREACHABLE),
        (DOWN, UNAVAILABLE),
        (GiveUp("no such item", status=404), REFUSED),
        (CredentialsRefused("no", status=401), CREDENTIALS),
    ],
)
def test_every_error_has_a_class(error, expected):
    assert class_of(error) == expected
    assert expected in CLASSES

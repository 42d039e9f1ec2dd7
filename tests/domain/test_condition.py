"""How a channel is, in one word, and why."""

import pytest

from app.domain import condition as how
from app.domain.condition import condition, reason

NOW = 100
HEALTHY = {
    "disconnected_at": None,
    "paused_at": None,
    "paused_reason": None,
    "poll_from": None,
    "tripped_at": None,
    "held_until": None,
    "failures": 0,
    "slow_until": None,
    "publish": "{}",
    "held_reason": "five calls failed",
    "last_error": "it answered 503",
}
WORSE = [
    ({"publish": None}, how.LISTENING),
    ({"slow_until": NOW + 1}, how.SLOW),
    ({"failures": 1}, how.FAILING),
    ({"held_until": NOW + 1}, how.ASKED),
    ({"tripped_at": 90}, how.HELD),
    ({"poll_from": 0}, how.RECOVERING),
    ({"paused_at": 90, "paused_reason": "for stocktaking"}, how.PAUSED),
    ({"paused_at": 90, "paused_reason": "Credentials refused"}, how.REFUSED),
    ({"disconnected_at": 95}, how.DISCONNECTED),
]
"""From the least to the most urgent: what a row tells, and the word for it."""


def test_a_channel_that_lacks_nothing_is_healthy():
    assert condition(HEALTHY, NOW) == how.HEALTHY


@pytest.mark.parametrize(("told", "word"), WORSE, ids=[word for _, word in WORSE])
def test_each_trouble_has_a_word(told, word):
    assert condition({**HEALTHY, **told}, NOW) == word


def test_of_several_troubles_the_most_urgent_is_told():
    row, words = dict(HEALTHY), []
    for told, _ in WORSE:
        row |= told
        words.append(condition(row, NOW))

    assert words == [word for _, word in WORSE]


@pytest.mark.parametrize("column", ["held_until", "slow_until"])
def test_a_wait_is_over_at_its_end(column):
    assert condition({**HEALTHY, column: NOW}, NOW) == how.HEALTHY


def test_a_pause_without_a_reason_is_a_pause():
    row = {**HEALTHY, "paused_at": 90}
    assert condition(row, NOW) == how.PAUSED
    assert reason(row, how.PAUSED) == ""


@pytest.mark.parametrize(
    ("word", "why"),
    [
        (how.PAUSED, "for stocktaking"),
        (how.HELD, "five calls failed"),
        (how.ASKED, "five calls failed"),
        (how.REFUSED, "it answered 503"),
        (how.DISCONNECTED, "it answered 503"),
        (how.FAILING, "it answered 503"),
        (how.SLOW, ""),
        (how.HEALTHY, ""),
    ],
)
def test_the_reason_belongs_to_the_word(word, why):
    assert reason({**HEALTHY, "paused_reason": "for stocktaking"}, word) == why


@pytest.mark.parametrize("word", [how.HELD, how.ASKED, how.FAILING])
def test_where_no_reason_is_kept_nothing_is_said(word):
    assert reason({**HEALTHY, "held_reason": None, "last_error": None}, word) == ""

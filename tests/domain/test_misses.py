"""What is made of a number that a channel shows and nobody expected."""

import pytest

from app.domain.instants import SECOND
from app.domain.misses import EXPLAINED, OPEN, SETTLE, SETTLED, judge, next_look

SINCE = 1_790_000_000 * SECOND


@pytest.mark.parametrize(
    ("reading", "waited", "verdict"),
    [
        (4, 0, EXPLAINED),
        (6, 0, EXPLAINED),
        (9, SETTLE - 1, OPEN),
        (9, SETTLE, SETTLED),
        (8, SETTLE, SETTLED),
        (7, SETTLE, OPEN),
    ],
    ids=[
        "as we know it",
        "as our last write left it, if it came",
        "unchanged, but its order may still turn up",
        "unchanged for long enough",
        "changed by what was sold since alone",
        "still moving",
    ],
)
def test_a_number_is_believed_when_orders_explain_it_or_it_stays(
    reading, waited, verdict
):
    assert judge(reading, (4, 6), (9, 8), SINCE, SINCE + waited) == verdict


@pytest.mark.parametrize(
    ("misses", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (7, 64), (50, 64)]
)
def test_it_is_looked_at_less_and_less_often(misses, seconds):
    assert next_look(misses, SINCE) == SINCE + seconds * SECOND

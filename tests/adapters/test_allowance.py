"""How many calls a provider still allows, in the forms that are about."""

import pytest

from adapters.allowance import allowance
from adapters.parts.shopify_client import budget_of
from app.domain.budget import FIRST
from app.domain.instants import SECOND

NOW = 1_790_000_000 * SECOND


@pytest.mark.parametrize(
    "headers",
    [
        {
            "x-rate-limit-limit": "40",
            "x-rate-limit-remaining": "0",
            "x-rate-limit-reset": "17",
        },
        {
            "x-ratelimit-limit": "40",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "1790000017",
        },
        {
            "ratelimit-limit": "40, 40;w=60",
            "ratelimit-remaining": "0",
            "ratelimit-reset": "17",
        },
        {"ratelimit": '"default";r=0;t=17', "ratelimit-policy": '"default";q=40;w=60'},
    ],
    ids=["ShipStation", "Unix time", "older draft", "newer draft"],
)
def test_a_window_that_is_used_up_opens_when_its_headers_say(headers):
    budget = allowance(headers, NOW)

    assert budget is not None
    assert (budget.left, budget.size) == (0, 40)
    assert budget.wait(FIRST, NOW) == 17
    assert budget.at(NOW + 17 * SECOND) == 40


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-limit": "40"},
        {"x-ratelimit-limit": "0", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "many", "x-ratelimit-remaining": "few"},
        {"x-ratelimit-limit": "nan", "x-ratelimit-remaining": "inf"},
        {"ratelimit": '"default"'},
    ],
)
def test_what_tells_no_numbers_is_no_budget(headers):
    assert allowance(headers, NOW) is None


def test_shopify_tells_its_points_with_every_answer():
    throttle = {"maximumAvailable": 2000.0, "currentlyAvailable": 3, "restoreRate": 100}
    cost = {"requestedQueryCost": 13, "throttleStatus": throttle}

    budget = budget_of({"extensions": {"cost": cost}}, NOW)

    assert budget is not None
    assert (budget.left, budget.size, budget.rate, budget.cost) == (3, 2000, 100, 13)
    assert budget.wait(FIRST, NOW) == pytest.approx(1.1)


@pytest.mark.parametrize(
    "told", [{}, {"extensions": []}, {"extensions": {"cost": {"throttleStatus": None}}}]
)
def test_an_answer_without_points_changes_nothing(told):
    assert budget_of(told, NOW) is None

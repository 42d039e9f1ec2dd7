"""The Shopify sandbox: who may write there, and what becomes of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from adapters.parts.shopify_number_documents import SET_QUANTITIES
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from tests.adapters.shopify_shop import (
    BUNDLE,
    DOWNTOWN,
    GHOST,
    ITEM,
    SCARF,
    Shop,
    shops,
    verdicts,
    wish,
)


@pytest.fixture
def opened() -> Iterator[Callable[..., Shop]]:
    with shops() as open_shop:
        yield open_shop


@pytest.fixture
def shop(opened: Callable[..., Shop]) -> Shop:
    return opened()


# -- writing -------------------------------------------------------------------------


def test_a_number_is_written_and_comes_back_as_a_webhook(shop: Shop):
    assert verdicts(shop.publish(wish(4, 5))) == ["accepted"]

    assert shop.shown() == 4
    assert [e.quantity for e in shop.said("inventory_levels/update").events] == [4]


def test_writing_the_number_that_is_there_is_no_failure(shop: Shop):
    assert verdicts(shop.publish(wish(5, 5))) == ["accepted"]


def test_a_sale_in_between_makes_the_write_stale(shop: Shop):
    shop.sell(1, place=DOWNTOWN)

    assert verdicts(shop.publish(wish(7, 5))) == ["stale"]
    assert shop.shown() == 4


def test_one_bad_item_leaves_its_neighbours_unsent(shop: Shop):
    rows = [
        wish(4, 5),
        wish(1, 0, GHOST),
        wish(1, 0, BUNDLE),
        wish(1, 2, SCARF),
        wish(1, 3, ITEM, "1"),
    ]

    outcomes = shop.publish(*rows)

    assert verdicts(outcomes) == ["unsent", "rejected", "rejected", "stale", "rejected"]
    assert "bundle" in str(outcomes[2].reason)
    assert shop.shown() == 5


def test_two_rows_for_one_number_are_refused(shop: Shop):
    outcomes = shop.publish(wish(4, 5), wish(3, 5))

    assert verdicts(outcomes) == ["unsent", "rejected"]
    assert "two listings" in str(outcomes[1].reason)


def test_the_same_write_under_the_same_key_happens_once(shop: Shop):
    assert verdicts(shop.publish(wish(4, 5), key="k1")) == ["accepted"]
    shop.do("edit", item=ITEM, place=DOWNTOWN, quantity=5)

    assert verdicts(shop.publish(wish(4, 5), key="k1")) == ["accepted"]

    assert shop.shown() == 5


def test_a_key_belongs_to_its_numbers(shop: Shop):
    shop.publish(wish(4, 5), key="k1")

    with pytest.raises(RetryLater, match="PARAMETER_MISMATCH") as refused:
        shop.publish(wish(3, 4), key="k1")
    assert refused.value.new_key


def test_a_key_whose_call_failed_is_spent(shop: Shop):
    assert verdicts(shop.publish(wish(4, 1), key="k1")) == ["stale"]

    with pytest.raises(RetryLater, match="PREVIOUS_ATTEMPT_FAILED") as refused:
        shop.publish(wish(4, 1), key="k1")
    assert refused.value.new_key
    assert refused.value.unknown, "what is shown is read before the next write"


def test_a_lost_answer_is_made_good_by_the_same_key(shop: Shop):
    shop.do("weather", hang_up=1)
    with pytest.raises(RetryLater):
        shop.publish(wish(4, 5), key="k1")
    shop.do("weather")

    assert verdicts(shop.publish(wish(4, 5), key="k1")) == ["accepted"]
    assert shop.shown() == 4


def test_the_same_key_at_the_same_time_waits(opened: Any):
    shop = opened(write_seconds=0.5)

    def publish(_: int) -> str:
        try:
            return verdicts(shop.publish(wish(4, 5), key="k1"))[0]
        except RetryLater as error:
            return "unsure" if error.unknown else "not sent"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(publish, range(2))) == ["accepted", "unsure"]


def test_a_lie_is_a_success_that_changes_nothing(shop: Shop):
    shop.do("weather", lie=True)

    assert verdicts(shop.publish(wish(4, 5))) == ["accepted"]
    assert shop.shown() == 5


def test_only_so_many_numbers_go_into_one_call(opened: Any):
    ids = [str(900_000 + n) for n in range(251)]
    items = [{"id": one, "sku": one} for one in ids]
    shop = opened(items=items, stock={})

    assert set(verdicts(shop.publish(*(wish(1, 0, one) for one in ids[:250])))) == {
        "accepted"
    }
    with pytest.raises(GiveUp, match="MAX_INPUT_SIZE_EXCEEDED"):
        shop.publish(*(wish(2, 1, one) for one in ids))


def test_an_empty_bucket_says_how_long_to_wait(opened: Any):
    shop = opened(bucket=20, restore_rate=1)
    shop.publish(wish(4, 5))

    with pytest.raises(RetryLater) as caught:
        shop.publish(wish(3, 4))

    assert caught.value.after == pytest.approx(6, abs=1.1)


def by_hand(shop: Shop, document: str, token: str = "shpat_1", **variables: Any) -> Any:
    answer = requests.post(
        f"{shop.url}/admin/api/2026-10/graphql.json",
        json={"query": document, "variables": variables},
        headers={"X-Shopify-Access-Token": token},
        timeout=5,
    )
    return answer.status_code, answer.json()


def test_the_rules_that_the_schema_does_not_show_hold_at_run_time(shop: Shop):
    row = {
        "inventoryItemId": f"gid://shopify/InventoryItem/{ITEM}",
        "locationId": f"gid://shopify/Location/{DOWNTOWN}",
        "quantity": 4,
    }
    given = {"name": "available", "reason": "correction", "quantities": [row]}
    keyless = SET_QUANTITIES.replace("@idempotent(key: $key)", "").replace(
        ", $key: String!", ""
    )

    status, without_key = by_hand(shop, keyless, input=given)
    _, without_old = by_hand(shop, SET_QUANTITIES, input=given, key="k1")
    _, forced = by_hand(
        shop,
        SET_QUANTITIES,
        input={**given, "quantities": [{**row, "changeFromQuantity": None}]},
        key="k2",
    )

    assert status == 200
    assert "@idempotent directive is required" in without_key["errors"][0]["message"]
    assert without_old["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"
    assert forced["data"]["inventorySetQuantities"]["userErrors"] == []
    assert shop.shown() == 4


def test_a_query_that_costs_too_much_or_makes_no_sense_is_refused(shop: Shop):
    dear = "{ orders(first: 100) { nodes { lineItems(first: 50) { nodes { id } } } } }"

    _, refused = by_hand(shop, dear)
    _, unknown = by_hand(shop, "{ order(id: 1) { favouriteColour } }")

    assert refused["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert "favouriteColour" in unknown["errors"][0]["message"]


# -- tokens --------------------------------------------------------------------------


def test_an_unknown_token_is_refused(shop: Shop):
    with pytest.raises(CredentialsRefused, match="401"):
        shop.adapter(access_token=["shpat_other"]).read([wish(0, 0)])


def test_a_client_logs_in_and_stays_logged_in(opened: Any):
    shop = opened(client_id="id-1", client_secret="secret-1")
    adapter = shop.adapter(client_id=["id-1"], client_secret=["secret-1"])

    assert adapter.read([wish(0, 0)])[0].available == 5
    assert adapter.read([wish(0, 0)])[0].available == 5

    state = requests.get(f"{shop.url}/_sandbox/state", timeout=5).json()
    assert state["calls"] == 3


def test_a_token_the_shop_revoked_is_replaced(opened: Any):
    shop = opened(client_id="id-1", client_secret="secret-1")
    adapter = shop.adapter(client_id=["id-1"], client_secret=["secret-1"])
    adapter.read([wish(0, 0)])

    shop.sandbox.tokens.clear()

    assert adapter.read([wish(0, 0)])[0].available == 5


def test_a_wrong_client_secret_is_told(opened: Any):
    shop = opened(client_id="id-1", client_secret="secret-1")
    adapter = shop.adapter(client_id=["id-1"], client_secret=["wrong-secret"])

    with pytest.raises(CredentialsRefused, match="installed"):
        adapter.read([wish(0, 0)])


def test_bad_weather_is_an_error_of_its_kind(shop: Shop):
    shop.do("weather", status=429, retry_after=7)

    with pytest.raises(RetryLater) as caught:
        shop.publish(wish(4, 5))

    assert caught.value.after == 7
    shop.do("weather")
    assert shop.shown() == 5

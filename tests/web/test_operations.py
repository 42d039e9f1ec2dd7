"""Publications, inbox, incidents, channels, listings: seen and acted on from outside."""

import json

import pytest
import sqlalchemy as sa

from app.domain.budget import Budget
from app.domain.channels import Wish
from app.domain.instants import MINUTE, now
from app.pipeline.publishing.marking import mark_all
from app.store.engine import writing
from app.store.publishing import attempts
from app.store.tables import audit_log, channels, inbox, lines, publications
from app.store.watching import incidents
from tests.builders import JACKET, order, sale
from tests.web.calls import Api


def only(api, query=""):
    [item] = [
        item
        for item in api.get(f"/publications{query}")["items"]
        if item["location"] == "downtown"
    ]
    return item


def change(engine, **values):
    with writing(engine) as connection:
        connection.execute(publications.update().values(**values))


def test_a_publication_tells_its_three_numbers(api, shop, engine):
    change(engine, accepted=9, observed=8)

    item = only(api)

    assert item["channel"] == "web"
    assert item["sku"] == JACKET
    assert item["external_id"] == "jacket-on-the-web"
    assert (item["desired"], item["accepted"], item["observed"]) == (10, 9, 8)
    assert item["state"] == "waiting"
    assert item["attempts"] == 0


def test_the_word_for_its_state_follows_what_happened(api, shop, engine):
    at = now()
    mark_all(engine, at)
    words = []
    for values in (
        {"attempts": 2, "next_attempt_at": at + MINUTE, "last_error": "silence"},
        {"failed_at": at},
        {"failed_at": None, "accepted_version": 5, "wanted_version": 5},
        {"unsure": True, "attempts": 0},
    ):
        change(engine, **values)
        words.append(only(api)["state"])

    assert words == ["retrying", "failed", "settled", "waiting"]


def test_publications_of_a_paused_channel_are_held(api, shop, engine):
    with writing(engine) as connection:
        connection.execute(channels.update().values(paused_at=now()))

    assert only(api)["state"] == "held"
    assert api.get("/publications?state=waiting")["items"] == []
    [web, *_] = [c for c in api.get("/channels")["items"] if c["key"] == "web"]
    assert web["paused_at"]


def test_a_channel_that_asked_us_to_wait_is_held_until_then(api, shop, engine):
    with writing(engine) as connection:
        connection.execute(channels.update().values(held_until=now() + MINUTE))
    assert only(api)["state"] == "held"

    with writing(engine) as connection:
        connection.execute(channels.update().values(held_until=now() - 1))
    assert only(api)["state"] == "waiting"


def the_web(api):
    return next(c for c in api.get("/channels")["items"] if c["key"] == "web")


def test_a_channel_whose_circuit_is_open_is_held_and_says_why(api, shop, engine):
    assert the_web(api)["circuit"] == "closed"
    budget = Budget(40, 100, now(), resets_at=now() + MINUTE).written()
    with writing(engine) as connection:
        connection.execute(
            channels.update().values(
                tripped_at=now() - MINUTE,
                held_until=now() - 1,
                held_reason="5 calls in a row failed",
                budget=budget,
            )
        )

    assert only(api)["state"] == "held", "until a probe has worked"
    web = the_web(api)
    assert web["circuit"] == "open"
    assert web["held_reason"] == "5 calls in a row failed"
    assert web["tripped_at"] < web["held_until"]
    assert (web["call_budget"]["left"], web["call_budget"]["size"]) == (40, 100)


def test_a_channel_is_paused_and_resumed_at_once(api, shop, engine, woken):
    with writing(engine) as connection:
        connection.execute(channels.update().values(tripped_at=1, held_until=2**60))

    resumed = api.post("/channels/web/resume", {}, status=200)
    assert (resumed["circuit"], resumed["held_until"]) == ("closed", None)
    woken("outbound:web")
    assert only(api)["state"] == "waiting"

    paused = api.post("/channels/web/pause", {"reason": "stocktaking"}, status=200)
    assert paused["paused_reason"] == "stocktaking"
    with engine.connect() as connection:
        deeds = connection.execute(sa.select(audit_log.c.action)).scalars().all()
    assert deeds == ["resume", "pause"]


def test_a_channel_that_listens_is_published_to(api, shop, engine, woken):
    shop.channel("wms", settings={"push_url": "http://127.0.0.1:1/stock"})
    shop.channel("ear")
    shop.listing("wms", JACKET, "jacket-there")

    told = api.post("/channels/wms/publish", {"buffer": 2}, status=200)

    assert told["publishes"] is True
    woken("outbound:wms")
    (item,) = api.get("/publications?channel=wms")["items"]
    assert item["desired"] == 8
    again = api.post("/channels/wms/publish", {}, status=422)
    assert "published to already" in again["detail"]
    lacking = api.post("/channels/ear/publish", {}, status=422)
    assert "without the setting push_url" in lacking["detail"]


def test_a_channel_that_does_not_exist_cannot_be_resumed(api, shop):
    for action in ("pause", "resume", "publish"):
        api.post(f"/channels/nobody/{action}", {}, status=404)


def test_an_attempt_tells_the_reason_for_the_delay(api, shop, engine):
    item = only(api)
    with writing(engine) as connection:
        wish = Wish(item["id"], JACKET, "jacket-on-the-web", None, None, 10, 1)
        attempt, _ = attempts.begin(connection, 1, "hash", [wish], now())
        attempts.finish(
            connection,
            attempt,
            attempts.RETRY,
            now(),
            error="answered 429",
            error_class="rate_limited",
            delay_reason="the provider asked for 40 s",
        )

    [tried] = api.get(f"/publications/{item['id']}/attempts")["items"]
    assert tried["number"] == 10
    assert (tried["result"], tried["error_class"]) == ("retry", "rate_limited")
    assert tried["delay_reason"] == "the provider asked for 40 s"
    assert api.call("GET", "/publications/999/attempts").status_code == 404


def test_publications_are_filtered_and_paged(api, shop):
    shop.sku("HAT")
    shop.listing("web", "HAT", "hat")

    assert {i["sku"] for i in api.get("/publications?sku=HAT")["items"]} == {"HAT"}
    assert api.get("/publications?channel=till")["items"] == []
    assert api.get("/publications?channel=nobody")["items"] == []
    everything = api.get("/publications")["items"]
    first = api.get("/publications?limit=1")
    second = api.get(f"/publications?limit=3&cursor={first['next']}")
    assert first["items"] + second["items"] == everything


def test_failed_publications_are_retried_by_id_and_by_filter(api, shop, engine, woken):
    change(engine, failed_at=now(), error_class="GiveUp", attempts=12)
    failed = api.get("/publications?state=failed")["items"]
    assert len(failed) == 2

    one = api.post("/publications/retry", {"ids": [failed[0]["id"]]}, status=202)
    assert one == {"matched": 1}
    assert len(api.get("/publications?state=failed")["items"]) == 1
    woken("outbound:web")

    rest = {"filter": {"state": "failed", "channel": "web"}}
    assert api.post("/publications/retry", rest, status=202) == {"matched": 1}
    assert api.get("/publications?state=failed")["items"] == []


def test_a_program_narrows_as_the_dashboard_does(api, shop, engine):
    shop.sku("BOX", "HAT")
    made = {"components": [{"sku": JACKET, "quantity": 1}]}
    assert api.call("PUT", "/skus/BOX/recipe", made).status_code == 200
    shop.listing("web", "BOX", "box")
    shop.listing("web", "HAT", "hat")
    shop.tell("web", order("1001", "box", 1, at=now()))
    with writing(engine) as connection:
        connection.execute(lines.update().values(order_number="#77"))
    values = {"error_class": "RetryLater", "error_kind": "unavailable"}
    change(engine, failed_at=now(), attempts=3, error_status=503, **values)

    def skus(query):
        return {one["sku"] for one in api.get(f"/publications?{query}")["items"]}

    everything = {JACKET, "BOX", "HAT"}
    assert skus("order=1001") == skus("order=%231001&state=undelivered")
    assert skus("order=1001") == skus("order=77") == {JACKET, "BOX"}
    assert skus("code=500-599&attempts=3&error=unavailable") == everything
    assert skus("attempts=4") == skus("code=4xx") == skus("error=GiveUp") == set()
    assert skus("product=ha&until=2999-01-01T00:00:00Z") == {"HAT"}
    assert only(api, "?sku=HAT")["error_status"] == 503
    assert api.refused("/publications/retry", {"filter": {"code": "6"}}) == [
        "filter.code"
    ]

    wanted = {"filter": {"order": "77", "code": "5xx"}}
    assert api.post("/publications/retry", wanted, status=202) == {"matched": 4}
    assert skus("state=failed") == {"HAT"}
    query = sa.select(audit_log.c.details).order_by(audit_log.c.id.desc())
    with engine.connect() as connection:
        told = json.loads(connection.execute(query).scalars().first())
    chosen = {"state": "failed", "order": "77", "code": "500-599"}
    assert told == {**chosen, "matched": 4}


def test_a_retry_needs_ids_or_a_filter(api, shop):
    for body in ({}, {"ids": [1], "filter": {}}, {"ids": []}, {"ids": ["1"]}):
        assert api.refused("/publications/retry", body)[0].startswith("ids")
    assert api.refused("/publications/retry", {"filter": {"state": "lost"}}) == [
        "filter.state"
    ]


def test_unknown_ids_match_nothing(api, shop):
    assert api.post("/publications/retry", {"ids": [2**63 - 1]}, status=202) == {
        "matched": 0
    }


def test_the_inbox_tells_what_became_of_each_webhook(api, shop):
    shop.tell("till", sale("T-1", JACKET, 1, at=now()), b"nonsense")
    shop.tell("till", sale("T-2", "NOBODY", 1, at=now()))

    items = api.get("/inbox")["items"]

    assert [item["state"] for item in items] == ["parked", "buried", "applied"]
    assert {item["channel"] for item in items} == {"till"}
    assert items[1]["error"]
    assert items[2]["received_at"].endswith("Z")
    [buried] = api.get("/inbox?state=buried")["items"]
    assert buried == items[1]
    first = api.get("/inbox?limit=2")
    assert first["items"] == items[:2]
    assert api.get(f"/inbox?cursor={first['next']}")["items"] == items[2:]


def test_replaying_what_was_applied_changes_nothing(api, shop):
    shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    [item] = api.get("/inbox")["items"]

    matched = api.post("/inbox/replay", {"ids": [item["id"]]}, status=202)
    shop.apply()

    assert matched == {"matched": 1}
    assert api.stock(JACKET)["available"] == 9
    assert api.get("/inbox")["items"][0]["state"] == "applied"


def test_buried_messages_are_replayed_by_filter(api, shop, engine, woken):
    shop.tell("till", sale("T-1", JACKET, 1, at=now()), b"nonsense")

    told = {"filter": {"state": "buried", "channel": "till"}}
    assert api.post("/inbox/replay", told, status=202) == {"matched": 1}

    with engine.connect() as connection:
        states = connection.execute(sa.select(inbox.c.state)).scalars().all()
    assert sorted(states) == ["applied", "waiting"]
    woken("inbound")


def test_messages_are_replayed_by_time_sku_and_order(api, shop):
    shop.listing("till", JACKET, "jacket-at-the-till")
    for order_ in ("T-1", "T-2"):
        shop.tell("till", sale(order_, "jacket-at-the-till", 1, at=now()))
    came_in = api.get("/inbox")["items"][0]["received_at"]

    for told, matched in (
        ({"order": "T-1"}, 1),
        ({"sku": JACKET}, 2),
        ({"sku": JACKET, "order": "T-3"}, 0),
        ({"since": came_in}, 1),
        ({"until": came_in, "channel": "till"}, 2),
    ):
        answer = api.post("/inbox/replay", {"filter": told}, status=202)
        assert answer == {"matched": matched}, told
        shop.apply()
    api.refused("/inbox/replay", {"filter": {"since": "noon"}}, status=422)
    assert api.stock(JACKET)["available"] == 8
    api.post(f"/skus/{JACKET}/rename", {"to": "COAT"}, status=200)
    for name in (JACKET, "COAT"):
        told = {"filter": {"sku": name}}
        assert api.post("/inbox/replay", told, status=202) == {"matched": 2}, name
        shop.apply()


def test_open_lines_follow_an_item_that_was_mapped_to_the_wrong_sku(
    api, client, token, shop
):
    shop.sku("HAT")
    listing = {"channel": "web", "external_id": "9", "sku": JACKET}
    api.post("/listings", listing)
    shop.tell("web", order("1", "9", 2, at=now()))
    right = listing | {"sku": "HAT"}

    assert api.post("/listings", right)["open_lines"] == 1
    assert api.stock(JACKET)["committed"] == 2
    moved = right | {"open_lines": "move"}
    Api(client, token("operator")).refused("/listings", moved, status=403)
    assert "open_lines" not in api.post("/listings", moved)

    assert (api.stock(JACKET)["committed"], api.stock("HAT")["committed"]) == (0, 2)
    assert api.refused("/listings", right | {"open_lines": "both"}) == ["open_lines"]


def test_what_means_nothing_here_is_dismissed(api, shop):
    shop.tell("till", b"nonsense", sale("T-2", "NOBODY", 1, at=now()))

    assert api.post("/inbox/dismiss", {"filter": {"state": "buried"}}, status=200) == {
        "matched": 1
    }

    parked, buried = api.get("/inbox")["items"]
    assert (parked["state"], parked["dismissed_by"]) == ("parked", None)
    assert (buried["state"], buried["dismissed_by"]) == ("ignored", "token:a admin")
    told = {"ids": [parked["id"], 77]}
    assert api.post("/inbox/dismiss", told, status=200) == {"matched": 1}
    assert api.refused("/inbox/dismiss", {}) == ["ids"]


def test_a_listing_lets_waiting_lines_apply_by_themselves(api, shop):
    shop.sku("HAT")
    shop.tell("till", sale("T-1", "their-hat", 2, at=now()))
    assert api.get("/inbox?state=parked")["items"]

    listing = api.post(
        "/listings", {"channel": "till", "sku": "HAT", "external_id": "their-hat"}
    )

    assert listing["id"]
    assert listing["external_parent_id"] is None
    assert api.stock("HAT")["available"] == -2
    assert api.get("/inbox?state=parked")["items"] == []


def test_a_listing_that_cannot_be_meant_names_the_field(api, shop):
    listing = {"channel": "till", "sku": JACKET, "external_id": "x"}

    for field in ("channel", "sku"):
        assert api.refused("/listings", listing | {field: "nobody"}) == [field]
    assert api.refused("/listings", listing | {"external_id": ""}) == ["external_id"]
    for field in ("external_id", "external_parent_id"):
        written = {field: "gid://shopify/InventoryItem/7"}
        assert api.refused("/listings", listing | written) == [field]


def test_incidents_are_listed_and_filtered(api, shop, engine):
    with writing(engine) as connection:
        for subject in ("a", "b", "c"):
            connection.execute(
                sa.insert(incidents.incidents).values(
                    kind="oversell",
                    subject=subject,
                    message="short",
                    opened_at=now(),
                    seen_at=now(),
                    closed_at=now() if subject == "a" else None,
                )
            )

    items = api.get("/incidents")["items"]
    assert [item["subject"] for item in items] == ["c", "b", "a"]
    assert items[0]["details"] == {}
    still_open = api.get("/incidents?open=true")["items"]
    assert [item["subject"] for item in still_open] == ["c", "b"]
    assert api.get("/incidents?kind=nothing")["items"] == []


def test_channels_are_told_without_their_secrets(api, client, shop):
    response = api.call("GET", "/channels")

    assert [item["key"] for item in response.json["items"]] == ["till", "web"]
    assert {item["key"]: item["publishes"] for item in response.json["items"]} == {
        "till": False,
        "web": True,
    }
    assert "secret" not in response.text
    assert "whsec" not in response.text


def test_the_audit_log_tells_which_token_did_it(api, shop, engine):
    api.post("/publications/retry", {"filter": {"state": "failed"}}, status=202)
    api.post("/inbox/replay", {"ids": [1]}, status=202)
    api.post("/listings", {"channel": "till", "sku": JACKET, "external_id": "j"})

    with engine.connect() as connection:
        rows = connection.execute(sa.select(audit_log).order_by(audit_log.c.id)).all()
    assert [row.action for row in rows] == ["retry", "replay", "map"]
    assert {row.actor for row in rows} == {"token:a admin"}


def test_a_listing_s_policy_is_an_operator_s_to_set(api, client, token, shop):
    listing = {"channel": "web", "sku": JACKET, "external_id": "jacket-on-the-web"}
    operator = Api(client, token("operator"))

    set_ = operator.post("/listings", listing | {"policy": {"buffer": 4}})
    assert set_["policy"] == {"buffer": 4}
    [downtown, _] = api.get("/publications")["items"]
    assert downtown["desired"] == 6

    gone = operator.post("/listings", listing | {"policy": None})
    assert gone["policy"] is None
    [downtown, _] = api.get("/publications")["items"]
    assert downtown["desired"] == 10


def test_to_map_an_item_takes_an_admin(api, client, token, shop):
    operator = Api(client, token("operator"))
    listing = {"channel": "web", "sku": JACKET, "external_id": "another"}

    operator.refused("/listings", listing | {"policy": {"buffer": 4}}, status=403)

    api.post("/listings", listing)
    moved = listing | {"external_parent_id": "p"}
    operator.refused("/listings", moved, status=403)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"buffer": -1}, "policy.buffer"),
        ({"share": 101}, "policy.share"),
        ({"share": None}, "policy.share"),
        ({"preorder": "5"}, "policy.preorder"),
        ({"from": []}, "policy.from"),
        ({"from": ["attic"]}, "policy.from[0]"),
        ({"shares": 5}, "policy.shares"),
        ("no", "policy"),
    ],
)
def test_a_policy_that_cannot_be_meant_names_the_field(api, shop, policy, field):
    listing = {"channel": "web", "sku": JACKET, "external_id": "jacket-on-the-web"}
    assert api.refused("/listings", listing | {"policy": policy}) == [field]


def test_an_item_that_is_no_stock_waits_for_nobody(api, shop):
    shop.tell("till", sale("T", "ENGRAVING", 1, at=now()))
    item = {"channel": "till", "external_id": "ENGRAVING"}

    made = api.post("/listings", item | {"sku": None})

    assert made == item | dict.fromkeys(("id", "sku", "external_parent_id", "policy"))
    assert [one["state"] for one in api.get("/inbox")["items"]][:1] == ["ignored"]
    told = {one["key"]: one["not_stock"] for one in api.get("/channels")["items"]}
    assert told["till"] == ["ENGRAVING"]
    policy = {"sku": None, "policy": {"buffer": 2}}
    assert api.refused("/listings", item | policy) == ["policy"]

    api.post("/listings", item | {"sku": JACKET})
    mapped = item | {"sku": None}
    assert api.refused("/listings", mapped) == ["external_id"]
    assert api.refused("/listings", mapped | {"channel": "nobody"}) == ["channel"]
    gid = mapped | {"external_id": "gid://shopify/ProductVariant/7"}
    assert api.refused("/listings", gid) == ["external_id"]


def test_only_an_admin_says_what_is_no_stock(client, token):
    item = {"channel": "till", "external_id": "ENGRAVING", "sku": None}
    Api(client, token("operator")).refused("/listings", item, status=403)

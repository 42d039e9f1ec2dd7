"""Idempotency-Key: once, and the same answer, whatever goes wrong in between."""

import threading

import pytest
import sqlalchemy as sa

from app.pipeline.acts import facts
from app.store.engine import writing
from app.store.people import answers, people
from app.store.tables import idempotency_keys
from tests.builders import JACKET
from tests.web.calls import Api

ADJUSTMENT = {"sku": JACKET, "location": "downtown", "change": -1, "reason": "lost"}
COUNT = {"location": "downtown", "lines": [{"sku": JACKET, "quantity": 7}]}
RECEIPT = {"location": "downtown", "lines": [{"sku": JACKET, "quantity": 2}]}
HOLD = {"lines": [{"sku": JACKET, "quantity": 4}]}
TRANSFER = {
    "from": "downtown",
    "to": "harbour",
    "lines": [{"sku": JACKET, "quantity": 4}],
}
WRITES = [
    ("/adjustments", ADJUSTMENT),
    ("/counts", COUNT),
    ("/receipts", RECEIPT),
    ("/returns", RECEIPT),
    ("/holds", HOLD),
    ("/transfers", TRANSFER),
]


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_the_same_key_is_one_write_and_the_same_answer(api, shop, path, body):
    first = api.post(path, body, key="k-1")
    stock = api.stock(JACKET)

    again = api.call("POST", path, body, key="k-1")

    assert again.status_code == 201
    assert again.json == first
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.stock(JACKET) == stock


def test_the_same_json_written_differently_is_the_same_body(client, api, shop):
    api.post("/adjustments", ADJUSTMENT, key="k-1")

    turned = dict(reversed(ADJUSTMENT.items()))
    assert api.call("POST", "/adjustments", turned, key="k-1").status_code == 201
    assert api.stock(JACKET)["available"] == 9


def test_the_same_key_with_another_body_is_refused(api, shop):
    api.post("/adjustments", ADJUSTMENT, key="k-1")

    response = api.call("POST", "/adjustments", ADJUSTMENT | {"change": -2}, key="k-1")

    assert response.status_code == 422
    assert response.json["errors"][0]["field"] == "Idempotency-Key"
    assert api.stock(JACKET)["available"] == 9


def test_a_key_belongs_to_its_token_and_path(api, client, shop, token):
    api.post("/adjustments", ADJUSTMENT, key="k-1")

    api.post("/receipts", RECEIPT, key="k-1")
    Api(client, token("operator")).post("/adjustments", ADJUSTMENT, key="k-1")

    assert api.stock(JACKET)["available"] == 10


def test_a_refused_claim_is_answered_the_same_even_when_there_is_stock(api, shop):
    short = {"lines": [{"sku": JACKET, "quantity": 11}]}
    first = api.call("POST", "/holds", short, key="k-1")
    api.post("/receipts", RECEIPT)

    again = api.call("POST", "/holds", short, key="k-1")

    assert first.status_code == again.status_code == 409
    assert again.json == first.json
    assert again.content_type == "application/problem+json"


def test_a_write_that_was_refused_for_what_it_says_does_not_use_the_key(api, shop):
    wrong = ADJUSTMENT | {"location": "atlantis"}
    assert api.call("POST", "/adjustments", wrong, key="k-1").status_code == 422

    api.post("/adjustments", ADJUSTMENT, key="k-1")

    assert api.stock(JACKET)["available"] == 9


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_cannot_be_kept_is_refused(api, shop, key):
    response = api.call("POST", "/adjustments", ADJUSTMENT, key=key)

    assert response.status_code == 422
    assert response.json["errors"][0]["field"] == "Idempotency-Key"


def test_a_release_and_a_commit_take_keys_too(api, shop):
    hold = api.post("/holds", HOLD)
    path = f"/holds/{hold['id']}"

    first = api.call("DELETE", path, key="k-1")
    again = api.call("DELETE", path, key="k-1")

    assert first.status_code == again.status_code == 200
    assert first.json == again.json


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_a_crash_between_write_and_answer_writes_once(
    api, shop, engine, app, path, body
):
    """The write is committed, its answer is not stored: the machine went down."""
    api.post(path, body, key="k-1")
    stock, history = api.stock(JACKET), api.get(f"/stock/{JACKET}/ledger")
    with writing(engine) as connection:
        connection.execute(idempotency_keys.update().values(status=0, answer=""))

    again = api.post(path, body, key="k-1")

    assert again["id"]
    assert api.stock(JACKET) == stock
    assert api.get(f"/stock/{JACKET}/ledger") == history


def forget_answers(engine):
    """The machine went down between the write and its answer."""
    with writing(engine) as connection:
        connection.execute(idempotency_keys.update().values(status=0, answer=""))


@pytest.mark.parametrize(("path", "body"), [*WRITES[:4], WRITES[5]])
def test_an_answer_after_a_crash_is_the_same(api, shop, engine, path, body):
    first = api.post(path, body, key="k-1")
    forget_answers(engine)

    assert first["entries"]
    assert api.post(path, body, key="k-1") == first


def test_after_a_crash_what_arrived_and_was_lost_is_told_once(api, shop, engine):
    sent = api.post("/transfers", TRANSFER)
    path = f"/transfers/{sent['id']}/receive"
    lines = [{"sku": JACKET, "quantity": 1}]
    body = {"lines": lines, "closes": True, "reason": "the van was opened"}

    first = api.post(path, body, key="k-1", status=200)
    forget_answers(engine)

    assert [entry["quantity"] for entry in first["entries"]] == [1, 3]
    assert api.post(path, body, key="k-1", status=200) == first


def test_after_a_crash_a_receipt_that_closed_is_told_once(api, shop, engine):
    sent = api.post("/transfers", TRANSFER)
    more = {"of": sent["id"], "closes": True, "reason": "lost"}
    body = RECEIPT | {"location": "harbour"} | more

    first = api.post("/receipts", body, key="k-1")
    forget_answers(engine)

    assert [entry["quantity"] for entry in first["entries"]] == [2, 2]
    assert api.post("/receipts", body, key="k-1") == first


def test_a_failure_keeps_the_key_and_the_repeat_works(api, shop, monkeypatch):
    real = facts.record

    def dies(*args, **kwargs):
        real(*args, **kwargs)
        raise RuntimeError("after the commit")

    monkeypatch.setattr(facts, "record", dies)
    assert api.call("POST", "/adjustments", ADJUSTMENT, key="k-1").status_code == 500
    monkeypatch.setattr(facts, "record", real)

    api.post("/adjustments", ADJUSTMENT, key="k-1")

    assert api.stock(JACKET)["available"] == 9


def test_twins_at_the_same_time_are_one_write_with_one_answer(app, api, shop):
    answers_: list[object] = []
    start = threading.Barrier(6)

    def twin():
        mine = Api(app.test_client(), api.token)
        start.wait()
        answers_.append(mine.post("/holds", HOLD, key="twins"))

    threads = [threading.Thread(target=twin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers_) == 6
    assert all(answer == answers_[0] for answer in answers_)
    assert api.stock(JACKET)["reserved"] == 4


def test_a_twin_waits_for_the_first(engine):
    with writing(engine) as connection:
        people.create_token(connection, "t", "admin")
        token_id = connection.execute(sa.text("SELECT max(id) FROM api_tokens"))
        use = answers.Use(token_id.scalar_one(), "/x", "k")
    order: list[str] = []
    inside, done = threading.Event(), threading.Event()

    def second():
        inside.wait(10)
        with answers.alone(engine, use):
            order.append("second")
        done.set()

    thread = threading.Thread(target=second)
    thread.start()
    with answers.alone(engine, use):
        inside.set()
        assert not done.wait(0.3)
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]

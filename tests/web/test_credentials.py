"""Secrets are rotated and webhooks tried by a program, as on a channel's page."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.domain.instants import HOUR, iso, now
from app.store.configuration import channels
from app.store.configuration.secret_facts import fingerprint
from app.store.engine import reading
from app.store.tables import audit_log, idempotency_keys
from tests.builders import SECRET

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

NEW = "whsec_bmV3IHNlY3JldCBvZiB0aGUgd2ViIHN0b3Jl"
PATH = "/channels/web/secrets"


@pytest.fixture
def settings(settings):
    return replace(settings, public_url="http://127.0.0.1:1")


@pytest.fixture
def held(engine, shop):
    def held() -> list[str]:
        with reading(engine) as connection:
            return channels.find(connection, shop.vault, "web").secrets["webhook"]

    return held


def everything(engine) -> str:
    """All that is kept of what was asked and answered."""
    with engine.connect() as connection:
        tables = (audit_log, idempotency_keys)
        return str([connection.execute(sa.select(one)).all() for one in tables])


def test_a_secret_is_added_and_the_old_one_ended(api, shop, engine, held):
    old, new = map(fingerprint, (SECRET, NEW))
    told = {"name": "webhook", "secret": NEW, "overlap": 3600}

    added = api.post(PATH, told, key="one")
    again = api.post(PATH, told, key="one")
    both = held()
    ended = api.call("DELETE", f"{PATH}/{old}")
    last = api.call("DELETE", f"{PATH}/{new}")

    assert added == again
    newest, oldest = added["items"]
    assert (newest["name"], newest["fingerprint"]) == ("webhook", new)
    assert (newest["newest"], oldest["newest"]) == (True, False)
    assert newest["added_by"] == "token:a admin"
    assert iso(now()) < oldest["ends_at"] < iso(now() + HOUR)
    assert (both, held()) == ([NEW, SECRET], [NEW])
    assert ended.json == api.get(PATH)
    assert [one["fingerprint"] for one in ended.json["items"]] == [new]
    assert (last.status_code, held()) == (422, [NEW])
    assert api.call("DELETE", f"{PATH}/{old}").status_code == 404
    assert NEW not in everything(engine) + str(added) + ended.text
    assert "end secret" in everything(engine)


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"secret": SECRET}, "secret", "That is one of its secrets already."),
        ({"secret": "whsec_no base64!"}, "secret", "is no base64"),
        ({"name": "ghost"}, "name", "has no secret ghost"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(api, shop, held, body, field, said):
    wanted = {"name": "webhook", "secret": NEW, **body}

    answer = api.call("POST", PATH, wanted)

    assert (answer.status_code, held()) == (422, [SECRET])
    (wrong,) = answer.json["errors"]
    assert wrong["field"] == field
    assert said in wrong["detail"]


def test_a_test_webhook_tells_what_came_of_it(api, shop):
    shop.channel("parcels", provider="shipstation", secrets={"api_key": ["v2"]})

    nobody = api.post("/channels/web/test", None, status=200)
    theirs = api.post("/channels/parcels/test", None, status=422)

    assert nobody["status"] is None
    assert "could not be reached" in nobody["words"]
    assert "only ShipStation can sign a webhook" in theirs["detail"]
    api.post("/channels/ghost/test", None, status=404)

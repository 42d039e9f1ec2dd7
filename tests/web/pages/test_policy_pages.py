"""How much a channel shows: seen before it is put in force, for a channel or a listing."""

import json
import threading

import pytest
import sqlalchemy as sa

from adapters.sandbox.shopify import ShopifySandbox
from app.domain.instants import now
from app.pipeline.configuring.switching import switch_in
from app.store.configuration import channels as store
from app.store.engine import applying
from app.store.tables import channels, listings, policies
from app.web.pages import policies as policy_pages
from tests.adapters.sandboxes import serving
from tests.builders import JACKET
from tests.web.pages.conftest import Person, text_of

SHOP = "blue-jacket.myshopify.com"


@pytest.fixture
def ada(person) -> Person:
    return person("admin")


def published(engine) -> dict:
    query = sa.select(channels.c.publish).where(channels.c.key == "web")
    with engine.connect() as connection:
        return json.loads(connection.execute(query).scalar_one())


def listing(engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(listings.c.id)).scalar_one()


def test_another_policy_is_foreseen_and_then_put_in_force(
    ada, shop, engine, deliveries, woken
):
    shop.sku("SCARF")
    shop.listing("web", "SCARF", "scarf")
    form = {"buffer": "3", "cap": "5", "share": ""}

    asked = text_of(ada.press("/channels/web/policy", form).text)
    before = published(engine)
    done = ada.press("/channels/web/policy", {**form, "sure": "1"})

    assert "web downtown BLUE-JACKET-M from 10 → to 5" in asked
    assert "SCARF" not in asked.partition("What it changes")[2].partition("Listings")[0]
    assert before == {}
    assert "The policy is in force" in done.text
    assert published(engine) == {"buffer": 3, "cap": 5}
    woken("outbound:web")
    row_id = deliveries.id(JACKET, place="d")
    row = deliveries.row(row_id)
    assert row["wanted_version"] > row["accepted_version"]
    query = sa.select(policies).order_by(policies.c.id.desc()).limit(1)
    with engine.connect() as connection:
        assert connection.execute(query).one().actor == ada.email


def test_the_locations_it_sells_from_are_chosen(ada, shop, engine, deliveries):
    shop.count(JACKET, "harbour", 4)

    asked = ada.press("/channels/web/policy", {"from": ["harbour"]})
    ada.press("/channels/web/policy", {"from": ["harbour"], "sure": "1"})

    assert "web downtown BLUE-JACKET-M from 10" in text_of(asked.text)
    assert published(engine) == {"from": ["harbour"]}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"share": "101"}, "Percent of it: it has to be from 0 to 100."),
        ({"buffer": "-1"}, "Units kept back: it has to be from 0 to"),
        ({"cap": "many"}, "Never show more than: it has to be a whole number."),
        ({"from": ["moon"]}, "there is no location"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_and_changes_nothing(
    ada, shop, engine, form, said
):
    answer = ada.press("/channels/web/policy", {**form, "sure": "1"})

    assert answer.status_code == 422
    assert said in answer.text
    assert published(engine) == {}


def test_one_listing_says_otherwise_and_as_its_channel_again(
    anna, shop, engine, deliveries
):
    number = listing(engine)
    address = f"/listings/{number}/policy"

    form = {"cap": "2", "drift": "ask"}
    asked = anna.press(address, form)
    anna.press(address, {**form, "sure": "1"})
    words = anna.words("/channels/web/policy")
    anna.press(address, {"sure": "1"})

    assert "from 10 → to 2" in text_of(asked.text)
    assert "BLUE-JACKET-M cap 2, drift ask" in words
    assert "None: all are shown by the channel" in anna.words("/channels/web/policy")


def test_only_administrators_set_a_channel_s_policy(anna, person, shop, engine):
    otto = person("viewer")

    assert anna.press("/channels/web/policy", {"cap": "1"}).status_code == 403
    one = f"/listings/{listing(engine)}/policy"
    assert otto.press(one, {"cap": "1", "sure": "1"}).status_code == 403
    assert "See what it changes" not in otto.read("/channels/web/policy")


def test_a_channel_that_shows_no_stock_has_none(ada, shop):
    shop.channel("parcels", provider="shipstation", secrets={"api_key": ["v2"]})

    assert ada.get("/channels/parcels/policy").status_code == 404
    assert ada.press("/channels/parcels/policy", {}).status_code == 404
    assert ada.get("/channels/ghost/policy").status_code == 404
    assert ada.get("/listings/999/policy").status_code == 404


def test_a_channel_that_listens_is_published_to_once_its_numbers_were_seen(
    ada, shop, engine, woken
):
    stock = {"808": {"71": 3}}
    sandbox = ShopifySandbox(
        {"token": "token", "shop": SHOP, "locations": [{"id": "71"}], "stock": stock}
        | {"items": [{"id": "808", "sku": JACKET}]}
    )
    with serving(sandbox) as url:
        shop.channel(
            "store",
            provider="shopify",
            base_url=url,
            settings={"shop": SHOP},
            secrets={"webhook": ["hush"], "access_token": ["token"]},
            mapped={"downtown": "71"},
        )
        shop.listing("store", JACKET, "808")
        listed = ada.get("/channels").text
        page = text_of(ada.get("/channels/store/policy").text)
        asked = text_of(ada.press("/channels/store/policy", {"buffer": "2"}).text)
        before = sandbox.shown("808", "71")
        done = ada.press("/channels/store/policy", {"buffer": "2", "sure": "1"})

    assert "Publish to it" in text_of(listed)
    assert "It listens only" in page
    assert "store downtown BLUE-JACKET-M from 3 → to 8" in asked
    assert before == 3
    assert "The policy is in force" in done.text
    woken("outbound:store")
    with engine.connect() as connection:
        row = store.row(connection, "store")
    assert json.loads(row["publish"]) == {"buffer": 2}


@pytest.mark.parametrize(("buffer", "status"), [("", 303), ("2", 422)])
def test_publishing_pressed_twice_is_done_once(
    ada, shop, engine, monkeypatch, buffer, status
):
    shop.channel("wms", settings={"push_url": "http://127.0.0.1:9/stock"})
    path, form = "/channels/wms/policy", {"csrf_token": ada.token("/account")}
    has_read, answers = threading.Event(), []
    read = policy_pages._channel

    def reading(key: str) -> sa.RowMapping:
        row = read(key)
        has_read.set()
        return row

    monkeypatch.setattr(policy_pages, "_channel", reading)

    def press() -> None:
        told = {**form, "buffer": buffer, "sure": "1"}
        answers.append(ada.client.post(path, data=told))

    with applying(engine) as connection:
        second = threading.Thread(target=press)
        second.start()
        assert has_read.wait(10)
        switch_in(connection, "wms", {}, now=now(), actor="ada")
    second.join(20)

    assert [answer.status_code for answer in answers] == [status]
    said = text_of(answers[0].text)
    assert ("wms is published to already" in said) == (status == 422)
    assert "It listens only" not in said


def test_what_cannot_be_read_is_not_published_to_blindly(ada, shop, engine):
    shop.channel(
        "store",
        provider="shopify",
        base_url="http://127.0.0.1:1",
        settings={"shop": SHOP},
        secrets={"webhook": ["hush"], "access_token": ["token"]},
        mapped={"downtown": "71"},
    )
    shop.listing("store", JACKET, "808")

    asked = ada.press("/channels/store/policy", {"buffer": "2"})

    assert asked.status_code == 422
    assert "could not be reached" in asked.text
    assert "Publish to store" not in asked.text

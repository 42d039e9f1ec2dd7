"""A store is connected at the dashboard: asked for, looked at, agreed to, done."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from adapters.sandbox.shopify import ShopifySandbox
from app.pipeline.configuring.guiding import Guide
from app.store.configuration import channels as store
from app.store.tables import channels, connectings
from app.store.vault import Vault
from tests.adapters.sandboxes import control, serving
from tests.builders import JACKET
from tests.web.pages.conftest import Person, text_of

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

SHOP = "blue-jacket.myshopify.com"
FORM = "/connect/shopify"
ITEMS = [
    {"id": "1", "parent": "91", "sku": JACKET, "name": "Blue jacket"},
    {"id": "3", "parent": "93", "sku": "SOCKS"},
    {"id": "4", "parent": "94", "sku": "SOCKS"},
    {"id": "5", "parent": "95", "sku": "", "name": "Gift <b>card</b>"},
    {"id": "6", "parent": "96", "sku": "SCARF", "name": "Red scarf"},
]
PLACES = [{"id": "71", "name": "Downtown"}, {"id": "72", "name": "Old Mill"}]
STOCK = {"1": {"71": 8}, "6": {"71": 5}}


@pytest.fixture
def settings(settings):
    return replace(settings, private_addresses=True)


@pytest.fixture
def ada(person) -> Person:
    return person("admin")


@pytest.fixture
def web() -> Iterator[tuple[str, ShopifySandbox]]:
    given = {"items": ITEMS, "stock": STOCK, "locations": PLACES}
    sandbox = ShopifySandbox({"token": "shpat_secret", "shop": SHOP, **given})
    with serving(sandbox) as url:
        yield url, sandbox


@pytest.fixture
def guide(engine, settings, shop) -> Guide:
    return Guide(engine, Vault(settings.secret_keys), settings, shop.bell)


def asked(url: str, **other: str) -> dict[str, object]:
    told = {
        "key": "store",
        "settings.shop": SHOP,
        "base_url": url,
        "secrets.access_token": "shpat_secret",
        "secrets.webhook": "shpss_secret",
    }
    return {**told, **{name.replace("__", "."): one for name, one in other.items()}}


def kept(engine) -> list:
    with engine.connect() as connection:
        return connection.execute(sa.select(connectings)).mappings().all()


def test_a_store_is_taken_over_step_by_step(ada, shop, engine, guide, web):
    url, sandbox = web
    control(url, "sell", lines=[{"item": "1", "quantity": 2}], place="71")

    begun = ada.press(FORM, asked(url), on=FORM)
    here = begun.request.path
    sealed = kept(engine)[0]["asked"]
    guide.advance()
    found = ada.read(here)
    with engine.connect() as connection:
        keys = set(connection.execute(sa.select(channels.c.key)).scalars())
    form = {"place-71": "downtown", "place-72": "", "opening": "1"}
    ada.press(f"{here}/agree", form, on=here)
    guide.advance()
    done = ada.read(here)

    assert "It begins in a moment" in begun.text
    assert keys == {"web", "till"}
    for words in (
        "Downtown 71",
        "SKUs unknown here: 1",
        "SOCKS its items 3, 4",
        "Gift <b>card</b>",
        "Matched by SKU 1",
    ):
        assert words in text_of(found), words
    assert "<b>card" not in found
    for words in (
        "It listens only: nothing is sent to it",
        "2 listings",
        "1 open order and 2 numbers taken over",
        "2 numbers compared, 0 would change",
        "env:STORE_ACCESS_TOKEN",
    ):
        assert words in text_of(done), words
    for page in (begun.text, found, done, sealed):
        assert "shpat_secret" not in page
        assert "shpss_secret" not in page
    assert kept(engine)[0]["asked"] == ""
    # Two of the eight that the shop shows were sold and are still there.
    assert shop.level("SCARF", "downtown")["available"] == 5
    assert shop.level(JACKET, "downtown")["committed"] == 2
    assert sandbox.admin.setup.addresses("orders/create") != []
    with engine.connect() as connection:
        row = store.row(connection, "store")
        channel = store.find(connection, shop.vault, "store")
    assert (row["publish"], channel.locations) == (None, {"downtown": "71"})
    assert channel.secrets["access_token"] == ["shpat_secret"]


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_kept(
    ada, shop, engine, web
):
    url, sandbox = web
    sandbox.config["scopes"] = "read_orders,read_locations,read_products"

    said = {
        "lacks": ada.press(FORM, asked(url), on=FORM),
        "token": ada.press(FORM, asked(url, secrets__access_token="no"), on=FORM),
        "shop": ada.press(FORM, asked(url, settings__shop="example.com"), on=FORM),
        "file": ada.press(
            FORM, asked(url, secrets__webhook="file:/etc/passwd"), on=FORM
        ),
        "taken": ada.press(FORM, asked(url, key="till"), on=FORM),
        "unheard": ada.press(FORM, asked(url, secrets__webhook=""), on=FORM),
        "silent": ada.press(FORM, asked("http://127.0.0.1:1"), on=FORM),
    }

    assert {answer.status_code for answer in said.values()} == {422}
    for name, words in {
        "lacks": "The app lacks the scope write_inventory",
        "token": "It refuses these credentials",
        "shop": "is no shop domain like blue-jacket.myshopify.com",
        "file": "Paste the secret itself",
        "taken": "till is a channel of standard",
        "unheard": "Without the secret webhook none of its webhooks can be checked",
        "silent": "could not be reached",
    }.items():
        beside = text_of(said[name].text.partition('class="field-wrong"')[2])
        assert words in beside, name
        assert "shpat_secret" not in said[name].text
    assert kept(engine) == []


def test_a_second_shop_takes_the_place_of_none(ada, shop, web):
    given = {"settings": {"shop": "brown-shoe.myshopify.com"}}
    shop.channel("shopify", provider="shopify", **given)

    proposed = ada.read(FORM)
    same = ada.press(FORM, asked(web[0], key="shopify"), on=FORM)

    assert 'name="key" type="text" maxlength="500" value="shopify-2"' in proposed
    assert same.status_code == 422
    assert (
        "shopify is brown-shoe.myshopify.com already; give this one another key, or "
        "remove that one first" in text_of(same.text)
    )


def test_a_location_s_code_is_in_its_people_s_letters(ada, shop, guide, web):
    url, sandbox = web
    sandbox.config["locations"] = [{"id": "72", "name": "Lager Süd 🏭"}]

    here = ada.press(FORM, asked(url), on=FORM).request.path
    guide.advance()

    assert 'name="new-72" value="lager-süd"' in ada.read(here)


def test_what_stops_is_said_and_goes_on_when_a_person_says_so(
    ada, shop, engine, guide, web
):
    url, sandbox = web
    here = ada.press(FORM, asked(url), on=FORM).request.path
    right, sandbox.token = sandbox.token, "another"

    guide.advance()
    stopped = ada.words(here)
    guide.advance()
    sandbox.token = right
    ada.press(f"{here}/again", on=here)
    guide.advance()
    two = {"place-71": "downtown", "place-72": "downtown"}
    twice = ada.press(f"{here}/agree", two, on=here)
    ada.press(f"{here}/drop", on=here)

    assert "It stopped." in stopped
    assert "downtown was chosen for two of its locations" in twice.text
    assert kept(engine) == []
    assert ada.get(here).status_code == 404


def test_several_of_our_locations_are_one_of_its(ada, shop, engine, guide, web):
    here = ada.press(FORM, asked(web[0]), on=FORM).request.path
    guide.advance()
    found = ada.read(here)
    ours = {"place-71": ["downtown", "harbour"], "new-71": "attic, loft"}
    bad = ada.press(f"{here}/agree", {**ours, "new-72": "unassigned:x"}, on=here)
    ada.press(f"{here}/agree", {**ours, "new-72": ""}, on=here)
    guide.advance()

    assert 'name="place-71" value="downtown" checked' in found
    assert 'name="place-71" value="harbour">' in found
    assert 'name="new-72" value="old-mill"' in found
    assert "take another name" in bad.text
    assert 'name="place-71" value="harbour" checked' in bad.text
    assert "It listens only" in ada.words(here)
    with engine.connect() as connection:
        channel = store.find(connection, shop.vault, "store")
    assert channel.locations == dict.fromkeys(
        ("downtown", "harbour", "attic", "loft"), "71"
    )


def test_items_that_are_listed_stay_what_somebody_said(ada, shop, guide, web):
    given = {"settings": {"shop": SHOP}, "base_url": web[0]}
    shop.channel("store", provider="shopify", **given)
    shop.listing("store", JACKET, "6")
    shop.sku("SCARF")

    here = ada.press(FORM, asked(web[0]), on=FORM).request.path
    guide.advance()

    assert "Listed already 1" in text_of(ada.read(here))


def test_no_address_inside_our_network_is_called_for_a_page(
    ada, shop, engine, settings, web
):
    mine = ada.client.application.extensions["onecount"]
    closed = replace(mine, settings=replace(settings, private_addresses=False))
    ada.client.application.extensions["onecount"] = closed

    answer = ada.press(FORM, asked(web[0]), on=FORM)

    assert answer.status_code == 422
    assert "is not a public address" in answer.text
    assert kept(engine) == []

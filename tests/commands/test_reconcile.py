"""`onecount reconcile`: a table of what differs, and an exit status that is true."""

import time
from itertools import count
from types import SimpleNamespace

import pytest
import requests

from adapters.sandbox.shopify import ShopifySandbox
from app.commands import reconcile
from app.domain import drift
from app.domain.instants import now
from app.pipeline.configuring.listings import map_listing, save_listing
from app.pipeline.publish import Publisher
from app.store import leases
from app.store.engine import writing
from app.store.tables import channels
from app.store.vault import Vault
from config.settings import Settings
from tests.adapters.sandboxes import control, serving
from tests.builders import JACKET

ITEM, PLACE = "808950810", "655441491"
TWIN = "808950811"
OPEN = "SELECT kind, subject FROM incidents WHERE closed_at IS NULL"


@pytest.fixture
def store():
    sandbox = ShopifySandbox(
        {
            "secret": "hush",
            "token": "shpat_sandbox",
            "shop": "blue-jacket.myshopify.com",
            "items": [
                {"id": ITEM, "parent": "49148385", "sku": JACKET},
                {"id": TWIN, "parent": "49148386", "sku": JACKET},
            ],
            "locations": [{"id": PLACE, "name": "Downtown"}],
            "stock": {ITEM: {PLACE: 5}, TWIN: {PLACE: 5}},
        }
    )
    with serving(sandbox) as url:
        yield url


def publish(hub, environ) -> None:
    publisher = Publisher(hub.engine, hub.vault, Settings.from_env(environ))
    while publisher.push_due("web"):
        pass
    publisher.release("web")


def edit_both(hub, environ, store, word: str, one: int, other: int) -> None:
    """Two listings of one SKU are edited on a channel with this drift policy."""
    hub.listing("web", JACKET, TWIN)
    publish(hub, environ)
    with writing(hub.engine) as connection:
        connection.execute(channels.update().values(drift=word))
    control(store, "edit", item=ITEM, place=PLACE, quantity=one)
    control(store, "edit", item=TWIN, place=PLACE, quantity=other)


@pytest.fixture
def shop(hub, environ, store):
    """A store that shows the five jackets there are."""
    hub.vault = Vault(["a secret key for tests"])
    hub.locations("downtown")
    hub.channel(
        "web",
        provider="shopify",
        base_url=store,
        mapped={"downtown": PLACE},
        publish={},
        settings={"shop": "blue-jacket.myshopify.com"},
        secrets={"webhook": ["hush"], "access_token": ["shpat_sandbox"]},
    )
    hub.channel("till")
    hub.sku(JACKET)
    with writing(hub.engine) as connection:
        save_listing(connection, "web", JACKET, ITEM, "49148385")
    hub.listing("web", JACKET, ITEM)
    with writing(hub.engine) as connection:
        save_listing(connection, "web", JACKET, ITEM, "49148385")
    hub.count(JACKET, "downtown", 5)
    publish(hub, environ)
    return hub


def test_what_differs_is_shown_and_put_right(onecount, shop, store, environ) -> None:
    assert "web: 1 numbers compared, no difference." in onecount("reconcile").output
    control(store, "edit", item=ITEM, place=PLACE, quantity=9)

    looked = onecount("reconcile", "web", "--dry-run")
    assert looked.exit_code == 0, looked.output
    for words in (JACKET, "9", "5", "somebody changed", "ours would be published"):
        assert words in looked.output
    done = onecount("reconcile", "web")
    assert "ours is published" in done.output

    publish(shop, environ)
    assert "no difference" in onecount("reconcile", "web").output


def test_one_of_the_two_can_be_taken(onecount, shop, store) -> None:
    control(store, "edit", item=ITEM, place=PLACE, quantity=0)

    assert "waits for you" in onecount("reconcile", "web").output
    assert shop.level(JACKET) == {"available": 5}
    again = onecount("reconcile", "web").output
    assert "no difference" in again, "0 is published until somebody decides"
    assert "web: 1 waits for you" in again
    taken = onecount("reconcile", "web", "--take", "theirs")

    assert "theirs is taken" in taken.output
    assert "waits for you" not in taken.output
    assert shop.level(JACKET) == {}


def test_a_person_is_asked_though_another_number_of_the_sku_is_right(
    onecount, shop, store, environ, ask
) -> None:
    shop.listing("web", JACKET, TWIN)
    publish(shop, environ)
    control(store, "edit", item=ITEM, place=PLACE, quantity=0)
    waits = [("drift", f"web:{JACKET}")]

    for _ in range(2):
        assert "1 waits for you" in onecount("reconcile", "web").output
        assert ask(OPEN) == waits, "told in the incidents, and by alerts"
    assert onecount("reconcile", "web", "--take", "ours").exit_code == 0
    assert ask(OPEN) == []


@pytest.mark.parametrize("word", [drift.ADOPT, drift.ASK])
def test_what_two_listings_show_of_one_stock_is_taken_once(
    onecount, shop, store, environ, word
) -> None:
    edit_both(shop, environ, store, word, 8, 8)

    onecount("reconcile", "web")
    onecount("reconcile", "web", "--take", "theirs")

    assert shop.level(JACKET) == {"available": 8}
    publish(shop, environ)
    assert "2 numbers compared, no difference" in onecount("reconcile", "web").output


def test_two_listings_that_say_different_things_of_one_stock_ask_a_person(
    onecount, shop, store, environ
) -> None:
    edit_both(shop, environ, store, drift.ADOPT, 8, 4)

    said = onecount("reconcile", "web").output

    assert "theirs is taken" in said
    assert "1 waits for you" in said
    assert shop.level(JACKET) == {"available": 8}
    onecount("reconcile", "web", "--take", "theirs")
    assert shop.level(JACKET) == {"available": 4}


def test_a_sale_that_waits_for_a_name_is_not_published_over(
    onecount, shop, store, environ
) -> None:
    shop.sku("COAT")
    shop.listing("web", "COAT", TWIN)  # by the item alone: orders name the variant
    shop.count("COAT", "downtown", 5)
    publish(shop, environ)
    time.sleep(1.1)  # Shopify's clock ticks whole seconds
    control(store, "sell", lines=[{"item": TWIN, "quantity": 1}])

    said = onecount("reconcile", "web").output

    assert "not all of the channel's orders are known" in said
    assert "waits for you" in said
    publish(shop, environ)
    assert requests.get(f"{store}/_sandbox/state").json()["stock"][TWIN] == {PLACE: 4}
    map_listing(shop.engine, "web", "COAT", TWIN, "49148386", now=now())
    publish(shop, environ)
    again = onecount("reconcile", "web").output
    assert "no difference" in again
    assert "waits for you" not in again
    assert shop.level("COAT") == {"available": 4, "committed": 1}


def test_a_channel_that_cannot_be_read_fails_it(onecount, shop, store) -> None:
    control(store, "weather", status=503)

    said = onecount("reconcile")

    assert said.exit_code == 1
    assert "could not be compared: web" in said.output
    assert "there is no channel 'nowhere'" in onecount("reconcile", "nowhere").output


def test_a_channel_that_cannot_be_compared_keeps_no_other_from_it(
    onecount, shop, store, monkeypatch
) -> None:
    shop.channel("absent", publish={})
    shop.channel("busy", publish={})
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE channels SET provider = 'x' WHERE key = 'absent'"
        )
        assert leases.acquire(connection, "outbound:busy", "somebody", 60)
    minutes = SimpleNamespace(monotonic=count(0, 60).__next__, sleep=lambda _: None)
    monkeypatch.setattr(reconcile, "time", minutes)

    said = onecount("reconcile")

    assert said.exit_code == 1
    assert "absent: no provider 'x'; known:" in said.output
    assert "busy: busy is busy publishing" in said.output
    assert "web: 1 numbers compared, no difference." in said.output
    assert "could not be compared: absent, busy" in said.output

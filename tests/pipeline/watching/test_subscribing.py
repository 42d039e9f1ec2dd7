"""The subscription watchdog, against a shop and an account that answer for real."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.parts.shopify_webhooks import NEEDED, OF_RETURNS, enum
from adapters.sandbox.shopify import ShopifySandbox
from adapters.sandbox.square import SquareSandbox
from app.domain.instants import HOUR, now
from app.pipeline.watching import subscribing
from app.pipeline.watching.subscribing import Watchdog
from app.store.configuration import channels
from app.store.tables import incidents
from config.settings import Settings
from tests.adapters.sandboxes import serving

SHOP = "blue-jacket.myshopify.com"
TOKEN = {"access_token": ["token"]}
SETTINGS = Settings(
    database_url="",
    redis_url="",
    data_dir=Path(),
    secret_key="a secret key for tests",
    public_url="https://stock.example.com",
)
HERE = "https://stock.example.com/webhooks"


@pytest.fixture
def web(shop) -> Iterator[ShopifySandbox]:
    sandbox = ShopifySandbox({"token": "token", "shop": SHOP})
    with serving(sandbox) as url:
        secrets = {**TOKEN, "webhook": ["hush"]}
        settings = {"shop": SHOP}
        shop.channel(
            *("web",),
            provider="shopify",
            base_url=url,
            settings=settings,
            secrets=secrets,
        )
        yield sandbox


@pytest.fixture
def till(shop) -> Iterator[SquareSandbox]:
    sandbox = SquareSandbox({"token": "token"})
    with serving(sandbox) as url:
        shop.channel("till", provider="square", base_url=url, secrets=TOKEN)
        yield sandbox


def look(shop, key: str):
    """What the watchdog finds when it is time to."""
    with shop.engine.connect() as connection:
        row = channels.row(connection, key)
    return subscribing.subscribe(shop.engine, shop.vault, row, SETTINGS)


def told(shop) -> list[str]:
    query = sa.select(incidents.c.message).where(
        incidents.c.kind == subscribing.UNHEARD, incidents.c.closed_at.is_(None)
    )
    with shop.engine.connect() as connection:
        return list(connection.execute(query).scalars())


def row(shop, key: str):
    with shop.engine.connect() as connection:
        return channels.row(connection, key)


def test_what_a_shop_does_not_send_is_registered_once(shop, web):
    assert look(shop, "web").mended == (*NEEDED, OF_RETURNS)
    assert look(shop, "web").missing == ()

    sent = web.admin.setup.subscriptions.values()
    wanted = (*NEEDED, OF_RETURNS)
    assert {one["topic"] for one in sent} == {enum(topic) for topic in wanted}
    assert {one["uri"] for one in sent} == {f"{HERE}/web"}


def test_deleted_and_cut_down_subscriptions_are_mended(shop, web):
    look(shop, "web")
    known = web.admin.setup.subscriptions
    ids = {one["topic"]: id_ for id_, one in known.items()}
    del known[ids["ORDERS_CREATE"]]
    known[ids["ORDERS_PAID"]]["filter"] = "total_price:>100"
    staging = "https://staging.example.com/webhooks/web"
    known["other"] = {**known[ids["ORDERS_EDITED"]], "id": "other", "uri": staging}

    found = look(shop, "web")

    assert set(found.mended) == {"orders/create", "orders/paid"}
    assert known.pop("other")["uri"] == staging, "another hub's is left alone"
    assert len(known) == len(NEEDED) + 1
    assert not any(one["filter"] for one in known.values())


def test_of_returns_is_only_heard_by_an_app_that_may_read_them(shop, web):
    web.config["scopes"] = "read_orders,write_inventory"

    assert look(shop, "web").mended == NEEDED
    assert look(shop, "web").missing == ()


def test_topics_that_a_shop_refuses_are_said_and_polled_for(shop, web):
    web.config["protected"] = True

    found = look(shop, "web")

    assert "inventory_levels/update" in found.mended
    assert "orders/create" not in found.mended
    assert len(found.refused) == 1, "one sentence for all of them"
    assert "protected customer data" in found.refused[0]
    assert "It is polled for what changes instead" in found.refused[0]


def test_a_key_that_square_signs_with_is_kept(shop, till):
    found = look(shop, "till")

    (made,) = till.setup.subscriptions.values()
    assert "inventory.count.updated" in found.mended
    with shop.engine.connect() as connection:
        kept = channels.find(connection, shop.vault, "till")
    assert kept.secrets["webhook"] == [made["signature_key"]]
    assert made["signature_key"] not in repr(found)

    made["enabled"] = False
    assert look(shop, "till").mended == found.mended
    assert made["enabled"]
    assert look(shop, "till").missing == ()


def test_what_only_a_person_can_do_is_an_incident_until_it_is_done(shop, till):
    till.config["oauth_token"] = True
    watchdog = Watchdog(shop.engine, shop.vault, SETTINGS)

    watchdog.look("till")

    (words,) = told(shop)
    assert f"subscribe {HERE}/till in the Developer Console" in words
    assert "order.created" in words
    assert row(shop, "till")["webhooks_due_at"] > now()
    till.config["oauth_token"] = False
    shop.channel(
        "till", provider="square", base_url=row(shop, "till")["base_url"], secrets=TOKEN
    )
    watchdog.look("till")
    assert told(shop) == []


def test_nobody_is_asked_before_it_is_time_or_where_nobody_could_reach_us(shop, till):
    at_home = dataclasses.replace(SETTINGS, public_url="http://127.0.0.1:8000")
    Watchdog(shop.engine, shop.vault, at_home).look("till")
    assert till.calls == 0

    Watchdog(shop.engine, shop.vault, SETTINGS).look("till")
    calls = till.calls
    Watchdog(shop.engine, shop.vault, SETTINGS).look("till")

    assert calls > 0
    assert till.calls == calls
    assert row(shop, "till")["webhooks_due_at"] <= now() + HOUR

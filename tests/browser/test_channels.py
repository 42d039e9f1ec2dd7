"""An administrator connects a store, from its token to the first comparison."""

import sqlalchemy as sa
from playwright.sync_api import expect

from adapters.sandbox.shopify import ShopifySandbox
from app.store.engine import writing
from app.store.tables import users
from tests.adapters.sandboxes import serving
from tests.browser.axe import violations
from tests.builders import JACKET

SHOP = "blue-jacket.myshopify.com"
STORE = {
    "token": "shpat_secret",
    "shop": SHOP,
    "locations": [{"id": "71", "name": "Downtown"}],
    "items": [
        {"id": "1", "parent": "91", "sku": JACKET, "name": "Blue jacket"},
        {"id": "3", "parent": "93", "sku": "SOCKS"},
        {"id": "4", "parent": "94", "sku": "SOCKS"},
        {"id": "6", "parent": "96", "sku": "SCARF", "name": "Red scarf"},
    ],
    "stock": {"1": {"71": 8}, "6": {"71": 5}},
}


def ask_with_secrets(page) -> None:
    page.get_by_label("Access token").fill("shpat_secret")
    page.get_by_label("Webhook").fill("shpss_secret")
    page.get_by_role("button", name="Look what is there").click()


def test_a_store_is_connected_without_a_shell(run, hub, shop, desk):
    shop.locations("downtown")
    shop.sku(JACKET)
    with writing(shop.engine) as connection:
        connection.execute(users.update().values(role="admin"))
    run("workers.run", "scheduler")
    sandbox = ShopifySandbox(STORE)
    sandbox.config["scopes"] = "read_orders,read_products,read_locations"
    with serving(sandbox) as url:
        page = desk().log_in()
        page.get_by_role("link", name="Channels").click()
        page.get_by_role("link", name="Connect a store or till").click()
        page.get_by_role("link", name="Shopify").click()
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Another address").fill(url)
        page.get_by_label("Shop", exact=True).fill(SHOP)
        ask_with_secrets(page)
        expect(page.get_by_text("lacks the scope write_inventory")).to_be_visible()
        assert violations(page) == []
        del sandbox.config["scopes"]
        ask_with_secrets(page)
        downtown = page.get_by_role("checkbox", name="downtown")
        expect(downtown).to_be_checked(timeout=20_000)
        assert violations(page) == []
        page.get_by_label("Its numbers are right").check()
        page.get_by_role("button", name="Connect it; it listens only").click()
        done = page.get_by_role("heading", name="It listens only")
        expect(done).to_be_visible(timeout=20_000)
        expect(page.get_by_text("2 numbers compared, 0 would change.")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("link", name="Not yet").click()
        page.get_by_role("link", name="shopify", exact=True).click()
        page.get_by_role("button", name="Send a test webhook").click()
        said = page.get_by_role("status").first
        expect(said).to_contain_text("Answered 200 in")
        expect(said).to_contain_text('"status": "accepted"')

    assert "shpat_secret" not in page.content()
    assert shop.level("SCARF", "downtown")["available"] == 5
    with shop.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT key, publish FROM channels")).all()
    assert [tuple(row) for row in found] == [("shopify", None)]

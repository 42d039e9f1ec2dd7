"""`onecount connect`, from nothing to publishing, with a shop and a till that answer."""

import json
import time
from collections.abc import Iterator

import pytest

import adapters
from adapters.http import Http
from adapters.sandbox.shopify import ShopifySandbox
from adapters.sandbox.square import SquareSandbox
from app.pipeline.configuring.opening import Opening
from app.pipeline.receive import with_address
from app.store.configuration import channels
from app.store.engine import reading
from tests.adapters.sandboxes import Receiver, control, receiving, serving

SHOP = "blue-jacket.myshopify.com"
ITEMS = [
    {"id": "1", "parent": "91", "sku": "JACKET", "name": "Blue jacket"},
    {"id": "2", "parent": "92", "sku": "their-hat", "barcode": "4006381333931"},
    {"id": "3", "parent": "93", "sku": "SOCKS"},
    {"id": "4", "parent": "94", "sku": "SOCKS"},
    {"id": "5", "parent": "95", "sku": "", "name": "Gift card"},
    {"id": "6", "parent": "96", "sku": "SCARF", "name": "Red scarf"},
]
STOCK = {"1": {"71": 8}, "2": {"71": 3}, "6": {"71": 5}}
PLACES = [{"id": "71", "name": "Downtown"}, {"id": "72", "name": "Old Mill"}]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def public(environ, receiver) -> str:
    address = receiver.url.removesuffix("/webhooks/till")
    environ["ONECOUNT_PUBLIC_URL"] = address
    return address


@pytest.fixture
def web() -> Iterator[tuple[str, ShopifySandbox]]:
    given = {"items": ITEMS, "stock": STOCK, "locations": PLACES}
    sandbox = ShopifySandbox({"token": "shpat_secret", "shop": SHOP, **given})
    with serving(sandbox) as url:
        yield url, sandbox


def shopify(url: str, *more: str) -> tuple[str, ...]:
    return (
        *("connect", "shopify", "--key", "web", "--base-url", url),
        *("--set", f"shop={SHOP}", "--secret", "access_token=env:SHOPIFY_TOKEN"),
        *("--secret", "webhook=env:SHOPIFY_HOOK", *more),
    )


SECRETS = {"SHOPIFY_TOKEN": "shpat_secret", "SHOPIFY_HOOK": "shpss_secret"}


def test_a_shop_is_taken_over_and_published_to_when_a_person_says_so(
    onecount, hub, web, public, receiver, write, ask, noted, tmp_path
) -> None:
    url, sandbox = web
    hub.locations("downtown")
    write("skus.csv", "sku,name,barcode\nHAT,A hat,4006381333931\nBELT,A belt,\n")
    assert onecount("import", "skus", str(tmp_path / "skus.csv")).exit_code == 0
    control(
        url, "sell", lines=[{"item": "1", "quantity": 2}], place="71"
    )  # not shipped yet
    gone = control(url, "sell", lines=[{"item": "6", "quantity": 1}], place="71")
    control(url, "ship", order=gone["order"])
    kept = tmp_path / "web.toml"

    done = onecount(
        *shopify(url, "--opening", "--yes", "--write", str(kept)), **SECRETS
    )

    assert done.exit_code == 0, done.output
    for line in (
        "Items: 0 matched by SKU, 1 by barcode.",
        "2 SKUs are unknown here and will be added: JACKET, SCARF",
        "SOCKS: 2 of its items claim to be it (3, 4); none is mapped",
        "1 have no SKU or barcode we know: Gift card",
        "1 of our SKUs it lacks: BELT",
        "1 open orders and 6 numbers taken over.",
        "web: 6 numbers compared, publishing would change 0.",
        "Nothing was published.",
    ):
        assert line in done.output
    assert "secret" not in done.output.replace("secrets", "")
    assert noted()[0][:3] == ("command line", "connect", "web")
    # Units of an open order are there, and promised.
    jacket = hub.level("JACKET", "downtown")
    assert (jacket["available"], jacket["committed"]) == (6, 2)
    assert hub.level("SCARF", "downtown")["available"] == 4
    assert hub.level("HAT", "downtown")["available"] == 3
    assert ask("SELECT count(*) FROM publications") == [(0,)]
    assert sandbox.admin.setup.addresses("orders/create") == [f"{public}/webhooks/web"]
    control(url, "edit", item="1", place="71", quantity=9)
    heard = receiver.wait(lambda got: got)
    assert heard[0].headers["x-shopify-topic"] == "inventory_levels/update"

    # It is the same file as a person would write, and may be run again.
    assert onecount("load", str(kept), **SECRETS).exit_code == 0
    again = onecount(*shopify(url, "--yes"), **SECRETS)
    assert "Items: 2 matched by SKU, 1 by barcode." in again.output
    assert "0 registered, all were there" in again.output
    looked = onecount("channels", "publish", "web", "--dry-run", "--buffer", "1")
    assert "publishing would change 3" in looked.output
    assert ask("SELECT publish FROM channels") == [(None,)]
    assert onecount("channels", "publish", "web", "--yes").exit_code == 0
    assert ask("SELECT publish FROM channels") == [("{}",)]
    assert ask("SELECT count(*) FROM publications") == [(6,)]
    assert onecount(*shopify(url, "--yes"), **SECRETS).exit_code == 1, "it would stop"


def test_what_a_person_said_of_an_item_goes_before_its_sku_and_its_twins(
    onecount, hub, web, write, ask
) -> None:
    url, sandbox = web
    sandbox.stock["4"] = {"71": 2}
    assert "left out" in onecount(*shopify(url, "--yes"), **SECRETS).output
    hub.sku("RED-SCARF", "SOCKS")
    said = "channel,sku,external_id,external_parent_id\nweb,RED-SCARF,6,96\nweb,SOCKS,4,94\n"
    assert onecount("import", "listings", write("said.csv", said)).exit_code == 0

    done = onecount(*shopify(url, "--opening", "--yes"), **SECRETS)

    assert done.exit_code == 0, done.output
    assert "1 matched by SKU, 0 by barcode, 1 listed already." in done.output
    assert "claim to be it" not in done.output
    mapped = "SELECT sku FROM listings JOIN skus ON skus.id = sku_id WHERE external_id"
    assert ask(f"{mapped} = '6'") == [("RED-SCARF",)]
    assert ask(f"{mapped} IN ('3', '4')") == [("SOCKS",)]
    assert hub.level("RED-SCARF", "downtown")["available"] == 5
    assert hub.level("SOCKS", "downtown")["available"] == 2


def test_a_till_tells_the_key_it_signs_with(
    onecount, hub, environ, public, receiver
) -> None:
    given = {"items": ITEMS[:1], "stock": {"1": {"L1": 4}}}
    places = [{"id": "L1", "name": "Main Street"}]
    sandbox = SquareSandbox({"token": "EAAA-secret", "locations": places, **given})
    with serving(sandbox) as url:
        # Paid, its unit has left the number; not paid, its two are in it still.
        for units, is_owed in ((1, False), (2, True)):
            line = {"item": "1", "quantity": units}
            control(url, "sell", lines=[line], place="L1", unpaid=is_owed)
        done = onecount(
            *("connect", "square", "--key", "till", "--base-url", url, "--opening"),
            *("--secret", "access_token=env:SQUARE_TOKEN", "--yes"),
            SQUARE_TOKEN="EAAA-secret",
        )
        assert done.exit_code == 0, done.output
        control(url, "edit", item="1", place="L1", quantity=3)
        heard = receiver.wait(lambda got: got)

    jacket = hub.level("JACKET", "main-street")
    assert (jacket["available"], jacket["committed"]) == (1, 3), "four are there"
    with reading(hub.engine) as connection:
        channel = with_address(channels.find(connection, hub.vault, "till"), public)
    adapters.get("square")(channel, Http("Square", "till")).verify(heard[0])
    assert json.loads(heard[0].body)["type"] == "inventory.count.updated"


@pytest.mark.parametrize("reading_", [1, 2])
@pytest.mark.parametrize("ahead", [0, 60, -60, 3600])
def test_what_is_sold_while_items_are_read_is_promised_in_their_first_counts(
    onecount, hub, web, monkeypatch, ahead, reading_
) -> None:
    """Reading ten thousand items takes minutes, and clocks differ."""
    url, _ = web
    control(url, "weather", ahead=ahead)
    read, times = Opening._numbers, []

    def slowly(self, wishes):
        times.append(len(wishes))
        if len(times) == reading_:
            time.sleep(1.1)
            line = {"item": "1", "quantity": 2}
            control(url, "sell", lines=[line], place="71")
        return read(self, wishes)

    monkeypatch.setattr(Opening, "_numbers", slowly)

    done = onecount(*shopify(url, "--opening", "--yes"), **SECRETS)
    control(url, "weather")

    assert "publishing would change 0." in done.output
    jacket = hub.level("JACKET", "downtown")
    assert (jacket["available"], jacket["committed"]) == (6, 2)
    again = [1, 1] if reading_ == 2 else []
    assert times[2:] == again, "only what changed meanwhile is read again"


SCOPES = (
    *("MERCHANT_PROFILE_READ", "ITEMS_READ", "INVENTORY_READ", "INVENTORY_WRITE"),
    *("ORDERS_READ", "PAYMENTS_READ"),
)


@pytest.mark.parametrize("lacking", [SCOPES[:1], SCOPES[3:4], SCOPES[4:], SCOPES])
def test_each_scope_that_a_till_s_token_lacks_is_named(onecount, ask, lacking) -> None:
    granted = [one for one in SCOPES if one not in lacking]
    places = [{"id": "L1", "name": "Main Street"}]
    given = {"token": "EAAA-secret", "locations": places, "scopes": granted}
    with serving(SquareSandbox(given)) as url:
        done = onecount(
            *("connect", "square", "--key", "till", "--base-url", url, "--yes"),
            *("--secret", "access_token=env:SQUARE_TOKEN"),
            SQUARE_TOKEN="EAAA-secret",
        )

    assert done.exit_code == 1
    for one in SCOPES:
        assert (f"lacks the scope {one}:" in done.output) == (one in lacking), one
    assert ask("SELECT count(*) FROM channels") == [(0,)]


def test_nothing_is_changed_for_somebody_who_may_not_or_says_no(
    onecount, web, ask
) -> None:
    url, sandbox = web
    sandbox.config["scopes"] = "read_orders,read_locations,read_products"

    lacking = onecount(*shopify(url, "--yes"), **SECRETS)
    open_ = onecount(*shopify(url, "--secret", "webhook=shpss_plain"), **SECRETS)
    sandbox.config.pop("scopes")
    refused = onecount(*shopify(url), **SECRETS)
    elsewhere = onecount(*shopify(url, "--location", "downtown=99"), **SECRETS)

    assert lacking.exit_code == 1
    assert "lacks the scope write_inventory" in lacking.output
    assert open_.exit_code == 2
    assert "shpss_plain" not in open_.output
    assert refused.exit_code == 1
    assert "no active location 99; it has 71 (Downtown)" in elsewhere.output
    assert ask("SELECT count(*) FROM channels") == [(0,)]

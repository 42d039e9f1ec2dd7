"""`onecount channels check`, against channels that answer for real."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from adapters.sandbox.shipstation import ShipStationSandbox
from adapters.sandbox.shopify import ShopifySandbox
from adapters.sandbox.square import SquareSandbox
from adapters.sandbox.standard import StandardSandbox
from tests.adapters.sandboxes import control, serving
from tests.builders import SECRET

SHOP = "blue-jacket.myshopify.com"


@pytest.fixture
def urls(hub) -> Iterator[dict[str, str]]:
    """Four channels, all well."""
    place = {"locations": [{"id": "1"}]}
    kinds = {
        "web": ShopifySandbox({"token": "token", "shop": SHOP, **place}),
        "till": SquareSandbox({"token": "token", **place}),
        "parcels": ShipStationSandbox(
            {"api_key": "v2", "v1_key": "k", "v1_secret": "s"}
        ),
        "wms": StandardSandbox({"secret": SECRET, **place}),
    }
    with ExitStack() as stack:
        found = {key: stack.enter_context(serving(one)) for key, one in kinds.items()}
        hub.locations("downtown")
        given = {"mapped": {"downtown": "1"}}
        token = {"webhook": ["hush"], "access_token": ["token"]}
        connect(hub, "web", found, "shopify", token, settings={"shop": SHOP}, **given)
        connect(hub, "till", found, "square", token, **given)
        keys = {"api_key": ["v2"], "v1_key": ["k"], "v1_secret": ["s"]}
        connect(hub, "parcels", found, "shipstation", keys)
        push_url = {"push_url": f"{found['wms']}/stock"}
        signing = {"webhook": [SECRET]}
        connect(hub, "wms", found, "standard", signing, settings=push_url)
        yield found


def connect(hub, key, urls, provider, secrets, **values) -> None:
    hub.channel(key, provider=provider, base_url=urls[key], secrets=secrets, **values)


def test_all_is_well_with_every_provider(onecount, urls) -> None:
    done = onecount("channels", "check")

    assert done.exit_code == 0, done.output
    for line in (
        "web (Shopify): fine.",
        "till (Square): fine.",
        "parcels (ShipStation): fine.",
        "wms (Standard Webhooks): fine.",
    ):
        assert line in done.output
    assert "wms cannot be asked what changed there" in done.output
    assert "web cannot be asked" not in done.output
    assert "parcels has its webhooks set up by hand, to http" in done.output


def test_a_channel_of_an_absent_provider_is_named_and_all_others_checked(
    onecount, hub, urls
) -> None:
    with hub.engine.begin() as connection:
        absent = "UPDATE channels SET provider = 'x' WHERE key = 'parcels'"
        connection.exec_driver_sql(absent)

    done = onecount("channels", "check")

    assert done.exit_code == 1
    assert "parcels (x): It cannot be asked. no provider 'x'; known:" in done.output
    assert done.output.count("): fine.") == 3


def test_a_webhook_that_does_not_come_is_named(onecount, urls) -> None:
    public = {"ONECOUNT_PUBLIC_URL": "https://stock.example.com"}

    done = onecount("channels", "check", "web", **public)

    assert done.exit_code == 1
    assert "It does not send us orders/create, orders/updated" in done.output


@pytest.mark.parametrize(
    ("key", "provider", "secrets"),
    [
        ("web", "shopify", {"webhook": ["hush"], "access_token": ["old"]}),
        ("till", "square", {"webhook": ["hush"], "access_token": ["old"]}),
        ("parcels", "shipstation", {"api_key": ["old"]}),
        (
            "parcels",
            "shipstation",
            {"api_key": ["v2"], "v1_key": ["k"], "v1_secret": ["x"]},
        ),
        ("wms", "standard", {"webhook": ["whsec_b2xkIGFuZCB0aWNrZXR5IGJvbmVz"]}),
    ],
)
def test_refused_credentials_say_what_to_do(
    onecount, hub, urls, key, provider, secrets
) -> None:
    settings = {
        "web": {"shop": SHOP},
        "wms": {"push_url": f"{urls['wms']}/stock"},
    }
    connect(hub, key, urls, provider, secrets, settings=settings.get(key, {}))

    done = onecount("channels", "check", key)

    assert done.exit_code == 1
    assert "refuses our credentials: put valid ones into the file" in done.output
    assert f"onecount channels resume {key}" in done.output
    assert not any(
        one in done.output
        for found in secrets.values()
        for one in found
        if len(one) > 4
    )


def test_a_channel_that_is_down_is_no_fault_of_ours(onecount, urls) -> None:
    control(urls["till"], "weather", status=503)

    done = onecount("channels", "check")

    assert done.exit_code == 1
    assert "till (Square): It does not answer as it should" in done.output
    assert "web (Shopify): fine." in done.output


@pytest.mark.parametrize(("key", "provider"), [("web", "shopify"), ("till", "square")])
def test_a_location_that_is_gone_is_named(onecount, hub, urls, key, provider) -> None:
    token = {"webhook": ["hush"], "access_token": ["token"]}
    settings = {"shop": SHOP} if key == "web" else {}
    connect(
        *(hub, key, urls, provider, token),
        settings=settings,
        mapped={"downtown": "77"},
    )

    done = onecount("channels", "check", key)

    assert done.exit_code == 1
    assert "no active location 77: map downtown to another one" in done.output


def test_every_missing_scope_is_named(onecount, hub) -> None:
    scopes = "write_inventory,read_products,read_fulfillments,read_locations"
    sandbox = ShopifySandbox({"token": "token", "shop": SHOP, "scopes": scopes})
    with serving(sandbox) as url:
        token = {"webhook": ["hush"], "access_token": ["token"]}
        connect(hub, "web", {"web": url}, "shopify", token, settings={"shop": SHOP})

        done = onecount("channels", "check", "web")

    assert done.exit_code == 1
    assert "lacks the scope read_orders" in done.output
    assert "lacks the scope read_merchant_managed_fulfillment_orders" in done.output
    assert done.output.count("lacks the scope") == 2, "who may write may read"


def test_an_unknown_channel_is_named(onecount) -> None:
    done = onecount("channels", "check", "nowhere")

    assert done.exit_code == 1
    assert "there is no channel 'nowhere'" in done.output

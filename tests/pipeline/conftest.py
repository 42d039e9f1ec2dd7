import pytest

from app.pipeline.configuring.listings import save_listing
from app.store.engine import applying
from tests.builders import JACKET, Shop
from tests.listening import listening


@pytest.fixture
def empty_shop(engine):
    shop = Shop(engine)
    yield shop
    shop.receiver.close()


@pytest.fixture
def shop(empty_shop) -> Shop:
    """One location with ten blue jackets, an online store and a till."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("web", publish={})
    shop.channel("till", publish={})
    shop.sku(JACKET)
    shop.listing("web", JACKET, JACKET)
    shop.listing("till", JACKET, JACKET)
    shop.count(JACKET, "downtown", 10)
    return shop


@pytest.fixture
def channel():
    with listening() as channel:
        yield channel


@pytest.fixture
def web(empty_shop, channel) -> Shop:
    """Five blue jackets, and an online store that takes pushes over real HTTP."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("web", publish={}, settings={"push_url": channel.url})
    shop.channel("till")
    shop.sku(JACKET, "RED-SCARF")
    shop.listing("web", JACKET, "jacket-1")
    shop.count(JACKET, "downtown", 5)
    return shop


@pytest.fixture
def shopify(empty_shop) -> Shop:
    """Ten blue jackets, and a Shopify store that sells them as variant 8."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel(
        "web",
        provider="shopify",
        mapped={"downtown": "1"},
        settings={"shop": "blue-jacket.myshopify.com"},
    )
    shop.sku(JACKET)
    with applying(shop.engine) as connection:
        save_listing(connection, "web", JACKET, "9", "8")
    shop.count(JACKET, "downtown", 10)
    return shop

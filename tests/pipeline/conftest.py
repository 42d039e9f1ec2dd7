import pytest

from tests.builders import JACKET, Shop


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

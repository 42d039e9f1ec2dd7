"""How much there was at the end of each day is what is told of that moment."""

from app.domain.instants import DAY, MINUTE, now
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.proving import assembling
from app.pipeline.proving.course import course
from app.store.stock import aliases
from app.store.stock.balances import When
from tests.builders import JACKET, order, sale

SCARF, GIFT = "RED-SCARF", "GIFT-BOX"
DAYS = 5


def test_a_kits_course_is_what_could_be_put_together_then(empty_shop):
    shop = empty_shop
    today = now() // DAY * DAY
    days = [today - ago * DAY for ago in range(DAYS - 1, -1, -1)]
    shop.locations("downtown", "harbour")
    shop.channel("till", mapped={"downtown": "1"}, publish=None)
    shop.channel("web", publish={})
    shop.sku(JACKET, SCARF)
    shop.count(JACKET, "downtown", 40, at=days[0])
    shop.count(SCARF, "downtown", 9, at=days[1])
    shop.count(SCARF, "harbour", 20, at=days[2])
    set_recipe(shop.engine, GIFT, {JACKET: 1, SCARF: 2}, now=now())
    set_recipe(shop.engine, GIFT, {JACKET: 3}, now=now(), since=days[3] + MINUTE)
    shop.listing("web", SCARF, "scarf-1")
    shop.tell("till", sale("T-1", SCARF, 1, at=days[2] + MINUTE, location="1"))
    shop.tell("web", order("1001", "scarf-1", 5, at=days[2] + MINUTE))

    with shop.engine.connect() as connection:
        at = now()
        ends = [*(day - 1 for day in days[1:]), at]
        for sku in (GIFT, SCARF):
            number = aliases.sku_id(connection, sku)
            found = course(connection, number, days, When(at))
            then = [assembling.stock_of(connection, sku, When(at, end)) for end in ends]
            assert found == [(one["available"], one["on_hand"]) for one in then]
        gifts = course(connection, aliases.sku_id(connection, GIFT), days, When(at))
    assert gifts == [(0, 0), (4, 0), (4, 0), (13, 0), (13, 0)]

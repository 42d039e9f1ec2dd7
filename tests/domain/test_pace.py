"""How fast a channel sells, and when it sells a unit that is not there."""

from app.domain.instants import DAY, HOUR
from app.domain.pace import per_day, until_oversold


def test_sales_of_a_week_are_told_per_day():
    assert per_day(14) == 2.0


def test_what_was_cancelled_is_no_sale():
    assert per_day(-3) == 0.0


def test_the_sale_after_the_last_unit_is_the_one_too_many():
    assert until_oversold(0, 2.0) == 12 * HOUR
    assert until_oversold(3, 2.0) == 2 * DAY


def test_an_oversold_sku_has_no_unit_left_to_sell_first():
    assert until_oversold(-5, 1.0) == DAY


def test_where_nothing_is_sold_nobody_can_say():
    assert until_oversold(3, 0.0) is None

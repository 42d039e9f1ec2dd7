"""At risk: channels that offer units which are not there, the next oversell first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from app.domain import pace
from app.domain.instants import Instant
from app.store.stock import sales
from app.web.pages.rows import Delivery
from app.web.pages.todo import stays
from app.web.texts import gettext


@dataclass(frozen=True, slots=True)
class Risk:
    """One number that is too high, and how fast that becomes an oversell."""

    delivery: Delivery
    per_day: float
    """Units this channel sells of it a day."""
    within: Instant | None
    """How long until it sells one too many, at that pace; None: it sells none."""

    @property
    def pace(self) -> str:
        """Sales a day, in words."""
        if not self.per_day:
            return gettext("none this week")
        if self.per_day < 1:
            return gettext("less than 1")
        return f"{self.per_day:,.0f}" if self.per_day >= 10 else f"{self.per_day:.1f}"


def exposed(urgent: Sequence[Delivery], now: Instant) -> list[Delivery]:
    """Numbers that are too high and will stay so: not those on their way just now."""
    return [one for one in urgent if one.excess and stays(one, now)]


def find(
    connection: Connection, urgent: Sequence[Delivery], now: Instant
) -> list[Risk]:
    """Those of the undelivered numbers that are too high."""
    risky = exposed(urgent, now)
    if not risky:
        return []
    skus = {one.sku_id for one in risky}
    sold = sales.taken(connection, skus, now - pace.WINDOW)
    found = []
    for one in risky:
        a_day = pace.per_day(sold.get((one.sku_id, one.channel_id), 0))
        found.append(Risk(one, a_day, pace.until_oversold(one.should, a_day)))
    never = pace.WINDOW * 1000
    return sorted(
        found,
        key=lambda risk: (
            never if risk.within is None else risk.within,
            -risk.delivery.excess,
        ),
    )

"""Watching the hub from outside: what is true, what each channel shows, is it quiet."""

import contextlib
import time
from collections.abc import Callable

import requests
import sqlalchemy as sa

from app.demo.shop import Good, Shop
from app.domain.instants import now
from app.domain.states import ON_HAND
from app.pipeline.proving import audit
from app.pipeline.publishing import desired
from app.store.publishing import deliveries
from app.store.tables import inbox, skus, stock_levels

PATIENCE = 60.0


def within(seconds: float, question: Callable[[], object]) -> bool:
    """Whether it becomes so in time; a hub that is starting again is asked again."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(requests.ConnectionError, sa.exc.OperationalError):
            if question():
                return True
        time.sleep(0.05)
    return False


def differences(shop: Shop) -> list[str]:
    """Where a channel shows another number than the true one, in sentences."""
    with shop.engine.connect() as connection:
        rows = deliveries.page(connection, deliveries.Filter(), now=now(), limit=1000)
        numbers = desired.numbers(connection, rows)
    states = {key: shop.channel(key).state()["stock"] for key in ("web", "till", "wms")}
    found = []
    for row in rows:
        stock = states[row["channel"]]
        shown = int(stock.get(row["external_id"], {}).get(row["place"], 0))
        if shown != numbers[row["id"]]:
            found.append(
                f"{row['channel']} shows {shown} of {row['sku']} at "
                f"{row['place'] or 'all its places'} instead of {numbers[row['id']]}"
            )
    return found


def is_quiet(shop: Shop) -> bool:
    """Nothing waits: no webhook on its way, no message, no delivery."""
    if any(shop.channel(k).state()["webhooks"]["waiting"] for k in _TELLING):
        return False
    with shop.engine.connect() as connection:
        waiting = connection.execute(
            sa.select(inbox.c.id).where(inbox.c.state == "waiting").limit(1)
        ).first()
        rows = deliveries.page(connection, deliveries.Filter(), now=now(), limit=1000)
    return waiting is None and all(row["state"] == "settled" for row in rows)


_TELLING = ("web", "till", "parcels", "wms")


def delivery_state(shop: Shop, channel: str, good: Good) -> str:
    """The word for how far a channel's delivery has got."""
    with shop.engine.connect() as connection:
        wanted = deliveries.Filter(channel=channel, sku=good.sku)
        rows = deliveries.page(connection, wanted, now=now(), limit=10)
    return str(rows[0]["state"]) if rows else ""


def inbox_states(shop: Shop, state: str) -> int:
    """How many messages are in a state."""
    with shop.engine.connect() as connection:
        query = sa.select(sa.func.count()).where(inbox.c.state == state)
        return int(connection.execute(query).scalar_one())


def units(shop: Shop, good: Good, state: str = "on_hand") -> int:
    """The ledger's number over all places."""
    columns = ON_HAND if state == "on_hand" else (state,)
    query = (
        sa.select(*(sa.func.sum(stock_levels.c[one]) for one in columns))
        .join(skus, skus.c.id == stock_levels.c.sku_id)
        .where(skus.c.sku == good.sku)
    )
    with shop.engine.connect() as connection:
        return sum(int(one or 0) for one in connection.execute(query).one())


def audit_differences(shop: Shop) -> list[str]:
    """Where levels are not the sum of their ledger entries."""
    with shop.engine.connect() as connection:
        return audit.differences(connection)

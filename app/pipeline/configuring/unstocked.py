"""Not stock: what a channel sells that nobody keeps, like a service or a warranty.

Its lines move nothing and ask nobody for a name. They are kept as they were told: once
somebody says that it is stock after all, they apply as if that had been known before.
"""

from collections.abc import Set as AbstractSet

from sqlalchemy.engine import Connection, Engine

from app.domain.errors import BadConfiguration
from app.domain.instants import Instant
from app.pipeline.applying.names import sku_of
from app.pipeline.applying.told import NOT_STOCK, PARKED
from app.pipeline.configuring.parked import unpark
from app.pipeline.configuring.toml import id_problem
from app.pipeline.house import read_house
from app.store.configuration import channels, listed
from app.store.engine import applying
from app.store.tables import inbox, stock_events


def leave_out(engine: Engine, channel_key: str, item: str, *, now: Instant) -> None:
    """Say that an item of a channel, by its own name for it, is not stock. Twice is once.

    Raises UnknownChannel, and BadConfiguration for a gid and for an item that is mapped
    to a SKU: what was sold of it has moved units.
    """
    if problem := id_problem(item):
        raise BadConfiguration(problem, "external_id")
    with applying(engine) as connection:
        channel = channels.row(connection, channel_key)
        if sku := listed.sku_of(connection, channel["id"], item):
            raise BadConfiguration(
                f"{item!r} is {sku} on {channel_key}; map it to another SKU instead",
                "external_id",
            )
        channels.leave_out(connection, channel_key, item, now)
        unpark(connection, read_house(connection), now)


def take_in(engine: Engine, channel_key: str, item: str, *, now: Instant) -> None:
    """Say that it is stock after all: what was told of it waits for its SKU."""
    with applying(engine) as connection:
        take_in_all(connection, channel_key, {item}, now)


def take_in_all(
    connection: Connection,
    channel_key: str,
    items: AbstractSet[str | None],
    now: Instant,
) -> None:
    """The same for several, of which some may be stock already."""
    for item in sorted(channels.take_in(connection, channel_key, items, now)):
        note = f"unknown sku {item}"
        told = connection.scalars(
            stock_events.update()
            .where(
                stock_events.c.verdict == NOT_STOCK,
                stock_events.c.waits_for == sku_of(channel_key, item),
            )
            .values(verdict=PARKED, note=note)
            .returning(stock_events.c.inbox_id)
        ).all()
        connection.execute(
            inbox.update()
            .where(inbox.c.id.in_(told), inbox.c.state.in_(("applied", "ignored")))
            .values(state="parked", error=note, settled_at=None)
        )

"""Removing a channel that was made by mistake: nothing has happened on it yet.

What a channel told is kept for ever, and so is each call that sent it numbers: they
explain the count. A channel with any of that stays; nothing need be sent to it.
"""

import json
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.errors import BadConfiguration
from app.domain.instants import Instant
from app.store.configuration import channels as store
from app.store.people import deeds
from app.store.tables import (
    bulk_rows,
    channel_locations,
    channels,
    conditions,
    drifts,
    inbox,
    incidents,
    ledger,
    lines,
    listings,
    locations,
    policies,
    publications,
    push_attempts,
    push_hours,
    push_tallies,
    refused,
    refused_samples,
    return_cases,
    secret_facts,
    stock_events,
)

HISTORY: Final = {
    inbox: "webhooks that came",
    push_attempts: "calls that sent it numbers",
    lines: "orders and receipts",
    stock_events: "stock events",
    return_cases: "returns",
    ledger: "ledger entries",
}
"""What stays for ever; what is found by an index first."""
OWN: Final = (
    *(bulk_rows, drifts, publications, policies, listings, channel_locations),
    *(conditions, secret_facts, push_tallies, push_hours),
)
"""What goes with it: whatever refers to a row before that row."""


def remove_in(connection: Connection, key: str, *, actor: str, now: Instant) -> None:
    """Remove a channel and its listings, inside a caller's `applying` transaction.

    Raises UnknownName, and BadConfiguration where it has a history, or others name it.
    """
    row = store.locked(connection, key)
    for words in (*_named_by(connection, key), *_history(connection, row)):
        raise BadConfiguration(words)
    for table in OWN:
        connection.execute(table.delete().where(table.c.channel_id == row["id"]))
    for table in (refused, refused_samples):
        connection.execute(table.delete().where(table.c.channel == key))
    _let_incidents_be(connection, row["id"], now)
    virtual = locations.c.unassigned_of == row["id"]
    connection.execute(locations.delete().where(virtual))
    connection.execute(channels.delete().where(channels.c.id == row["id"]))
    store.touch(connection, now)
    deeds.note(connection, actor, "remove channel", key, now)


def _history(connection: Connection, row: RowMapping) -> Iterator[str]:
    for table, words in HISTORY.items():
        found = sa.select(table.c.id).where(table.c.channel_id == row["id"]).limit(1)
        if connection.execute(found).first() is not None:
            pause = "pause it, and " if row["publish"] is not None else ""
            yield (
                f"{row['key']} cannot be removed any more: its {words} explain the "
                f"count, and are kept. To be rid of it, {pause}end its webhooks where "
                "they come from"
            )


def _named_by(connection: Connection, key: str) -> Iterator[str]:
    """Who relies on this channel."""
    for other in store.rows(connection):
        named = [store.settings_of(other).get("channel")]
        named += json.loads(other["authority"]).values()
        if other["key"] != key and key in named:
            yield f"{other['key']} names {key}: load that without it first"
    for code in connection.scalars(
        sa.select(locations.c.code).where(locations.c.custodian == key)
    ):
        yield f"{key} is the custodian of {code}: load that without it first"


def _let_incidents_be(connection: Connection, channel_id: int, now: Instant) -> None:
    """They are over, and told of still."""
    closed = sa.func.coalesce(incidents.c.closed_at, now)
    connection.execute(
        incidents.update()
        .where(incidents.c.channel_id == channel_id)
        .values(channel_id=None, closed_at=closed)
    )

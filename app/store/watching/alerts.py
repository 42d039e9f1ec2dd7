"""Alerts: what is wrong now, in sentences, and what people were told of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import SECOND, Instant
from app.store.publishing import deliveries
from app.store.receiving import messages
from app.store.tables import alerts, channels, inbox, incidents, stock_events
from app.store.watching import clock, rounds, unheard

_TOLD_OF = (
    *("oversell", "drift", "contradiction", "twin"),
    *("unpolled", "webhooks"),  # what a channel sells may stay unheard of
)
"""Kinds of incidents that somebody should hear of at once."""
_LONG_HELD: Instant = 60 * SECOND
"""A channel that wants a shorter pause is well."""
_NAMED = 50
"""Things of one sort that begin to be told of at once, at most."""


def trouble(connection: Connection, now: Instant, patience: Instant) -> dict[str, str]:
    """What is wrong now: its name → a sentence. `patience` is how late is too late."""
    return {
        name: words
        for found in (
            _clock(connection, now),
            _scheduler(connection),
            _channels(connection, now),
            _late(connection, now, patience),
            _unknown(connection),
            _unreadable(connection),
            _unheard(connection),
            _incidents(connection),
        )
        for name, words in found
    }


def _clock(connection: Connection, now: Instant) -> Iterator[tuple[str, str]]:
    if astray := clock.astray(connection, now):
        yield "clock", clock.words(astray)


def _scheduler(connection: Connection) -> Iterator[tuple[str, str]]:
    if rounds.is_silent(connection):
        yield "silent:scheduler", rounds.WORDS


def _channels(connection: Connection, now: Instant) -> Iterator[tuple[str, str]]:
    noted = set(connection.scalars(sa.select(alerts.c.name)))
    for row in connection.execute(sa.select(channels).order_by(channels.c.key)):
        name, is_noted = f"channel:{row.key}", f"channel:{row.key}" in noted
        # Held again and again it is not well in between, nor towards the end of a hold.
        held = 0 if is_noted else _LONG_HELD
        why = f": {row.last_error}" if row.last_error else ""
        failing = name, f"{row.key} takes no numbers{why}"
        if stopped := _stopped(row, why):
            yield f"stopped:{row.key}", stopped
            if is_noted:
                yield failing  # that is not over by a person's being needed now
        elif row.failures > 2 or (row.held_until or 0) > now + held:
            yield failing


def _stopped(row: sa.Row[Any], why: str) -> str | None:
    """Why a channel takes nothing until a person does something; or None."""
    if row.disconnected_at:
        return f"{row.key} has disconnected us{why}"
    if row.paused_at and row.paused_reason:
        return f"{row.key} is paused: {row.paused_reason}"
    return None


def _late(
    connection: Connection, now: Instant, patience: Instant
) -> Iterator[tuple[str, str]]:
    asked = (
        ("deliveries", "numbers could have been sent", deliveries.oldest_due),
        (
            "inbox",
            "webhooks wait to be applied",
            lambda c, _: messages.oldest_waiting(c),
        ),
    )
    for name, words, oldest in asked:
        since = oldest(connection, now)
        if since is not None and now - since > patience:
            yield f"late:{name}", f"{words} for more than {patience // SECOND} seconds"


def _unknown(connection: Connection) -> Iterator[tuple[str, str]]:
    waited_for = stock_events.c.waits_for
    query = (
        sa.select(waited_for, sa.func.min(stock_events.c.note).label("note"))
        .where(stock_events.c.verdict == "parked", waited_for.is_not(None))
        .group_by(waited_for)
    )
    name, age = "unknown:" + waited_for, sa.func.min(stock_events.c.id)
    for row in _some(connection, query, name, age):
        kind, _, rest = row.waits_for.partition(":")
        channel = rest.partition(":")[0] if kind != "channel" else ""
        said_by = f" (told by {channel})" if channel else ""
        words = f"{row.note}{said_by}: what was told of it waits"
        yield f"unknown:{row.waits_for}", words


def _unreadable(connection: Connection) -> Iterator[tuple[str, str]]:
    found = connection.execute(
        sa.select(channels.c.key, sa.func.count())
        .join(inbox, inbox.c.channel_id == channels.c.id)
        .where(inbox.c.state == "buried")
        .group_by(channels.c.key)
        .order_by(channels.c.key)
    )
    for key, count in found:
        yield f"buried:{key}", f"{count} webhooks of {key} could not be read"


def _unheard(connection: Connection) -> Iterator[tuple[str, str]]:
    for row in unheard.listed(connection):
        key = row["key"]
        words = f"webhooks of {key} are refused: what is sold there is not in the stock"
        yield f"unheard:{key}", words


def _incidents(connection: Connection) -> Iterator[tuple[str, str]]:
    query = sa.select(incidents).where(
        incidents.c.closed_at.is_(None), incidents.c.kind.in_(_TOLD_OF)
    )
    name = incidents.c.kind + ":" + incidents.c.subject
    for row in _some(connection, query, name, incidents.c.id):
        yield f"{row.kind}:{row.subject}", f"{row.kind}: {row.message}"


def _some(
    connection: Connection,
    query: sa.Select[Any],
    name: sa.ColumnElement[str],
    age: sa.ColumnElement[int],
) -> Iterator[sa.Row[Any]]:
    """The newest of one sort, and what is noted of it: that is not over because much
    else came."""
    yield from connection.execute(query.order_by(age.desc()).limit(_NAMED))
    yield from connection.execute(query.where(name.in_(sa.select(alerts.c.name))))


def known(connection: Connection) -> Sequence[RowMapping]:
    """Every alert that is open, or over and not told so yet."""
    return connection.execute(sa.select(alerts).order_by(alerts.c.id)).mappings().all()


def note(connection: Connection, found: Mapping[str, str], now: Instant) -> None:
    """Begin what is new, end what is gone; what ended untold was never news."""
    rows = {row["name"]: row for row in known(connection)}
    for name in (name for name in found if name not in rows):
        connection.execute(
            alerts.insert().values(name=name, words=found[name], began_at=now)
        )
    for name, row in rows.items():
        this = alerts.c.id == row["id"]
        if name in found:
            values = {"words": found[name], "ended_at": None}
            connection.execute(alerts.update().where(this).values(values))
        elif row["told_at"] is None:
            connection.execute(alerts.delete().where(this))
        elif row["ended_at"] is None:
            connection.execute(alerts.update().where(this).values(ended_at=now))


def told(connection: Connection, rows: Sequence[RowMapping], now: Instant) -> None:
    """People have heard of these: the open ones stay known, the ended ones go."""
    for row in rows:
        this = sa.and_(alerts.c.id == row["id"])
        if row["ended_at"] is None:
            connection.execute(alerts.update().where(this).values(told_at=now))
        else:
            connection.execute(
                alerts.delete().where(this, alerts.c.ended_at == row["ended_at"])
            )

"""Spread: since when the deliveries of a filter are wanted, so many in each stretch."""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import HOUR, MINUTE, Instant
from app.store.publishing import deliveries
from app.store.publishing.deliveries import SETTLED, Filter
from app.store.tables import publications

_SHORT: Final = 12 * HOUR
"""A filter of a shorter time than this is looked at by the minute."""


def is_drawn(wanted: Filter) -> bool:
    """Whether there is something to see: what is delivered is not waiting."""
    return wanted.state not in (None, SETTLED)


def wanted_in(
    connection: Connection, wanted: Filter, now: Instant
) -> tuple[int, Mapping[Instant, int]]:
    """The unit (an hour or a minute), and the begin of each → rows wanted in it."""
    unit = HOUR
    if wanted.since is not None and (wanted.until or now) - wanted.since <= _SHORT:
        unit = MINUTE
    begin = (publications.c.wanted_at // sa.literal_column(str(unit))).label("begin")
    query = deliveries.matching(wanted, now).with_only_columns(begin, sa.func.count())
    found = connection.execute(query.group_by(begin))
    return unit, {int(row[0]) * unit: row[1] for row in found}

"""What is due on a channel, lane by lane, the greatest exposure first.

Every query here reads a few batches' worth of one index, however much is wanted.
"""

from collections.abc import Collection, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.budget import BULK, FIRST, RETRY
from app.domain.instants import Instant
from app.store import bulk
from app.store.engine import is_sqlite
from app.store.publishing.publications import BULK_LANE, FIRST_LANE
from app.store.tables import publications

LOOK: Final = 10
"""Retries are ordered among the batches, so many, that have been due for longest."""

_IS_WANTED = publications.c.wanted_version > publications.c.accepted_version
_IS_OPEN = sa.and_(
    _IS_WANTED,
    publications.c.failed_at.is_(None),
    publications.c.discarded_at.is_(None),
)
_AT: Final = {FIRST: FIRST_LANE, BULK: BULK_LANE}
_DUE = (
    sa.select(publications)
    .where(
        publications.c.channel_id == sa.bindparam("channel"),
        publications.c.next_attempt_at == sa.bindparam("at"),
        _IS_OPEN,
    )
    .order_by(publications.c.exposure.desc(), publications.c.wanted_at)
    .limit(sa.bindparam("most"))
)
_LONGEST = (
    sa.select(publications)
    .where(
        publications.c.channel_id == sa.bindparam("channel"),
        publications.c.next_attempt_at > BULK_LANE,
        publications.c.next_attempt_at <= sa.bindparam("now"),
        _IS_OPEN,
    )
    .order_by(publications.c.next_attempt_at)
    .limit(sa.bindparam("look"))
    .subquery()
)
_RETRIES = (
    sa.select(_LONGEST)
    .order_by(_LONGEST.c.exposure.desc(), _LONGEST.c.next_attempt_at, _LONGEST.c.id)
    .limit(sa.bindparam("most"))
)


def due(
    connection: Connection, channel_id: int, lane: str, limit: int, now: Instant
) -> Sequence[RowMapping]:
    """Up to `limit` rows of a lane; of equal exposure, the longest wanted first."""
    if lane == RETRY:
        return _retries(connection, channel_id, limit, now)
    given = {"channel": channel_id, "at": _AT[lane], "most": limit}
    return connection.execute(_DUE, given).mappings().all()


def _retries(
    connection: Connection, channel_id: int, limit: int, now: Instant
) -> Sequence[RowMapping]:
    given = {"channel": channel_id, "now": now, "look": LOOK * limit, "most": limit}
    return connection.execute(_RETRIES, given).mappings().all()


def is_busy(connection: Connection, channel_id: int, lane: str, more_than: int) -> bool:
    """Whether more rows than one batch wait in a lane, so that their order matters."""
    query = (
        sa.select(publications.c.id)
        .where(
            publications.c.channel_id == channel_id,
            publications.c.next_attempt_at == _AT[lane],
            _IS_OPEN,
        )
        .offset(more_than)
        .limit(1)
    )
    return connection.execute(query).first() is not None


def unranked_in(
    connection: Connection, channel_id: int, lane: str, limit: int
) -> Sequence[RowMapping]:
    """Due rows whose exposure was not worked out; where stock moved, first."""
    query = (
        sa.select(publications)
        .where(
            publications.c.channel_id == channel_id,
            publications.c.next_attempt_at == _AT[lane],
            publications.c.exposure < 0,
            _IS_OPEN,
        )
        .order_by(publications.c.exposure.desc(), publications.c.wanted_at)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def unranked(
    connection: Connection, wanted_before: Instant, limit: int
) -> Sequence[RowMapping]:
    """Rows of any channel and state that have waited since then without a rank."""
    query = (
        sa.select(publications)
        .where(
            _IS_WANTED,
            publications.c.exposure < 0,
            publications.c.wanted_at < wanted_before,
        )
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def rank(connection: Connection, ranks: Collection[tuple[int, int, int]]) -> None:
    """Write exposures down: (exposure, id, wanted version).

    A row that was wanted anew meanwhile is left to be worked out again.
    """
    if not ranks:
        return
    rows = sorted(ranks, key=lambda one: one[1])
    if is_sqlite(connection):
        connection.exec_driver_sql(
            "UPDATE publications SET exposure = ? WHERE id = ? AND wanted_version = ?",
            rows,
        )
        return
    connection.exec_driver_sql(
        "UPDATE publications SET exposure = given.exposure "
        "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) "
        "AS given(exposure, id, version) WHERE publications.id = given.id "
        "AND publications.wanted_version = given.version",
        tuple(bulk.array(column) for column in zip(*rows, strict=True)),
    )

"""Exposure: units a channel shows beyond those it may sell. The most exposed go first.

Worked out only where it decides something: for a channel with more to send than one
call takes, and (by the scheduler) for what has waited a while, so that people can see it.
"""

from collections.abc import Sequence

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.instants import Instant
from app.pipeline.house import House
from app.pipeline.publishing import desired
from app.store.engine import reading, writing
from app.store.publishing import due as store

PORTION = 1000
"""Rows ranked at a time: of a hundred thousand, the first go out at once."""


def shows(row: RowMapping) -> int | None:
    """What a channel shows: the newest of what we believe, read and were told."""
    told = (
        (row["believed_at"], row["believed"]),
        (row["observed_at"], row["observed"]),
        (row["accepted_at"], row["accepted"]),
    )
    known = [(at or 0, value) for at, value in told if value is not None]
    # The first of equals: what we believe follows the channel's own sales too.
    return max(known, key=lambda one: one[0])[1] if known else None


def exposure(row: RowMapping, number: int) -> int:
    """Units offered there that are not to be sold; `number` is what it should show."""
    shown = shows(row)
    return 0 if shown is None else max(0, shown - number)


def expose(engine: Engine, wanted_before: Instant, now: Instant) -> int:
    """Rank what has waited since then; return how many rows that were."""
    with reading(engine) as connection:
        rows = store.unranked(connection, wanted_before, PORTION)
        ranks = _ranks(connection, rows, None, now)
    _write(engine, ranks)
    return len(ranks)


def expose_lane(
    engine: Engine, house: House, channel_id: int, lane: str, now: Instant
) -> None:
    """Rank the next portion of a lane that has more than one batch."""
    with reading(engine) as connection:
        rows = store.unranked_in(connection, channel_id, lane, PORTION)
        ranks = _ranks(connection, rows, house, now)
    _write(engine, ranks)


def _ranks(
    connection: Connection,
    rows: Sequence[RowMapping],
    house: House | None,
    now: Instant,
) -> list[tuple[int, int, int]]:
    # The rows, with their versions, were read first and the levels after them.
    numbers = desired.numbers(connection, rows, house, now)
    return [
        (exposure(row, numbers[row["id"]]), row["id"], row["wanted_version"])
        for row in rows
    ]


def _write(engine: Engine, ranks: Sequence[tuple[int, int, int]]) -> None:
    if ranks:
        with writing(engine, durable=False) as connection:
            store.rank(connection, ranks)

"""The history of how channels are: looked at in each of the scheduler's rounds, and
written down when it changed."""

from typing import Final

from sqlalchemy.engine import Engine, RowMapping

from app.domain.condition import ASKED, FAILING, condition, reason
from app.domain.instants import MINUTE, Instant
from app.store.configuration import channels, conditions
from app.store.engine import reading, writing

LONG: Final = MINUTE
"""A shorter wait that a provider asks for is its ordinary manner."""


def keep(engine: Engine, now: Instant) -> None:
    """Write down which channels are otherwise than they were."""
    with reading(engine) as connection:
        before = conditions.latest(connection)
        rows = channels.rows(connection)
    changed = [
        (row, state)
        for row in rows
        if (state := condition(row, now)) != before.get(row["id"])
        and not _passes(row, state, now)
    ]
    if not changed:
        return
    with writing(engine, durable=False) as connection:
        for row, state in changed:
            conditions.add(connection, row["id"], state, reason(row, state), now)


def _passes(row: RowMapping, state: str, now: Instant) -> bool:
    """Whether this is over in a moment: tried again, or waited for by the second."""
    return state == FAILING or (state == ASKED and row["held_until"] - now < LONG)

"""Dismissing: a person says that messages which wait for one mean nothing here.

What they say stays out of the stock. It is kept: reading them again brings it back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection, Engine

from app.domain.instants import Instant
from app.pipeline.applying.told import PARKED, SUPERSEDED
from app.pipeline.configuring.parked import SETTLED
from app.pipeline.repairing.replaying import chosen, in_portions
from app.store.tables import inbox, stock_events


def dismiss(
    engine: Engine,
    ids: Sequence[int] | None = None,
    filter: Mapping[str, Any] | None = None,
    *,
    actor: str,
    now: Instant,
) -> int:
    """Dismiss messages that are parked or buried; return how many matched.

    `ids` and `filter` choose them as for a replay.
    """
    waits = inbox.c.state.in_(("parked", "buried"))

    def change(connection: Connection, found: Sequence[int]) -> None:
        its = stock_events.c.inbox_id.in_(found)
        connection.execute(
            stock_events.update()
            .where(its, stock_events.c.verdict == PARKED)
            .values(verdict=SUPERSEDED, note=f"dismissed by {actor}")
        )
        connection.execute(
            inbox.update()
            .where(inbox.c.id.in_(found))
            .values(state=SETTLED, dismissed_by=actor, settled_at=now)
        )

    return in_portions(engine, [*chosen(ids, filter), waits], change)

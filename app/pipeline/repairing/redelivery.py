"""Redelivery: a person lets failed deliveries be tried again, or forgets them.

A few are changed at once; many become a run (`running`), accepted in one statement.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.engine import Engine

from app.domain.instants import now as clock
from app.pipeline.publishing.marking import mark_all
from app.pipeline.repairing import running
from app.store.engine import reading, writing
from app.store.publishing import deliveries, retries as store, runs
from app.store.publishing.deliveries import Filter
from app.store.publishing.publications import MANY


class Retried(NamedTuple):
    """What was asked for."""

    matched: int
    lanes: set[str]
    """To be woken."""
    run: int | None = None
    """The run that tells them, where they are many."""


def retry(
    engine: Engine, wanted: Filter, told: Mapping[str, Any], *, actor: str
) -> Retried:
    """Let deliveries be tried at once, or in a run where they are many.

    `told` is the filter as it was asked for.
    """
    at = clock()
    chosen = deliveries.matching(wanted, at)
    with reading(engine) as connection:
        few = connection.execute(chosen.limit(MANY)).all()
    if len(few) < MANY:
        ids = sorted(row[0] for row in few)
        with writing(engine) as connection:
            keys = store.arm(connection, ids)
        return Retried(len(ids), {f"outbound:{key}" for key in keys})
    begun = running.begin(engine, runs.RETRY, actor, told, chosen, at)
    return Retried(begun.matched, set(), begun.id)


def discard(engine: Engine, ids: Sequence[int]) -> int:
    """Forget these deliveries until stock changes again; return how many."""
    mark_all(engine, clock())
    with writing(engine) as connection:
        return store.discard(connection, ids, clock())

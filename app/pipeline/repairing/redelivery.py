"""Redelivery: a person lets failed deliveries be tried again, or forgets them.

A few are changed at once; many become a run (`running`), accepted in one statement.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.domain.instants import now as clock
from app.pipeline.publishing.marking import mark_all
from app.pipeline.repairing import running
from app.store import deliveries, retries as store, runs
from app.store.engine import reading, writing
from app.store.publications import MANY


class Retried(NamedTuple):
    """What was asked for."""

    matched: int
    lanes: set[str]
    """To be woken."""
    run: int | None = None
    """The run that tells them, where they are many."""


def retry(
    engine: Engine,
    ids: Sequence[int] | None = None,
    filter: Mapping[str, Any] | None = None,
    *,
    actor: str = "",
) -> Retried:
    """Let deliveries be tried at once, or in a run where they are many.

    `filter` takes state, channel and sku as the list of publications does; without a
    state it means the failed ones.
    """
    wanted = _wanted(ids, filter or {})
    told = {"ids": len(ids)} if ids is not None else dict(filter or {})
    return retry_all(engine, deliveries.matching(wanted, clock()), told, actor=actor)


def retry_all(
    engine: Engine, chosen: sa.Select[Any], told: Mapping[str, Any], *, actor: str
) -> Retried:
    """The same for publications selected with their channels; `told` is the filter."""
    with reading(engine) as connection:
        few = connection.execute(chosen.limit(MANY)).all()
    if len(few) < MANY:
        ids = sorted(row[0] for row in few)
        with writing(engine) as connection:
            keys = store.arm(connection, ids)
        return Retried(len(ids), {f"outbound:{key}" for key in keys})
    begun = running.begin(engine, runs.RETRY, actor, told, chosen, clock())
    return Retried(begun.matched, set(), begun.id)


def _wanted(ids: Sequence[int] | None, filter: Mapping[str, Any]) -> deliveries.Filter:
    state = filter.get("state") or (deliveries.FAILED if ids is None else None)
    return deliveries.Filter(
        state=state,
        channel=filter.get("channel"),
        sku=filter.get("sku"),
        ids=None if ids is None else tuple(ids),
    )


def discard(engine: Engine, ids: Sequence[int]) -> int:
    """Forget these deliveries until stock changes again; return how many."""
    mark_all(engine, clock())
    with writing(engine) as connection:
        return store.discard(connection, ids, clock())

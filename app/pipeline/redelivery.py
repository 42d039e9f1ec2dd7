"""Redelivery: a person lets failed deliveries be tried again, or forgets them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection, Engine

from app.domain.instants import now as clock
from app.pipeline.marking import mark_all
from app.store import deliveries, retries as store
from app.store.engine import writing


def retry(
    engine: Engine,
    ids: Sequence[int] | None = None,
    filter: Mapping[str, Any] | None = None,
) -> tuple[int, set[str]]:
    """Let deliveries be tried at once; return how many matched and the lanes to wake.

    `filter` takes state, channel and sku as the list of publications does; without a
    state it means the failed ones.
    """
    with writing(engine) as connection:
        chosen = _chosen(connection, ids, filter or {})
        keys = store.arm(connection, chosen)
    return len(chosen), {f"outbound:{key}" for key in keys}


def _chosen(
    connection: Connection, ids: Sequence[int] | None, filter: Mapping[str, Any]
) -> list[int]:
    state = filter.get("state") or (deliveries.FAILED if ids is None else None)
    wanted = deliveries.Filter(
        state=state,
        channel=filter.get("channel"),
        sku=filter.get("sku"),
        ids=None if ids is None else tuple(ids),
    )
    found: list[int] = []
    while True:
        after = found[-1] if found else None
        rows = deliveries.page(connection, wanted, now=clock(), limit=1000, after=after)
        found += [row["id"] for row in rows]
        if len(rows) < 1000:
            return found


def discard(engine: Engine, ids: Sequence[int]) -> int:
    """Forget these deliveries until stock changes again; return how many."""
    mark_all(engine, clock())
    with writing(engine) as connection:
        return store.discard(connection, ids, clock())

"""Replaying: stored messages are processed again, as if they had just come in."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.store.engine import writing
from app.store.tables import channels, inbox


def replay(
    engine: Engine,
    ids: Sequence[int] | None = None,
    filter: Mapping[str, Any] | None = None,
) -> int:
    """Let messages be processed again; return how many matched.

    `filter` takes state, channel and topic. Replaying what was applied is a no-op.
    """
    wanted = [inbox.c.state != "waiting"]
    if ids is not None:
        wanted.append(inbox.c.id.in_(list(ids)))
    for name, value in (filter or {}).items():
        if name == "channel":
            one = sa.select(channels.c.id).where(channels.c.key == value)
            wanted.append(inbox.c.channel_id.in_(one))
        else:
            wanted.append(inbox.c[name] == value)
    with writing(engine) as connection:
        changed = connection.execute(
            inbox.update()
            .where(*wanted)
            .values(
                state="waiting",
                lane="apply",
                error=None,
                settled_at=None,
                attempts=0,
                next_attempt_at=0,
            )
        )
    return int(changed.rowcount)

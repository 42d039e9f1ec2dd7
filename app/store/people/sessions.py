"""Sessions: where a person is logged in. A cookie holds the token, a row its hash."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import MINUTE, Instant
from app.store.tables import sessions

FRESH: Final = 5 * MINUTE
"""How exact `seen_at` is: every page would be a write otherwise."""


def begin(
    connection: Connection, user_id: int, agent: str, address: str, now: Instant
) -> str:
    """Write down that a person came in; return the token, for the only time."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        sessions.insert().values(
            user_id=user_id,
            token_hash=_digest(token),
            created_at=now,
            seen_at=now,
            agent=agent[:300],
            address=address[:100],
        )
    )
    return token


def find(connection: Connection, token: str) -> RowMapping | None:
    """The session with this token, or None when it is unknown or ended."""
    found = connection.execute(
        sa.select(sessions).where(
            sessions.c.token_hash == _digest(token), sessions.c.ended_at.is_(None)
        )
    )
    return found.mappings().first()


def saw(connection: Connection, session_id: int, now: Instant) -> None:
    """Keep when it was last used."""
    connection.execute(
        sessions.update().where(sessions.c.id == session_id).values(seen_at=now)
    )


def of_user(
    connection: Connection, user_id: int, since: Instant
) -> Sequence[RowMapping]:
    """A person's sessions that are not over, the last used first."""
    query = (
        sa.select(sessions)
        .where(
            sessions.c.user_id == user_id,
            sessions.c.ended_at.is_(None),
            sessions.c.created_at >= since,
        )
        .order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
    )
    return connection.execute(query).mappings().all()


def counts(connection: Connection, since: Instant) -> dict[int, int]:
    """User id → how many sessions are not over."""
    found = connection.execute(
        sa.select(sessions.c.user_id, sa.func.count())
        .where(sessions.c.ended_at.is_(None), sessions.c.created_at >= since)
        .group_by(sessions.c.user_id)
    )
    return {row[0]: row[1] for row in found}


def end(
    connection: Connection,
    user_id: int,
    now: Instant,
    *,
    only: int | None = None,
    but: int | None = None,
) -> int:
    """End a person's sessions: one of them, or all `but` one; return how many."""
    query = sessions.update().where(
        sessions.c.user_id == user_id, sessions.c.ended_at.is_(None)
    )
    if only is not None:
        query = query.where(sessions.c.id == only)
    if but is not None:
        query = query.where(sessions.c.id != but)
    return int(connection.execute(query.values(ended_at=now)).rowcount)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

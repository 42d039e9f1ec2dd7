"""What people did: one row in the audit log per press of a button."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import keyset
from app.store.keyset import Page, Position
from app.store.tables import audit_log


def note(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    now: Instant,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down who did what to what."""
    connection.execute(
        audit_log.insert().values(
            at=now,
            actor=actor,
            action=action,
            subject=subject,
            details=json.dumps(dict(details or {})),
        )
    )


def is_noted(connection: Connection, actor: str, once: str, since: Instant) -> bool:
    """Whether somebody did, since then, what a form of this name asked for: its note
    has the name among its details, as `once`."""
    query = sa.select(audit_log.c.id).where(
        audit_log.c.actor == actor,
        audit_log.c.at >= since,
        audit_log.c.details.contains(f'"once": {json.dumps(once)}', autoescape=True),
    )
    return connection.execute(query.limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; None: anything."""

    actor: str | None = None
    text: str | None = None
    """Part of what was done, or to what."""
    since: Instant | None = None
    until: Instant | None = None


def page(
    connection: Connection,
    search: Search,
    *,
    limit: int,
    after: Position | None = None,
) -> Page[RowMapping]:
    """Up to `limit` rows that are looked for, newest first."""
    query = sa.select(audit_log)
    if search.actor is not None:
        query = query.where(audit_log.c.actor == search.actor)
    if search.since is not None:
        query = query.where(audit_log.c.at >= search.since)
    if search.until is not None:
        query = query.where(audit_log.c.at <= search.until)
    if search.text is not None:
        columns = (audit_log.c.action, audit_log.c.subject, audit_log.c.details)
        query = query.where(
            sa.or_(*(one.icontains(search.text, autoescape=True) for one in columns))
        )
    keys = [audit_log.c.at, audit_log.c.id]
    return keyset.read(
        connection, query, keys, limit=limit, after=after, newest_first=True
    )


def actors(connection: Connection) -> list[str]:
    """Everybody who ever did something: read off the index name by name, however much
    each of them did."""
    actor = audit_log.c.actor
    known = sa.select(sa.func.min(actor).label("actor")).cte("known", recursive=True)
    following = sa.select(sa.func.min(actor)).where(actor > known.c.actor)
    known = known.union_all(
        sa.select(following.scalar_subquery()).where(known.c.actor.is_not(None))
    )
    query = sa.select(known.c.actor).where(known.c.actor.is_not(None))
    return list(connection.execute(query).scalars())

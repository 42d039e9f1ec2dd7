"""Invitations: a link with which one person chooses a password, once and for three days.

For somebody new, and for somebody who lost the password. The link holds a token, the
row its hash; the newest invitation of an address is the only one that is good.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.errors import UnknownName
from app.domain.instants import DAY, Instant
from app.store.people import people, sessions
from app.store.tables import invitations, users

LIFETIME: Final = 3 * DAY


def invite(
    connection: Connection, email: str, role: str, by: str, now: Instant
) -> tuple[str, str]:
    """Invite somebody new; return the address and the token, for the only time.

    Raises BadConfiguration, naming the field.
    """
    address = people.newcomer(connection, email, role)
    return address, _write(connection, address, role, None, by, now)


def renew(
    connection: Connection, user_id: int, by: str, now: Instant
) -> tuple[str, str]:
    """Let somebody choose a new password; return as `invite` does. The password of now
    is good until then. Raises UnknownName."""
    row = people.user_by_id(connection, user_id)
    if row is None:
        raise UnknownName(f"nobody with id {user_id} may log in", "id")
    token = _write(connection, row["email"], row["role"], user_id, by, now)
    return row["email"], token


def _write(
    connection: Connection,
    email: str,
    role: str,
    user_id: int | None,
    by: str,
    now: Instant,
) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(invitations.delete().where(invitations.c.email == email))
    connection.execute(
        invitations.insert().values(
            email=email,
            role=role,
            user_id=user_id,
            token_hash=_digest(token),
            invited_by=by,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return token


def find(connection: Connection, token: str, now: Instant) -> RowMapping | None:
    """The invitation with this token, if it is still good; looking does not use it."""
    found = connection.execute(sa.select(invitations).where(*_good(token, now)))
    return found.mappings().first()


def accept(
    connection: Connection, token: str, password: str, now: Instant
) -> RowMapping:
    """Use an invitation up: the person can log in with this password; return them.

    A lost password's old sessions end. Raises UnknownName when the link is not good any
    more, and BadConfiguration when the password cannot be one.
    """
    used = invitations.delete().where(*_good(token, now)).returning(invitations)
    row = connection.execute(used).mappings().first()
    if row is None:
        raise UnknownName("this link was used, withdrawn or is too old", "token")
    user_id = row["user_id"]
    if user_id is None:
        user_id = people.create_user(connection, row["email"], password, row["role"])
    else:
        people.set_password(connection, user_id, password)
        sessions.end(connection, user_id, now)
    user = people.user_by_id(connection, user_id)
    if user is None:
        raise UnknownName(f"{row['email']} was kept out since", "token")
    return user


def listed(connection: Connection) -> Sequence[RowMapping]:
    """Every invitation that was not used yet, by address."""
    query = sa.select(invitations).order_by(invitations.c.email)
    return connection.execute(query).mappings().all()


def withdraw(connection: Connection, invitation_id: int) -> str:
    """Let a link open nothing any more; return whose it was. Raises UnknownName."""
    gone = invitations.delete().where(invitations.c.id == invitation_id)
    row = connection.execute(gone.returning(invitations.c.email)).first()
    if row is None:
        raise UnknownName(f"there is no invitation {invitation_id}", "id")
    return str(row.email)


def _good(token: str, now: Instant) -> tuple[sa.ColumnElement[bool], ...]:
    mine = invitations.c
    let_in = sa.select(users.c.id).where(users.c.disabled_at.is_(None))
    may_log_in = mine.user_id.is_(None) | mine.user_id.in_(let_in)
    return mine.token_hash == _digest(token), mine.expires_at > now, may_log_in


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

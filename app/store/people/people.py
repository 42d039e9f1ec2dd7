"""Who may come in: people with a password, programs with a token.

A token is shown once and kept as a hash only; it is long and random, so one round of
SHA-256 is enough. A password goes through werkzeug's scrypt.
"""

import hashlib
import secrets
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from werkzeug.security import check_password_hash, generate_password_hash

from app.domain import instants
from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import api_tokens, users

VIEWER: Final = "viewer"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"
ROLES: Final = (VIEWER, OPERATOR, ADMIN)
"""Each may do all that those before it may."""

SHORTEST_PASSWORD: Final = 10


def allows(role: str, needed: str) -> bool:
    """Whether somebody with `role` may do what asks for `needed`."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(needed)


# -- people ------------------------------------------------------------------


def create_user(
    connection: Connection, email: str, password: str, role: str = ADMIN
) -> int:
    """Let a person in; return the id. Raise BadConfiguration naming the field."""
    address = newcomer(connection, email, role)
    _check_password(password)
    made = connection.execute(
        users.insert()
        .values(
            email=address,
            password_hash=generate_password_hash(password),
            role=role,
            created_at=instants.now(),
        )
        .returning(users.c.id)
    )
    return int(made.scalar_one())


def newcomer(connection: Connection, email: str, role: str) -> str:
    """The address, as it is kept, of somebody who has no login yet and may get one.

    Raises BadConfiguration naming the field.
    """
    address = _address(email)
    _check_role(role)
    if _by_email(connection, address) is not None:
        raise BadConfiguration(f"there is a login for {address} already", "email")
    return address


def set_password(connection: Connection, user_id: int, password: str) -> None:
    """Give a person another password; sessions with the old one are over."""
    _check_password(password)
    connection.execute(
        users.update()
        .where(users.c.id == user_id)
        .values(password_hash=generate_password_hash(password))
    )


def listed(connection: Connection) -> Sequence[RowMapping]:
    """Everybody who may log in or might once, by e-mail; no password."""
    columns = (users.c.id, users.c.email, users.c.role, users.c.disabled_at)
    times = (users.c.created_at, users.c.totp_since)
    query = sa.select(*columns, *times).order_by(users.c.email)
    return connection.execute(query).mappings().all()


def set_role(connection: Connection, user_id: int, role: str) -> str:
    """Give a person another role; return the e-mail.

    Raises UnknownName, and BadConfiguration when no administrator would be left.
    """
    _check_role(role)
    return _change(connection, user_id, stays=role == ADMIN, role=role)


def set_disabled(connection: Connection, user_id: int, at: Instant | None) -> str:
    """Keep a person out from now on, or let them in again (None); return the e-mail.

    Raises as `set_role` does.
    """
    return _change(connection, user_id, stays=at is None, disabled_at=at)


def _change(
    connection: Connection, user_id: int, *, stays: bool, **values: object
) -> str:
    others = sa.select(users.c.id).where(
        users.c.id != user_id, users.c.role == ADMIN, users.c.disabled_at.is_(None)
    )
    if not stays and connection.execute(others.limit(1)).first() is None:
        raise BadConfiguration("somebody must stay an administrator", "role")
    changed = connection.execute(
        users.update()
        .where(users.c.id == user_id)
        .values(**values)
        .returning(users.c.email)
    ).first()
    if changed is None:
        raise UnknownName(f"there is no person {user_id}", "id")
    return str(changed.email)


def any_user(connection: Connection) -> bool:
    """Whether anybody can log in yet."""
    return connection.execute(sa.select(users.c.id).limit(1)).first() is not None


def user_by_id(connection: Connection, user_id: int) -> RowMapping | None:
    """A person who may still log in, or None."""
    found = connection.execute(
        sa.select(users).where(users.c.id == user_id, users.c.disabled_at.is_(None))
    )
    return found.mappings().first()


def check_password(
    connection: Connection, email: str, password: str
) -> RowMapping | None:
    """The person with that address and password, or None.

    An unknown address takes as long as a wrong password, so that the answer's time
    does not tell which addresses exist.
    """
    found = _by_email(connection, email.strip().lower())
    if found is None or found["disabled_at"] is not None:
        check_password_hash(_nobody(), password)
        return None
    return found if check_password_hash(found["password_hash"], password) else None


@cache
def _nobody() -> str:
    return generate_password_hash(secrets.token_urlsafe())


def _check_password(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise BadConfiguration(
            f"the password needs at least {SHORTEST_PASSWORD} characters", "password"
        )


def _by_email(connection: Connection, email: str) -> RowMapping | None:
    found = connection.execute(sa.select(users).where(users.c.email == email))
    return found.mappings().first()


def _address(email: str) -> str:
    address = email.strip().lower()
    name, _, host = address.rpartition("@")
    if not name or not host or any(character.isspace() for character in address):
        raise BadConfiguration(f"{email!r} is not an e-mail address", "email")
    return address


# -- programs ----------------------------------------------------------------


def create_token(connection: Connection, name: str, role: str) -> str:
    """Make a token and return it in plain, for the only time."""
    _check_role(role)
    if not name.strip():
        raise BadConfiguration("a token needs a name, to know it by", "name")
    plain = f"oc_{secrets.token_urlsafe(32)}"
    connection.execute(
        api_tokens.insert().values(
            name=name.strip(),
            token_hash=_digest(plain),
            role=role,
            created_at=instants.now(),
        )
    )
    return plain


class Token(NamedTuple):
    """A program's credential, without its secret."""

    id: int
    name: str
    role: str


def find_token(connection: Connection, plain: str) -> Token | None:
    """The token, or None when it is unknown or revoked."""
    found = bulk.select(connection, _BY_HASH, [_digest(plain)])
    return Token(*found[0]) if found else None


_BY_HASH = (
    "SELECT id, name, role FROM api_tokens "
    "WHERE revoked_at IS NULL AND token_hash {among}"
)


def tokens(connection: Connection) -> Sequence[RowMapping]:
    """Every token that there ever was, the newest first; no secret."""
    columns = (api_tokens.c.id, api_tokens.c.name, api_tokens.c.role)
    times = (api_tokens.c.created_at, api_tokens.c.revoked_at)
    query = sa.select(*columns, *times).order_by(api_tokens.c.id.desc())
    return connection.execute(query).mappings().all()


def revoke_token(connection: Connection, token_id: int, now: Instant) -> str:
    """Let a token open nothing any more; return its name. Raises UnknownName."""
    revoked = connection.execute(
        api_tokens.update()
        .where(api_tokens.c.id == token_id)
        .values(revoked_at=sa.func.coalesce(api_tokens.c.revoked_at, now))
        .returning(api_tokens.c.name)
    ).first()
    if revoked is None:
        raise UnknownName(f"there is no token {token_id}", "id")
    return str(revoked.name)


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise BadConfiguration(
            f"{role!r} is no role; choose one of {', '.join(ROLES)}", "role"
        )

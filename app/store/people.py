"""Who may come in: people with a password, programs with a token.

A token is shown once and kept as a hash only; it is long and random, so one round of
SHA-256 is enough. A password goes through werkzeug's scrypt.
"""

import hashlib
import secrets
from functools import cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from werkzeug.security import check_password_hash, generate_password_hash

from app.domain import instants
from app.domain.errors import BadConfiguration
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
    address = _address(email)
    _check_role(role)
    if len(password) < SHORTEST_PASSWORD:
        raise BadConfiguration(
            f"the password needs at least {SHORTEST_PASSWORD} characters", "password"
        )
    if _by_email(connection, address) is not None:
        raise BadConfiguration(f"there is a login for {address} already", "email")
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


def find_token(connection: Connection, plain: str) -> RowMapping | None:
    """The token's row (id, name, role), or None when it is unknown or revoked."""
    found = connection.execute(
        sa.select(api_tokens.c.id, api_tokens.c.name, api_tokens.c.role).where(
            api_tokens.c.token_hash == _digest(plain),
            api_tokens.c.revoked_at.is_(None),
        )
    )
    return found.mappings().first()


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise BadConfiguration(
            f"{role!r} is no role; choose one of {', '.join(ROLES)}", "role"
        )

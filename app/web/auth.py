"""Who calls the API: a bearer token with a role. A dashboard login is no credential."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from flask import g, request

from app.store.engine import reading
from app.store.people import people
from app.store.people.people import ADMIN, OPERATOR, VIEWER, Token
from app.web.hub import hub
from app.web.problems import Problem

__all__ = ["ADMIN", "OPERATOR", "VIEWER", "caller", "needs", "require"]

P = ParamSpec("P")
R = TypeVar("R")

SECURITY: Final[list[dict[str, list[str]]]] = [{"token": []}]
"""How OpenAPI says that a route wants a token."""


def needs(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Allow a view only to tokens with at least this role."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            token = _token()
            _check(token, role)
            g.token = token
            return view(*args, **kwargs)

        checked.needed_role = role  # type: ignore[attr-defined]
        manual = getattr(checked, "_apidoc", {}).get("manual_doc", {})
        described: Any = {
            **getattr(checked, "_apidoc", {}),
            "manual_doc": {**manual, "security": SECURITY, "x-role": role},
        }
        checked._apidoc = described  # type: ignore[attr-defined]
        return checked

    return decorate


def require(role: str) -> None:
    """Refuse the rest of a view to tokens with less than this role."""
    _check(caller(), role)


def _check(token: Token, role: str) -> None:
    if not people.allows(token.role, role):
        raise Problem(
            403,
            f"this token has the role {token.role}; the role {role} is needed here",
        )


def caller() -> Token:
    """The token of this request; only inside a view that `needs` one."""
    token: Token = g.token
    return token


def actor() -> str:
    """How the ledger names who did it."""
    return f"token:{caller().name}"


def _token() -> Token:
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        raise _unknown(
            "send a token: `Authorization: Bearer …` "
            "(`onecount token create NAME --role viewer` makes one)",
            "Bearer",
        )
    with reading(hub().engine) as connection:
        token = people.find_token(connection, plain.strip())
    if token is None:
        raise _unknown(
            "this token is not known here, or was revoked",
            'Bearer error="invalid_token"',
        )
    return token


def _unknown(detail: str, challenge: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})

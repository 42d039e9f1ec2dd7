"""Health: is the process alive, and could a webhook be stored right now?"""

from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import BadConfiguration
from app.domain.instants import now
from app.store import leases
from app.store.configuration.channels import check_secrets
from app.store.engine import reading, writing
from app.store.trouble import AWAY, be_impatient, need_room, trouble
from app.store.watching import clock, rounds
from app.web.hub import hub

blueprint = Blueprint("health", __name__)

# Changes nothing, but only works where there is an inbox.
_COULD_WRITE = text("UPDATE inbox SET attempts = attempts WHERE id = 0")
_LEASE = "readiness"
"""Taken for no time at all: the bytes have to get to the disk, which may be full."""


@blueprint.get("/healthz")
def alive() -> dict[str, str]:
    """Say that this process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def ready() -> tuple[dict[str, str], int]:
    """Say whether a webhook could be stored. Redis, a wrong clock and a silent scheduler
    are named, but none of them hinders that."""
    redis = "ok" if hub().bell.ping() else "down"
    answer = {"database": "ok", "redis": redis}
    if why := _why_not():
        return answer | why, 503
    with reading(hub().engine) as connection:
        if astray := clock.astray(connection, now()):
            answer["clock"] = clock.words(astray)
        if rounds.is_silent(connection):
            answer["scheduler"] = rounds.WORDS
    return answer, 200


def _why_not() -> dict[str, str]:
    """What hinders a webhook from being stored, and why; empty when nothing does."""
    try:
        with writing(hub().engine) as connection:
            be_impatient(connection)
            connection.execute(_COULD_WRITE)
            leases.acquire(connection, _LEASE, _LEASE, 0)
            need_room(connection)
        with reading(hub().engine) as connection:
            check_secrets(connection, hub().vault)
    except (SQLAlchemyError, OSError) as error:
        return {"database": "down", "why": trouble(error) or AWAY}
    except BadConfiguration as error:
        return {"secrets": "cannot be opened", "why": str(error)}
    return {}

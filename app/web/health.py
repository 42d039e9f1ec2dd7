"""Health: is the process alive, and could a webhook be stored right now?"""

from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.store.engine import writing
from app.web.hub import hub

blueprint = Blueprint("health", __name__)

# Changes nothing, but only works where webhooks could be written.
_COULD_WRITE = text("UPDATE inbox SET attempts = attempts WHERE id = 0")


@blueprint.get("/healthz")
def alive() -> dict[str, str]:
    """Say that this process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def ready() -> tuple[dict[str, str], int]:
    """Say whether a webhook could be stored. Redis is named, but not needed for it."""
    database = "ok" if _can_write() else "down"
    redis = "ok" if hub().wakes.ping() else "down"
    answer = {"database": database, "redis": redis}
    return answer, 200 if database == "ok" else 503


def _can_write() -> bool:
    try:
        with writing(hub().engine) as connection:
            connection.execute(_COULD_WRITE)
    except (SQLAlchemyError, OSError):
        return False
    return True

"""What a program did that no ledger entry tells, in the audit log."""

from typing import Any

from app.domain import instants
from app.store.engine import writing
from app.store.people import deeds
from app.web.auth import actor
from app.web.hub import hub


def note(action: str, subject: str, details: dict[str, Any]) -> None:
    """Write down what this request's token did."""
    with writing(hub().engine) as connection:
        deeds.note(connection, actor(), action, subject, instants.now(), details)

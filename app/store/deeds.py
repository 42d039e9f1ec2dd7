"""What people did: one row in the audit log per press of a button."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from app.domain.instants import Instant
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

"""How a channel is: one word for its row, and why."""

from typing import Any, Final, Protocol

from app.domain.instants import Instant

HEALTHY: Final = "healthy"
LISTENING: Final = "listening"
SLOW: Final = "slow"
FAILING: Final = "failing"
ASKED: Final = "asked"
"""The provider asked us to wait, or its call budget is used up."""
HELD: Final = "held"
"""Too many calls failed: the circuit is open."""
RECOVERING: Final = "recovering"
PAUSED: Final = "paused"
REFUSED: Final = "refused"
"""Paused because it refuses our credentials."""
DISCONNECTED: Final = "disconnected"


class Row(Protocol):
    """A row of the table of channels."""

    def __getitem__(self, column: str, /) -> Any:
        """One of its columns."""


def condition(row: Row, now: Instant) -> str:
    """How a channel is."""
    if row["disconnected_at"]:
        return DISCONNECTED
    if row["paused_at"]:
        refused = "credentials" in (row["paused_reason"] or "").lower()
        return REFUSED if refused else PAUSED
    if row["poll_from"] is not None:
        return RECOVERING
    if row["tripped_at"]:
        return HELD
    if (row["held_until"] or 0) > now:
        return ASKED
    if row["failures"]:
        return FAILING
    if (row["slow_until"] or 0) > now:
        return SLOW
    return LISTENING if row["publish"] is None else HEALTHY


def reason(row: Row, state: str) -> str:
    """Why a channel is like that, in a sentence; empty where there is nothing to say."""
    if state == PAUSED:
        return row["paused_reason"] or ""
    if state in (HELD, ASKED):
        return row["held_reason"] or ""
    if state in (REFUSED, DISCONNECTED, FAILING):
        return row["last_error"] or ""
    return ""

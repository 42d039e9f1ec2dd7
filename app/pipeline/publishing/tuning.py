"""The settings that fetching and publishing go by."""

from typing import Protocol

from app.domain.retry import Policy


class Tuning(Protocol):
    """The settings that matter here."""

    @property
    def lease_seconds(self) -> float:
        """How long a lane belongs to a worker that is not heard of again."""

    @property
    def push_deadline_seconds(self) -> float:
        """The total time of one call."""

    @property
    def retry_base_seconds(self) -> float:
        """The first delay, before jitter."""

    @property
    def retry_cap_seconds(self) -> float:
        """The longest delay."""

    @property
    def retry_limit(self) -> int:
        """Failures before a delivery is a dead letter."""

    @property
    def retry_floor_seconds(self) -> float:
        """The shortest delay after a 429 or a silence."""

    @property
    def circuit_failures(self) -> int:
        """Calls that fail in a row before a channel is held."""

    @property
    def circuit_hold_seconds(self) -> float:
        """How long it is held first; each probe that fails doubles it."""

    @property
    def circuit_cap_seconds(self) -> float:
        """The longest hold."""

    @property
    def poll_seconds(self) -> float:
        """How long after a poll the next one follows."""

    @property
    def heals_a_day(self) -> int:
        """How often ours is published over one edited number before a person is asked."""

    @property
    def public_url(self) -> str:
        """Where the world reaches us."""


def policy_of(settings: Tuning) -> Policy:
    """The retry policy of these settings."""
    return Policy(
        base=settings.retry_base_seconds,
        cap=settings.retry_cap_seconds,
        limit=settings.retry_limit,
        floor=settings.retry_floor_seconds,
        trip=settings.circuit_failures,
        hold=settings.circuit_hold_seconds,
        hold_cap=settings.circuit_cap_seconds,
    )

"""Channels, and what is to be shown on them: plain values, as adapters see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.ignoring import Ignore
from app.domain.instants import Instant


@dataclass(frozen=True, slots=True)
class Channel:
    """One connected account or store at a provider."""

    id: int
    key: str
    """The word in /webhooks/<key>."""
    provider: str
    base_url: str | None = None
    """One address instead of every address of the provider's own."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """Plain secrets by name; several where rotation allows it."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Our location code → the channel's own name for it."""
    ignore: Ignore = field(default_factory=Ignore)
    """What an order is known by that another system copied in."""

    def secret(self, name: str) -> str | None:
        """The newest secret of that name, or None."""
        values = self.secrets.get(name) or ()
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Wish:
    """One number a channel should show: what `push` is given."""

    publication_id: int
    sku: str
    external_id: str
    external_parent_id: str | None
    place: str | None
    """The channel's own location id; None where it has none of its own."""
    available: int
    """What the channel should show now, >= 0."""
    version: int
    """Grows with every change of this publication."""
    expected: int | None = None
    """The number we believe the channel shows; None when nothing is known."""
    stamp: Instant | None = None
    """For channels that order writes by time: the time to write at."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A number read from the channel itself."""

    publication_id: int
    available: int | None
    """None: the channel does not track or know this item there."""
    read_at: Instant


ACCEPTED = "accepted"
REJECTED = "rejected"
STALE = "stale"
UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one wish in one call.

    `accepted`: the channel took the number. `rejected`: it never will, `reason` says
    why. `stale`: it shows another number than expected. `unsent`: refused only
    because of its neighbours; send it again without them.
    """

    publication_id: int
    verdict: str
    reason: str | None = None

"""What a provider tells when a channel is connected to it: plain values."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TheirPlace:
    """A location as the channel knows it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class TheirItem:
    """Something the channel sells, as its catalogue knows it."""

    external_id: str
    external_parent_id: str | None = None
    sku: str | None = None
    barcode: str | None = None
    name: str = ""
    is_tracked: bool = True
    """Whether the channel keeps a number for it."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """How it stands with a channel's webhooks. Every text is a sentence or a topic."""

    missing: tuple[str, ...] = ()
    """Topics that are not registered, or not as they should be."""
    mended: tuple[str, ...] = ()
    """Those of them that are registered now."""
    refused: tuple[str, ...] = ()
    """What the provider does not let us have; polling makes up for it."""
    problems: tuple[str, ...] = ()
    """What a person must do."""
    secret: str | None = field(default=None, repr=False)
    """What the provider signs with, where it was the provider who chose it."""

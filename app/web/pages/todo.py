"""One thing to do, as the overview shows it; and what there is to judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.engine import RowMapping

from app.domain.instants import SECOND, Instant
from app.store.publishing.deliveries import WAITING
from app.web.pages.rows import Delivery

FRESH: Final = 10 * SECOND
"""Younger than this, a number on its way is nobody's business."""
NAMED: Final = 3
"""How many products are named before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to judge."""

    urgent: Sequence[Delivery]
    oversold: Sequence[RowMapping]
    channels: Sequence[RowMapping]
    failures: Sequence[RowMapping]
    inbox: Mapping[str, int]
    incidents: Sequence[Mapping[str, Any]]
    astray: Instant
    """How far our clock is behind the channels'; 0 when it is right."""
    unheard: Sequence[RowMapping]
    """Channels whose webhooks are refused, and why."""
    is_silent: bool
    """The scheduler makes no rounds."""
    now: Instant


@dataclass(frozen=True, slots=True)
class Action:
    """A button (`post`) or a link; `is_deed`: only for those who may do something."""

    label: str
    url: str
    post: Mapping[str, str] | None = None
    is_deed: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to do."""

    tone: str
    title: str
    meaning: str
    advice: str = ""
    detail: str = ""
    """The provider's own words, or another thing to read only when needed."""
    products: Sequence[Delivery] = ()
    more: int = 0
    actions: Sequence[Action] = field(default_factory=tuple)
    units: int = 0
    """How many units may be sold twice as long as nobody acts."""

    @property
    def is_risk(self) -> bool:
        """Whether waiting may cost a sale that cannot be kept."""
        return self.units > 0


def stays(one: Delivery, now: Instant) -> bool:
    """Whether a number will not arrive by itself at once: it was tried, is held, or
    has waited for long."""
    return bool(one.state != WAITING or one.wanted_at < now - FRESH)

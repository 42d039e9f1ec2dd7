"""Doing: when what a batch moves was done on the channel that tells it."""

from app.domain import events as kinds
from app.domain.instants import Instant
from app.pipeline.applying.hearing import Said
from app.store.stock.cases import Case


class Corrections:
    """Which facts of a batch's cases their sources told otherwise before."""

    def __init__(self) -> None:
        self._at: dict[tuple[int, Instant], Instant] = {}

    def note(self, case: Case, name: str, said: Said) -> None:
        """A fact of a case is about to become what is said of it now."""
        known = case.targets.get(name)
        if known is not None and not kinds.is_by_hold(known.version):
            for at in (known.occurred_at, said.event.occurred_at):
                self._at[id(case), at] = said.at

    def of(self, case: Case, occurred_at: Instant) -> Instant:
        """When the source of what happened then came to say something else; 0: it told
        it once."""
        return self._at.get((id(case), occurred_at), 0)

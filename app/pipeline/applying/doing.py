"""Doing: when, and by whom, what a batch moves was done on the channel that tells it.

What a channel did itself changed its own number, at once. Not so what others told of
its orders before, and what moves units only now that the order is known.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from app.domain import events as kinds
from app.domain.instants import Instant
from app.domain.order_line import source_of
from app.pipeline.applying.hearing import REPORTED, Said
from app.pipeline.house import House
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

    def done_at(self, case: Case, occurred_at: Instant) -> Instant:
        """When its source did what is told of then: when it came to say so, if it had
        said something else before."""
        return max(occurred_at, self._at.get((id(case), occurred_at), 0))


def by_others(
    house: House, cases: Iterable[Case], causes: Mapping[int, Said]
) -> dict[int, set[Instant]]:
    """What was said (by identity) → when others than its teller did something in the
    cases that it changed, and the teller itself did nothing."""
    told = [
        (said, case)
        for case in cases
        if (said := causes.get(id(case))) is not None
        and said.told.channel_id in house.publishing
    ]
    if all(len(case.targets) < 2 for _, case in told):
        return {}  # Each of them is what was just said.
    own: dict[int, set[Instant]] = defaultdict(set)
    others: dict[int, set[Instant]] = defaultdict(set)
    for said, case in told:
        teller = house.source_of(said.told.channel_id)
        for name, target in case.targets.items():
            is_own = name.partition(":")[0] not in REPORTED or source_of(name) == teller
            (own if is_own else others)[id(said)].add(target.occurred_at)
    return {said: times - own[said] for said, times in others.items()}

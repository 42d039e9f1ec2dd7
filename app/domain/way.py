"""A way: units sent to a location, and what became of them.

A transfer or an expected receipt says what is on the way, receipts that name it what
arrived, losses what never will. How many of these units were on the way at all is worked
out from all of them together, so `incoming` never falls below zero, whatever is told
first. What arrives beyond that came from the supplier; of a transfer, from variance:
nobody wrote down that it left.
"""

from collections import defaultdict
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from app.domain import events, states
from app.domain.instants import Instant
from app.domain.states import Movement
from app.domain.targets import DISPOSITIONS, Target

Line: TypeAlias = MutableMapping[str, Target]
"""The targets of one case: one line of a transfer, expected receipt, arrival, loss."""

KINDS: Final = frozenset(
    {events.EXPECTED, events.TRANSFERRED, events.RECEIVED, events.LOST}
)
DEALT: Final = "dealt"
"""What `deal` works out: `dealt:<from state>:<from location>`, and where to in
`extra`."""
BEGAN: Final = "began"
"""What `deal` notes beside it: when the first unit of the way was sent, in
`occurred_at`. A kit keeps the recipe of then, so all that left can arrive."""


class Balance(NamedTuple):
    """What became of the units of one SKU on one way."""

    sent: int
    received: int
    lost: int
    surplus: int
    """Received, but never on the way."""

    @property
    def left(self) -> int:
        """Units still on the way."""
        return self.sent - (self.received - self.surplus) - self.lost


class _Start(NamedTuple):
    """Units put on the way; sorted, the oldest come first."""

    occurred_at: Instant
    location: int
    """Where they go."""
    units: int
    kind: str


class _End(NamedTuple):
    """An arrival or a loss; sorted, arrivals come first, then the oldest."""

    is_loss: bool
    occurred_at: Instant
    line: int
    units: int
    location: int | None
    state: str


def effective(line: Line, kind: str) -> Target | None:
    """What a case says of this kind; None if nothing, or if it was reversed."""
    target, undone = line.get(kind), line.get(events.REVERSED)
    if target is None or (undone is not None and target.version <= undone.version):
        return None
    return target


def way_of(name: str, line: Line) -> str | None:
    """The id of the way that a case named so (`owner/kind/fact`) is about, if any."""
    kind, _, fact = name.partition("/")[2].partition("/")
    if kind in (events.EXPECTED, events.TRANSFERRED):
        return fact
    target = line.get(kind) if kind in KINDS else None
    return None if target is None else fulfilled(target)


def fulfilled(target: Target) -> str | None:
    """What an arrival or a loss says it is of."""
    return str(target.extra or "").partition("|")[2] or None


def balance(lines: Sequence[Line]) -> Balance:
    """Sum one SKU up. The lines have been dealt."""
    sent = sum(start.units for line in lines for start in _sent(line))
    ends = _ends(lines)
    got = sum(end.units for end in ends if not end.is_loss)
    lost = surplus = 0
    for line in lines:
        for name, target in line.items():
            if name.startswith(DEALT):
                was_sent = name.split(":")[1] == states.INCOMING
                lost += target.quantity if was_sent and events.LOST in line else 0
                surplus += 0 if was_sent else target.quantity
    return Balance(sent, got, lost, surplus)


def deal(lines: Sequence[Line]) -> list[int]:
    """Deal what is on the way out to its ends; return which lines changed."""
    starts = [start for line in lines for start in _sent(line)]
    left: dict[int, int] = defaultdict(int)
    for start in starts:
        left[start.location] += start.units
    is_transfer = any(start.kind == events.TRANSFERRED for start in starts)
    outside = states.VARIANCE if is_transfer else states.SUPPLIER
    noted = {BEGAN: Target(0, 0, None, min(starts).occurred_at)} if starts else {}
    dealt = [dict(noted) for _ in lines]
    for end in sorted(_ends(lines)):
        units = end.units
        for place in sorted(left, key=lambda place: (place != end.location, place)):
            taken = min(units, left[place])
            if taken:
                left[place] -= taken
                units -= taken
                to = _to(end, place, outside)
                _note(dealt[end.line], states.INCOMING, place, to, taken, end)
        if units and not end.is_loss and end.location is not None:
            to = _to(end, end.location, outside)
            _note(dealt[end.line], outside, end.location, to, units, end)
    return [at for at, line in enumerate(lines) if _replace(line, dealt[at])]


def moved(sku: int, name: str, target: Target) -> Movement:
    """The movement that a dealt target calls for."""
    from_state, from_place = name.split(":")[1:]
    to_state, _, to_place = str(target.extra).partition("@")
    at = target.occurred_at
    return Movement(sku, from_state, int(from_place), to_state, int(to_place), at)


def _sent(line: Line) -> Iterator[_Start]:
    for kind in (events.EXPECTED, events.TRANSFERRED):
        target = effective(line, kind)
        if target is None or target.location is None:
            continue
        to = target.location if kind == events.EXPECTED else target.extra
        if isinstance(to, int):
            yield _Start(target.occurred_at, to, max(0, target.quantity), kind)


def _ends(lines: Sequence[Line]) -> list[_End]:
    ends = []
    for at, line in enumerate(lines):
        for kind in (events.RECEIVED, events.LOST):
            target = effective(line, kind)
            if target is None or target.quantity <= 0 or fulfilled(target) is None:
                continue
            word = str(target.extra).partition("|")[0]
            state = DISPOSITIONS.get(word, "" if kind == events.LOST else "available")
            ends.append(
                _End(
                    kind == events.LOST,
                    target.occurred_at,
                    at,
                    target.quantity,
                    target.location,
                    state,
                )
            )
    return ends


def _to(end: _End, place: int, outside: str) -> str:
    """The state and location that units end in."""
    if end.is_loss:
        return f"{end.state or outside}@{place}"
    return f"{end.state}@{end.location}"


def _note(
    dealt: dict[str, Target], state: str, place: int, to: str, units: int, end: _End
) -> None:
    target = Target(units, 0, place, end.occurred_at, to)
    dealt[f"{DEALT}:{state}:{place}"] = target


def _replace(line: Line, dealt: dict[str, Target]) -> bool:
    before = {
        name: target
        for name, target in line.items()
        if name == BEGAN or name.startswith(DEALT)
    }
    if before == dealt:
        return False
    for name in before:
        del line[name]
    line.update(dealt)
    return True

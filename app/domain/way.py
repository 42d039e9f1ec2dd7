"""A way: units sent to a location, and what became of them.

A transfer or an expected receipt says what is on the way, receipts that name it what
arrived, losses what never will. How many of these units were on the way at all is worked
out from all of them together, so `incoming` never falls below zero, whatever is told
first. What arrives beyond that came from the supplier; of a transfer, from variance:
nobody wrote down that it left.

Kits travel as their components: what was sent as a pack may arrive as single units, and
the other way round.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from app.domain import events, states
from app.domain.instants import Instant
from app.domain.kits import Parts
from app.domain.states import Movement
from app.domain.targets import BEGAN, DISPOSITIONS, Target, Targets

Line: TypeAlias = MutableMapping[str, Target]
"""The targets of one case: one line of a transfer, expected receipt, arrival, loss."""
Lines: TypeAlias = Sequence[tuple[int, Line]]
"""All cases of one way, each with its SKU."""
PartsOf: TypeAlias = Callable[[int, Targets], Parts]
"""What a case moves instead of its SKU; empty if that is no kit."""

KINDS: Final = frozenset(
    {events.EXPECTED, events.TRANSFERRED, events.RECEIVED, events.LOST}
)
DEALT: Final = "dealt"
"""What `deal` works out: `dealt:<from state>:<from location>`, of a kit with
`:<component>` behind it, and where to in `extra`."""

SENT: Final = "sent"
PARTLY: Final = "partly received"
RECEIVED: Final = "received"
CLOSED: Final = "closed"
"""Nothing is on the way any more, and something of it was lost."""
REVERSED: Final = "reversed"
"""It never was: all of it was taken back."""
UNDER_WAY: Final = (SENT, PARTLY)
STATES: Final = (*UNDER_WAY, RECEIVED, CLOSED, REVERSED)


class Balance(NamedTuple):
    """What became of the units of one SKU with stock on one way."""

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
    """Units put on the way."""

    location: int
    """Where they go."""
    units: int
    kind: str
    occurred_at: Instant


class _End(NamedTuple):
    """An arrival or a loss; sorted, arrivals come first, then the oldest."""

    is_loss: bool
    occurred_at: Instant
    line: int
    units: int
    location: int | None
    state: str


class _Told(NamedTuple):
    """What is said of one SKU with stock."""

    starts: list[_Start]
    ends: list[_End]


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


def balances(lines: Lines, parts_of: PartsOf) -> dict[int, Balance]:
    """Sum up what is or was on the way, by SKU with stock. The lines have been dealt."""
    lost, surplus = defaultdict[int, int](int), defaultdict[int, int](int)
    for sku, line in lines:
        for name, target in line.items():
            if name.startswith(DEALT):
                movement = moved(sku, name, target)
                if movement.from_state != states.INCOMING:
                    surplus[movement.sku_id] += target.quantity
                elif events.LOST in line:
                    lost[movement.sku_id] += target.quantity
    return {
        sku: Balance(
            sum(start.units for start in told.starts),
            sum(end.units for end in told.ends if not end.is_loss),
            lost[sku],
            surplus[sku],
        )
        for sku, told in _by_part(lines, parts_of).items()
    }


def state_of(balances: Collection[Balance]) -> str:
    """How far a way is, by what became of its SKUs."""
    sums = Balance(*map(sum, zip(*balances, strict=True))) if balances else None
    if sums is not None and not sums.sent:
        return REVERSED
    if sums is None or sums.received == sums.lost == 0:
        return SENT
    if sums.left > 0:
        return PARTLY
    return CLOSED if sums.lost else RECEIVED


def deal(lines: Lines, parts_of: PartsOf) -> list[int]:
    """Deal what is on the way out to its ends; return which lines changed."""
    before = [_taken_out(line) for _, line in lines]
    _begin(lines)
    for sku, told in _by_part(lines, parts_of).items():
        left = defaultdict[int, int](int)
        for start in told.starts:
            left[start.location] += start.units
        is_transfer = any(one.kind == events.TRANSFERRED for one in told.starts)
        outside = states.VARIANCE if is_transfer else states.SUPPLIER
        for end in sorted(told.ends):
            own, line = lines[end.line]
            of_kit = "" if own == sku else f":{sku}"
            for name, target in _dealt(end, left, outside):
                line[f"{name}{of_kit}"] = target
    return [
        number
        for number, (_, line) in enumerate(lines)
        if _worked_out(line) != before[number]
    ]


def _dealt(
    end: _End, left: dict[int, int], outside: str
) -> Iterator[tuple[str, Target]]:
    """What an end is dealt, off what is left by location."""
    units, at = end.units, end.occurred_at
    for place in sorted(left, key=lambda place: (place != end.location, place)):
        taken = min(units, left[place])
        if taken:
            left[place] -= taken
            units -= taken
            target = Target(taken, 0, place, at, _to(end, place, outside))
            yield f"{DEALT}:{states.INCOMING}:{place}", target
    if units and not end.is_loss and end.location is not None:
        place = end.location
        target = Target(units, 0, place, at, _to(end, place, outside))
        yield f"{DEALT}:{outside}:{place}", target


def _begin(lines: Lines) -> None:
    """A kit keeps the recipe of when the first of it was sent, so that all that left
    can arrive."""
    began: dict[int, Instant] = {}
    for sku, line in lines:
        for start in _sent(line):
            began[sku] = min(began.get(sku, start.occurred_at), start.occurred_at)
    for sku, line in lines:
        if sku in began:
            line[BEGAN] = Target(0, 0, None, began[sku])


def _by_part(lines: Lines, parts_of: PartsOf) -> dict[int, _Told]:
    found = defaultdict[int, _Told](lambda: _Told([], []))
    for number, (sku, line) in enumerate(lines):
        starts, ends = list(_sent(line)), list(_ends(number, line))
        for part, each in (parts_of(sku, line) or {sku: 1}).items():
            told = found[part]
            told.starts.extend(one._replace(units=one.units * each) for one in starts)
            told.ends.extend(one._replace(units=one.units * each) for one in ends)
    return found


def moved(sku: int, name: str, target: Target) -> Movement:
    """The movement that a dealt target of a SKU's case calls for."""
    from_state, from_place, *part = name.split(":")[1:]
    to_state, _, to_place = str(target.extra).partition("@")
    sku = int(part[0]) if part else sku
    at = target.occurred_at
    return Movement(sku, from_state, int(from_place), to_state, int(to_place), at)


def _sent(line: Line) -> Iterator[_Start]:
    for kind in (events.EXPECTED, events.TRANSFERRED):
        target = effective(line, kind)
        if target is None or target.location is None:
            continue
        to = target.location if kind == events.EXPECTED else target.extra
        if isinstance(to, int):
            yield _Start(to, max(0, target.quantity), kind, target.occurred_at)


def _ends(number: int, line: Line) -> Iterator[_End]:
    for kind in (events.RECEIVED, events.LOST):
        target = effective(line, kind)
        if target is None or target.quantity <= 0 or fulfilled(target) is None:
            continue
        word = str(target.extra).partition("|")[0]
        state = DISPOSITIONS.get(word, "" if kind == events.LOST else "available")
        yield _End(
            kind == events.LOST,
            target.occurred_at,
            number,
            target.quantity,
            target.location,
            state,
        )


def _to(end: _End, place: int, outside: str) -> str:
    """The state and location that units end in."""
    if end.is_loss:
        return f"{end.state or outside}@{place}"
    return f"{end.state}@{end.location}"


def _worked_out(line: Line) -> dict[str, Target]:
    return {
        name: target
        for name, target in line.items()
        if name == BEGAN or name.startswith(DEALT)
    }


def _taken_out(line: Line) -> dict[str, Target]:
    found = _worked_out(line)
    for name in found:
        del line[name]
    return found

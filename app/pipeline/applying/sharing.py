"""Sharing: what another system reports by SKU, dealt out to an order's lines.

A warehouse does not know a store's line ids. Of two lines with one SKU, which one a
parcel fulfils is worked out anew from everything known, so that the order of arrival
cannot change it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TypeAlias

from app.domain import events as kinds
from app.domain.targets import Target
from app.pipeline.applying.hearing import BY_SKU
from app.store.stock.cases import Case

Line: TypeAlias = dict[str, Target]


def share(lines: Sequence[Line]) -> list[int]:
    """Deal the reports out again; return which lines changed, by their position.

    Lines are in the order of their ids. A shipment goes to what is to be handed over on
    each, a return, or a notice of one, first to what was; what is left over goes to the
    last.
    """
    reports: dict[str, Target] = {}
    for line in lines:
        for name, target in line.items():
            if BY_SKU in name:
                before = reports[name].quantity if name in reports else 0
                reports[name] = target._replace(quantity=before + target.quantity)
    if not reports:
        return []
    dealt: list[dict[str, Target]] = [{} for _ in lines]
    ordered = [_ordered(one) for one in lines]
    told = sorted(reports.items(), key=_oldest_first)
    _deal_out(told, kinds.SHIPPED, dealt, [ordered])
    shipped = [
        _shipped(_without(one) | part) for one, part in zip(lines, dealt, strict=True)
    ]
    rest = [max(0, n - gone) for n, gone in zip(ordered, shipped, strict=True)]
    for kind in (kinds.RETURNED, kinds.ADVISED):
        _deal_out(told, kind, dealt, [shipped, rest])
    return [n for n, line in enumerate(lines) if _replace(line, dealt[n])]


def _deal_out(
    told: Sequence[tuple[str, Target]],
    kind: str,
    dealt: Sequence[dict[str, Target]],
    rooms: Sequence[Sequence[int]],
) -> None:
    """Deal the reports of a kind; each source fills the rooms for itself, in order."""
    free: dict[str, list[list[int]]] = defaultdict(lambda: [[*room] for room in rooms])
    for name, target in told:
        said, source, _ = name.split(":", 2)
        if said == kind:
            for number, units in _deal(free[source], target.quantity).items():
                dealt[number][name] = target._replace(quantity=units)


def _deal(rooms: Sequence[list[int]], units: int) -> dict[int, int]:
    """Which line takes how many; lessens the rooms by as many."""
    taken: dict[int, int] = defaultdict(int)
    for room in rooms:
        for number, free in enumerate(room):
            part = min(units, free)
            if part:
                room[number] -= part
                taken[number] += part
                units -= part
    if units or not taken:
        taken[len(rooms[0]) - 1] += units
    return taken


def _shipped(line: Mapping[str, Target]) -> int:
    """Units handed over on a line, by the source that tells of the most."""
    told: dict[str, int] = defaultdict(int)
    for name, target in line.items():
        if name.startswith(f"{kinds.SHIPPED}:"):
            told[name.split(":", 2)[1]] += target.quantity
    return max(told.values(), default=0)


def _oldest_first(report: tuple[str, Target]) -> tuple[int, str]:
    return report[1].occurred_at, report[0]


def _ordered(line: Line) -> int:
    placed, released = line.get(kinds.PLACED), line.get(kinds.RELEASED)
    cancelled = released.quantity if released else 0
    return max(0, (placed.quantity if placed else 0) - cancelled)


def _without(line: Line) -> Line:
    return {name: target for name, target in line.items() if BY_SKU not in name}


def _replace(line: Line, dealt: dict[str, Target]) -> bool:
    before = {name: target for name, target in line.items() if BY_SKU in name}
    if before == dealt:
        return False
    for name in before:
        del line[name]
    line.update(dealt)
    return True


def shared(found: Sequence[Case], name: str, target: Target) -> list[Target]:
    """Share a report about several lines of one SKU among them, in their order.

    Each line takes what it placed; what is left over goes to the last. A payment is of
    all of them.
    """
    if len(found) == 1 or name in kinds.PAYMENT:
        return [target] * len(found)
    left, shares = target.quantity, []
    for case in found:
        placed = case.targets.get(kinds.PLACED)
        others = sum(
            known.quantity
            for fact, known in case.targets.items()
            if ":" in name
            and fact != name
            and fact.rpartition(":")[0] == name.rpartition(":")[0]
        )
        room = max(0, (placed.quantity if placed else 0) - others)
        shares.append(target._replace(quantity=min(left, room)))
        left -= shares[-1].quantity
    shares[-1] = shares[-1]._replace(quantity=shares[-1].quantity + left)
    return shares


def together(rows: Sequence[Case], name: str) -> Target | None:
    """What rows keep of one report, together: the newest word on it."""
    told = [row.targets[name] for row in rows if name in row.targets]
    if not told:
        return None
    newest = max(told, key=attrgetter("version"))
    units = sum(one.quantity for one in told if one.version == newest.version)
    return newest._replace(quantity=units)

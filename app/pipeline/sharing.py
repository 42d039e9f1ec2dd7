"""Sharing: what another system reports by SKU, dealt out to an order's lines.

A warehouse does not know a store's line ids. Of two lines with one SKU, which one a
parcel fulfils is worked out anew from everything known, so that the order of arrival
cannot change it.
"""

from collections import defaultdict
from collections.abc import Iterator, MutableMapping, Sequence
from typing import TypeAlias

from app.domain import events as kinds
from app.domain.targets import Target
from app.pipeline.hearing import BY_SKU

Line: TypeAlias = MutableMapping[str, Target]


def share(lines: Sequence[Line]) -> list[int]:
    """Deal the reports out again; return which lines changed, by their position.

    Lines are in the order of their ids; each takes what is still to be handed over on
    it, what is left over goes to the last.
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
    room: dict[str, list[int]] = defaultdict(lambda: [_ordered(one) for one in lines])
    for name, target in sorted(reports.items(), key=_oldest_first):
        said_by = name.rpartition(BY_SKU)[0].split(":", 2)[:2]
        for number, units in _deal(room[":".join(said_by)], target.quantity):
            dealt[number][name] = target._replace(quantity=units)
    return [n for n, line in enumerate(lines) if _replace(line, dealt[n])]


def _deal(room: list[int], units: int) -> Iterator[tuple[int, int]]:
    """Which line takes how many; lessens the room by as many."""
    last = len(room) - 1
    for number, free in enumerate(room):
        part = units if number == last else min(units, free)
        if part or (number == last and not units):
            room[number] = max(0, free - part)
            units -= part
            yield number, part
            if not units:
                return


def _oldest_first(report: tuple[str, Target]) -> tuple[int, str]:
    return report[1].occurred_at, report[0]


def _ordered(line: Line) -> int:
    placed, released = line.get(kinds.PLACED), line.get(kinds.RELEASED)
    cancelled = released.quantity if released else 0
    return max(0, (placed.quantity if placed else 0) - cancelled)


def _replace(line: Line, dealt: dict[str, Target]) -> bool:
    before = {name: target for name, target in line.items() if BY_SKU in name}
    if before == dealt:
        return False
    for name in before:
        del line[name]
    line.update(dealt)
    return True

"""Folding: what is reported of a kit's components belongs to the order's kit.

A store sells a kit as one line; a warehouse reports what it packed, the components, and
knows no line of the store's. Such reports stay in a row of their own, by their SKU. What
they move is worked out anew from everything known of the order, so that neither the
order of arrival nor another recipe can make a component leave twice.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from app.domain import events as kinds
from app.domain.case import handed_over, movements
from app.domain.kits import Parts, of_part
from app.domain.targets import Movements, Rules, Target, Targets
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.hearing import BY_SKU, Said
from app.pipeline.applying.sharing import share
from app.pipeline.applying.traits import (
    is_told,
    may_be_of,
    names_no_channel,
    reports_only,
)
from app.pipeline.house import House
from app.store.stock.cases import Case

Facts: TypeAlias = dict[str, Target]


class AllOfIt(NamedTuple):
    """What an order takes of a SKU, and all that is said of it there."""

    units: int
    targets: Targets


class Folded(NamedTuple):
    """One case of an order in which components of a kit were reported."""

    case: Case
    moves: Mapping[int, Targets]
    """SKU → the targets by which it moves; none for the reports themselves."""
    channel_id: int | None
    """Whose order it is."""
    judged: AllOfIt | None
    """Where the reports are kept: what they are judged by, together."""

    def movements(self, rules: Rules) -> Movements:
        """What this case calls for as part of its order."""
        wanted: Movements = {}
        for sku_id, targets in self.moves.items():
            wanted |= movements(sku_id, targets, rules)
        return wanted

    def surplus(self, rules: Rules) -> dict[int, int]:
        """Units that left above what the order takes, by location."""
        if self.judged is None or kinds.IGNORED in self.judged.targets:
            return {}
        left, over = self.judged.units, dict[int, int]()
        for place, units in handed_over(self.judged.targets, rules):
            above = max(0, units - left)
            left = max(0, left - units)
            if above:
                over[place] = over.get(place, 0) + above
        return over


def fold(house: House, book: Casebook, causes: dict[int, Said]) -> dict[int, Folded]:
    """By the identity of the case; every case of such an order counts as changed."""
    found: dict[int, Folded] = {}
    if not house.recipes.versions:
        return found
    looked_at: set[str] = set()
    for case in list(book.changed.values()):
        said, key = causes.get(id(case)), case.case_key
        if said is None or key in looked_at or "/order/" not in key:
            continue
        looked_at.add(key)
        lines, reports = _order_of(book.around(case), case)
        for one in _folded(house, lines, reports):
            found[id(one.case)] = one
            book.touch(one.case)
            causes.setdefault(id(one.case), said)
    return found


def reported(house: House, book: Casebook, found: Mapping[int, Folded]) -> list[Case]:
    """The changed cases that keep reports which are, or may have been, of a kit."""
    if not house.recipes.versions:
        return []
    return [
        case
        for case in book.changed.values()
        if (id(case) in found and found[id(case)].judged is not None)
        or (reports_only(case) and not case.targets)
    ]


def _order_of(rows: Sequence[Case], case: Case) -> tuple[list[Case], list[Case]]:
    """The lines that an order's channel told of, and what others report about it."""
    told = [row for row in rows if is_told(row) and row.sku_id is not None]
    is_only = len({row.channel_id for row in told}) == 1
    if not names_no_channel(case):
        told = [row for row in told if row.channel_id == case.channel_id]
    orders = {row.case_key for row in told}
    own = case.case_key
    if own not in orders:
        if len(orders) != 1:
            return [], []  # Nobody says which of these orders it is.
        own = orders.pop()
    lines = sorted((row for row in told if row.case_key == own), key=lambda r: r.line)
    owner, numbers = lines[0].channel_id or 0, {row.order_number for row in lines}
    reports = [
        row
        for row in rows
        if row.targets
        and reports_only(row)
        and may_be_of(row, owner)
        and (row.channel_id == owner or is_only)
        # Not by what others call it.
        and (row.case_key == own or row.order_number in numbers - {None})
    ]
    return lines, reports


def _folded(
    house: House, lines: Sequence[Case], reports: Sequence[Case]
) -> Iterator[Folded]:
    parts: dict[int, Parts] = {
        id(line): house.parts_of(line.sku_id or 0, line.targets) for line in lines
    }
    views: dict[int, dict[int, Targets]] = {
        id(line): {
            sku: of_part(line.targets, units) for sku, units in parts[id(line)].items()
        }
        or {line.sku_id or 0: line.targets}
        for line in lines
    }
    is_folded, judged = False, {}
    for sku, told in _by_sku(lines, parts, reports).items():
        # What nobody made a kit of fulfils lines of its own before any kit.
        among = [line for line in lines if sku in views[id(line)]]
        among.sort(key=lambda line: bool(parts[id(line)]))
        if not among or not parts[id(among[-1])]:
            continue
        is_folded = True
        shares = [dict(views[id(line)][sku]) for line in among]
        _add(shares[-1], told)
        share(shares)
        for line, part in zip(among, shares, strict=True):
            views[id(line)][sku] = part
        all_of_it = AllOfIt(sum(map(_taken, shares)), _summed(shares))
        for report in told:
            yield Folded(report, {}, lines[0].channel_id, all_of_it)
        if not told:
            loose = [line for line in among if not parts[id(line)]]
            judged[id(loose[-1])] = all_of_it
    for line in lines if is_folded else ():
        yield Folded(line, views[id(line)], line.channel_id, judged.get(id(line)))


def _by_sku(
    lines: Sequence[Case], parts: Mapping[int, Parts], reports: Sequence[Case]
) -> dict[int, list[Case]]:
    """The rows of reports by SKU; none of those that lines of their own keep."""
    found: dict[int, list[Case]] = defaultdict(list)
    for report in reports:
        found[report.sku_id or 0].append(report)
    for line in lines:
        if not parts[id(line)] and any(BY_SKU in name for name in line.targets):
            found[line.sku_id or 0] += ()
    return found


def _add(targets: Facts, told: Sequence[Case]) -> None:
    for report in told:
        for name, target in report.targets.items():
            if name != kinds.IGNORED:
                targets[name] = target


def _summed(shares: Sequence[Facts]) -> Facts:
    """Everything said of one SKU in the order, as if of one line."""
    total: Facts = {}
    for one in shares:
        for name, target in one.items():
            before = total[name].quantity if name in total else 0
            total[name] = target._replace(quantity=before + target.quantity)
    return total


def _taken(targets: Targets) -> int:
    placed, released = targets.get(kinds.PLACED), targets.get(kinds.RELEASED)
    return max(
        0,
        (placed.quantity if placed else 0) - (released.quantity if released else 0),
    )

"""Ways: transfers and expected receipts, with all that arrived of them or was lost.

Each is told in cases of its own, by whoever knows; what was on the way is dealt out among
them anew whenever one of them changes, so that the order of arrival cannot matter.
"""

from collections.abc import Iterable, Sequence

from app.domain.targets import Target
from app.domain.way import deal, way_of
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.hearing import Said, way_number
from app.pipeline.house import House
from app.store.stock.cases import Case


def deal_ways(house: House, book: Casebook, causes: dict[int, Said]) -> None:
    """Deal out every way that changed cases are, or were, about."""
    changed = [case for key, case in book.changed.items() if key in book.ways]
    if not changed:
        return
    causing = _renumbered(house, changed, causes)
    book.open_numbers(causing)
    for number, said in causing.items():
        among = [case for case in book.ways.values() if case.order_number == number]
        among.sort(key=lambda case: (case.case_key, case.line))
        for position in deal(lines_of(among), house.parts_of):
            book.touch(among[position])
            causes.setdefault(id(among[position]), said)


def _renumbered(
    house: House, cases: Sequence[Case], causes: dict[int, Said]
) -> dict[str, Said]:
    """The ways that these cases are about now or were about before, and why that
    matters again."""
    causing: dict[str, Said] = {}
    for case in cases:
        said = causes.get(id(case))
        before, case.order_number = case.order_number, numbered(case)
        if case.order_number is None:
            deal(lines_of([case]), house.parts_of)  # it fulfils nothing any more
        for number in (before, case.order_number):
            if number is not None and said is not None:
                causing[number] = said
    return causing


def numbered(case: Case) -> str | None:
    """The number of the way that a case is about now."""
    return way_number(way_of(case.case_key, case.targets))


def lines_of(among: Iterable[Case]) -> list[tuple[int, dict[str, Target]]]:
    """What the cases of a way are, by their SKUs."""
    return [(case.sku_id or 0, case.targets) for case in among]

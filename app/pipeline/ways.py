"""Ways: transfers and expected receipts, with all that arrived of them or was lost.

Each is told in cases of its own, by whoever knows; what was on the way is dealt out among
them anew whenever one of them changes, so that the order of arrival cannot matter.
"""

from collections.abc import Iterable, Sequence

from app.domain.way import deal, way_of
from app.pipeline.casebook import Casebook
from app.pipeline.hearing import Said, way_number
from app.store.cases import Case


def deal_ways(book: Casebook, causes: dict[int, Said]) -> None:
    """Deal out every way that changed cases are, or were, about."""
    changed = [case for key, case in book.changed.items() if key in book.ways]
    if not changed:
        return
    causing = _renumbered(changed, causes)
    book.open_numbers(causing)
    for number, said in causing.items():
        among = [case for case in book.ways.values() if case.order_number == number]
        for one in by_sku(among).values():
            for position in deal([case.targets for case in one]):
                book.touch(one[position])
                causes.setdefault(id(one[position]), said)


def _renumbered(cases: Sequence[Case], causes: dict[int, Said]) -> dict[str, Said]:
    """The ways that these cases are about now or were about before, and why that
    matters again."""
    causing: dict[str, Said] = {}
    for case in cases:
        said = causes.get(id(case))
        before, case.order_number = case.order_number, numbered(case)
        if case.order_number is None:
            deal([case.targets])  # it fulfils nothing any more
        for number in (before, case.order_number):
            if number is not None and said is not None:
                causing[number] = said
    return causing


def numbered(case: Case) -> str | None:
    """The number of the way that a case is about now."""
    return way_number(way_of(case.case_key, case.targets))


def by_sku(among: Iterable[Case]) -> dict[int, Sequence[Case]]:
    """SKU → its cases, in an order that has nothing to do with their arrival."""
    found: dict[int, list[Case]] = {}
    for case in sorted(among, key=lambda case: (case.case_key, case.line)):
        found.setdefault(case.sku_id or 0, []).append(case)
    return dict(found)

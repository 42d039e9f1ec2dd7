"""Ways: transfers and expected receipts, with all that arrived of them or was lost.

Each is told in cases of its own, by whoever knows; what was on the way is dealt out among
them anew whenever one of them changes, so that the order of arrival cannot matter.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.targets import Target
from app.domain.way import balances, deal, state_of, way_of
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.hearing import WAYS, Said, way_number
from app.pipeline.house import House
from app.store.stock import ways as store
from app.store.stock.cases import Case


def deal_ways(
    connection: Connection, house: House, book: Casebook, causes: dict[int, Said]
) -> None:
    """Deal out every way that changed cases are, or were, about, and write down how far
    each is."""
    changed = [case for key, case in book.changed.items() if key in book.ways]
    if not changed:
        return
    far: dict[str, tuple[bool, str] | None] = {}
    causing = _renumbered(house, changed, causes)
    book.open_numbers(causing)
    for number, said in causing.items():
        among = [case for case in book.ways.values() if case.order_number == number]
        among.sort(key=lambda case: (case.case_key, case.line))
        for position in deal(lines_of(among), house.parts_of):
            book.touch(among[position])
            causes.setdefault(id(among[position]), said)
        far[number.removeprefix(WAYS)] = _how_far(house, among)
    store.keep(connection, far)


def _how_far(house: House, among: Sequence[Case]) -> tuple[bool, str] | None:
    """Whether a way is a transfer, and its state; None when nothing is told of it."""
    if not among:
        return None
    sent = [case.targets.get(kinds.TRANSFERRED) for case in among]
    is_transfer = any(one is not None and isinstance(one.extra, int) for one in sent)
    found = balances(lines_of(among), house.parts_of)
    return is_transfer, state_of(found.values())


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

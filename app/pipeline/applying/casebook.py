"""The cases of one batch: which case an event speaks of, and what it newly says there.

Another system names an order by its number and a line by its SKU; what it reported
before the order's own channel spoke is kept provisionally and taken over when it does.
"""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.engine import Connection

from app.domain import events as kinds, way
from app.domain.events import WHOLE, StockEvent, WholeOrder
from app.domain.targets import Target
from app.pipeline.applying.doing import Corrections
from app.pipeline.applying.hearing import (
    ORDER_KINDS,
    Said,
    line_name,
    number_named,
    order_key,
)
from app.pipeline.applying.traits import (
    is_provisional,
    is_told,
    may_be_doubtful,
    may_be_of,
    promised,
)
from app.pipeline.applying.waiting import (
    only_waits,
    tells_of_order,
    tells_of_return,
    waits_under,
)
from app.pipeline.house import House, Place
from app.store.stock import cases as store
from app.store.stock.cases import Case


class Casebook:
    """Cases by key, loaded once for a batch; remembers which ones changed."""

    def __init__(self, connection: Connection, house: House) -> None:
        self._connection = connection
        self._house = house
        self._cases: dict[str, dict[str, Case]] = {}
        self._numbers: dict[str, list[Case]] = {}
        self.changed: dict[int, Case] = {}
        self.corrections = Corrections()
        self._doubted: set[int] = set()
        """Cases (by identity) that held something doubtful when they were opened."""
        self._returned: set[int] = set()
        """Those of them that held a return."""
        self.ways: dict[int, Case] = {}
        """Cases (by identity) that are about units on the way to a location."""
        self.knows_orders = False
        """Whether any order's own row is open."""
        self._waits = False
        """Whether returns were opened that wait for a channel's order."""

    def open(
        self,
        heard: Iterable[Said],
        whole: Iterable[tuple[int | None, Sequence[WholeOrder]]] = (),
    ) -> None:
        """Load every case these events and orders may touch, in at most two queries."""
        keys = {
            order_key(channel.key, order.order)
            for channel_id, orders in whole
            if (channel := self._house.channels.get(channel_id or 0)) is not None
            for order in orders
        }
        numbers: set[str] = set()
        for said in heard:
            if said.told.is_first:
                continue
            keys.add(said.case_key)
            number = number_named(said.event)
            if number is not None:
                numbers.add(number)
            if said.owner is not None and said.event.kind in ORDER_KINDS:
                keys.update(waits_under(said.event.order, said.event.order_number))
        found = list(store.load(self._connection, sorted(keys)))
        if self._house.recipes.versions:
            # What was reported of a kit's components stays under the order's number.
            numbers |= {case.order_number for case in found if case.order_number}
        found += store.load_numbers(self._connection, sorted(numbers))
        if self._house.recipes.versions:
            # And what was reported by the order's id, where others name its number.
            others = {case.case_key for case in found if case.line} - keys
            found += store.load(self._connection, sorted(others))
        for case in found:
            self._open(case)

    def add(self, case: Case) -> None:
        self._cases.setdefault(case.case_key, {})[case.line] = case
        self.knows_orders = self.knows_orders or not case.line
        if case.order_number is not None:
            self._numbers.setdefault(case.order_number, []).append(case)
        if case.case_key.split("/", 2)[1] in way.KINDS:
            self.ways[id(case)] = case

    def _open(self, case: Case) -> None:
        """Add a case as it was written down, unless it is here already."""
        if case.line in self._cases.get(case.case_key, {}):
            return
        self.add(case)
        if may_be_doubtful(case):
            self._doubted.add(id(case))
        if tells_of_return(case):
            self._returned.add(id(case))
            self._waits = self._waits or only_waits(case)

    def whole(self, owner: Place, order: str) -> Case | None:
        """The order's own row, if its channel ever told the whole order."""
        return self._cases.get(order_key(owner.key, order), {}).get("")

    def lines(self, owner: Place, order: str) -> list[Case]:
        """The known lines of an order."""
        found = self._cases.get(order_key(owner.key, order), {})
        return [case for line, case in found.items() if line]

    def find(self, said: Said, sku_id: int | None) -> list[Case]:
        """The lines an event may speak of: one, several of an order, or none known.

        The order's own channel names its lines; what another system reports goes by
        the SKU, for its line ids are its own: to the lines that the channel told of,
        and before there are any to what a hold promised, or to one that is made for
        such reports.
        """
        event = said.event
        exact = self._cases.get(said.case_key, {})
        same = exact.get(line_name(said, sku_id))
        is_ours = event.kind == kinds.LAPSED
        if event.kind not in ORDER_KINDS or not said.is_foreign or is_ours:
            return [same] if same is not None else []
        told = [
            case
            for case in self._told_by_channel(said)
            if case.sku_id == sku_id or case.line == event.line
        ]
        if not said.by_sku:
            return [same] if same is not None and (same in told or not told) else told
        told = [case for case in told if case.sku_id == sku_id]
        return told or (
            [same] if same is not None else promised(exact.values(), sku_id)
        )

    def _told_by_channel(self, said: Said) -> list[Case]:
        owner, event = said.owner, said.event
        rows = self.rows(said.case_key, number_named(event) or event.order)
        told = [case for case in rows if is_told(case)]
        if owner is not None and owner is not said.channel:
            return [case for case in told if case.channel_id == owner.id]
        # The sender does not say whose order it is: only one channel may have it.
        one = {case.channel_id for case in told}
        return told if len(one) == 1 else []

    def make(self, said: Said, sku_id: int) -> tuple[Case, list[Case]]:
        """A new case, and the provisional ones whose reports it took over."""
        owner, event = said.owner, said.event
        number = number_named(event) if event.kind in ORDER_KINDS else None
        case = Case(
            None,
            said.case_key,
            line_name(said, sku_id),
            owner.id if owner is not None else None,
            number,
            sku_id,
        )
        adopted = []
        if owner is not None and not said.is_foreign:
            adopted = self.adopt(case, owner)
        self.add(case)
        return case, adopted

    def adopt(self, case: Case, owner: Place) -> list[Case]:
        """Take over what others reported about this line before its channel spoke."""
        reported = self.reported(case, owner)
        adopted = [other for other in reported if other.sku_id == case.sku_id]
        for other in adopted:
            # Whether the order is a copy is its own row's to say.
            other.targets.pop(kinds.IGNORED, None)
            case.take_over(other.targets)
            other.targets = {}
            self.touch(other)
        return adopted

    def reported(self, case: Case, owner: Place) -> list[Case]:
        """The rows that keep what others told of this order and its channel did not."""
        return [
            other
            for other in self.rows(case.case_key, case.order_number)
            if other is not case and other.targets and may_be_of(other, owner.id)
        ]

    def waited_for(self) -> Iterator[tuple[Case, Case]]:
        """The changed cases whose order and SKU returns wait for, each with these."""
        for case in list(self.changed.values()) if self._waits else ():
            _, kind, order = case.case_key.split("/", 2)
            if case.channel_id is None or kind != "order" or not tells_of_order(case):
                continue
            for key in waits_under(order, case.order_number):
                for other in list(self._cases.get(key, {}).values()):
                    if other.sku_id == case.sku_id and only_waits(other):
                        yield case, other

    def number(self, case: Case, number: str | None) -> bool:
        """Its channel tells the order's own number; return whether that is news."""
        if number is None or case.order_number is not None:
            return False
        case.order_number = number
        self._numbers.setdefault(number, []).append(case)
        return True

    def named(self, case: Case, said: Said) -> list[Case]:
        """Take over what others reported under an order's number before it was told."""
        is_new = not said.is_foreign and self.number(case, said.event.order_number)
        return self.adopt(case, said.owner) if is_new and said.owner else []

    def sharing(self, case: Case) -> list[Case]:
        """The lines of this line's order with its SKU that its channel told of."""
        if case.channel_id is None:
            return []
        found = self._cases.get(case.case_key, {})
        if len(found) < 2:
            return []
        return [
            found[line]
            for line in sorted(found)
            if line
            and found[line].sku_id == case.sku_id
            and not is_provisional(found[line], str(case.channel_id))
        ]

    def open_numbers(self, numbers: Iterable[str]) -> None:
        """Load every case under these numbers that is not here yet."""
        for case in store.load_numbers(self._connection, sorted(numbers)):
            self._open(case)

    def touch(self, case: Case) -> None:
        """Remember that a case changed and must be posted and written."""
        self.changed[id(case)] = case

    def doubted(self) -> list[Case]:
        """The changed cases that hold a return or a shipment without a location or of
        too much, or did before they changed."""
        changed = self.changed.items()
        return [c for key, c in changed if key in self._doubted or may_be_doubtful(c)]

    def returned(self) -> list[Case]:
        """The changed cases that hold a return or a notice of one, or did before."""
        changed = self.changed.items()
        return [c for key, c in changed if key in self._returned or tells_of_return(c)]

    def tell_whole(self, owner: Place, order: WholeOrder) -> bool:
        """Note which lines an order has; False when something newer is known."""
        case = self.row(owner, order.order)
        self.number(case, order.order_number)
        known = case.targets.get(WHOLE)
        if known is not None and known.version >= order.version:
            return False
        listed = "\n".join(order.lines)
        case.targets[WHOLE] = Target(
            len(order.lines), order.version, None, order.occurred_at, listed
        )
        self.touch(case)
        return True

    def around(self, case: Case) -> list[Case]:
        """Every loaded row of what may be the same order, by its key or its number, or
        by those of its lines."""
        rows = self.rows(case.case_key, case.order_number)
        for line in [row for row in rows if is_told(row)]:
            rows += self.rows(line.case_key, line.order_number)
        return list({id(row): row for row in rows}.values())

    def rows(self, case_key: str, number: str | None) -> list[Case]:
        """Every loaded row under a key, and every one under an order's number."""
        same, numbered = self._cases.get(case_key, {}), self._numbers.get(number or "")
        if not numbered:
            return list(same.values())
        return list({id(row): row for row in (*same.values(), *numbered)}.values())

    def row(self, owner: Place, order: str) -> Case:
        """The order's own row; made when there is none yet."""
        case = self.whole(owner, order)
        if case is None:
            case = Case(None, order_key(owner.key, order), "", owner.id, None, None)
            self.add(case)
        return case

    def lacks(self, owner: Place, event: StockEvent) -> bool:
        """Whether the channel has since told the whole order without this line."""
        case = self.whole(owner, event.order or "")
        if case is None or WHOLE not in case.targets:
            return False
        told = case.targets[WHOLE]
        lines = str(told.extra).split("\n")
        return told.version > event.version and event.line not in lines

"""Entries of the ledger in words, and what they do to what may be sold."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import RowMapping

from app.domain import events as kinds, states as st
from app.web.texts import gettext, lazy, number

_MOVES: Final[Mapping[tuple[str, str], str]] = {
    (st.AVAILABLE, st.COMMITTED): lazy("%(n)s sold, promised to %(order)s"),
    (st.COMMITTED, st.AVAILABLE): lazy("%(n)s taken back from %(order)s"),
    (st.AVAILABLE, st.CUSTOMER): lazy("%(n)s handed over, %(order)s"),
    (st.CUSTOMER, st.AVAILABLE): lazy("%(n)s came back, sellable again, %(order)s"),
    (st.CUSTOMER, st.INSPECTION): lazy("%(n)s came back, to be inspected, %(order)s"),
    (st.CUSTOMER, st.DAMAGED): lazy("%(n)s came back damaged, %(order)s"),
    (st.SUPPLIER, st.AVAILABLE): lazy("%(n)s received"),
    (st.SUPPLIER, st.INSPECTION): lazy("%(n)s received, to be inspected"),
    (st.SUPPLIER, st.INCOMING): lazy("%(n)s expected from the supplier"),
    (st.INCOMING, st.AVAILABLE): lazy("%(n)s arrived"),
    (st.INCOMING, st.INSPECTION): lazy("%(n)s arrived, to be inspected"),
    (st.AVAILABLE, st.INCOMING): lazy("%(n)s sent to %(to)s"),
    (st.INCOMING, st.DAMAGED): lazy("%(n)s arrived damaged"),
    (st.INCOMING, st.VARIANCE): lazy("%(n)s lost on the way"),
    (st.INCOMING, st.SCRAP): lazy("%(n)s destroyed on the way"),
    (st.INCOMING, st.SUPPLIER): lazy("%(n)s expected, but never came"),
    (st.AVAILABLE, st.RESERVED): lazy("%(n)s held"),
    (st.RESERVED, st.AVAILABLE): lazy("%(n)s no longer held"),
    (st.RESERVED, st.COMMITTED): lazy("%(n)s held before, now promised to %(order)s"),
    (st.AVAILABLE, st.DAMAGED): lazy("%(n)s found damaged"),
    (st.AVAILABLE, st.SCRAP): lazy("%(n)s thrown away"),
    (st.AVAILABLE, st.VARIANCE): lazy("%(n)s taken off"),
    (st.VARIANCE, st.AVAILABLE): lazy("%(n)s added"),
    (st.INSPECTION, st.AVAILABLE): lazy("%(n)s inspected, sellable again"),
    (st.INSPECTION, st.DAMAGED): lazy("%(n)s inspected, damaged"),
    (st.INSPECTION, st.SCRAP): lazy("%(n)s inspected, thrown away"),
    (st.AVAILABLE, st.INSPECTION): lazy("%(n)s set aside to be inspected"),
}
_KINDS: Final[Mapping[tuple[str, str, str], str]] = {
    (kinds.SHIPPED, st.COMMITTED, st.AVAILABLE): lazy("%(n)s picked for %(order)s"),
    (kinds.RELEASED, st.COMMITTED, st.AVAILABLE): lazy("%(n)s cancelled, %(order)s"),
    (kinds.ROUTED, st.COMMITTED, st.AVAILABLE): lazy("%(n)s moved on, %(order)s"),
    (kinds.ROUTED, st.AVAILABLE, st.COMMITTED): lazy("%(n)s assigned here, %(order)s"),
    (kinds.SHIPPED, st.CUSTOMER, st.AVAILABLE): lazy(
        "%(n)s not shipped after all, %(order)s"
    ),
    (kinds.COUNTED, st.AVAILABLE, st.VARIANCE): lazy(
        "Counted: %(n)s fewer than thought"
    ),
    (kinds.COUNTED, st.VARIANCE, st.AVAILABLE): lazy(
        "Counted: %(n)s more than thought"
    ),
    (kinds.RETURNED, st.COMMITTED, st.AVAILABLE): lazy(
        "%(n)s never went out, %(order)s"
    ),
}


def says(row: RowMapping, details: Mapping[str, Any]) -> str:
    """What a ledger entry says, as somebody in the shop would."""
    move = (row["from_state"], row["to_state"])
    form = _KINDS.get((row["kind"], *move)) or _MOVES.get(move)
    n, (out, into) = number(row["quantity"]), move
    if form is None:
        return gettext("%(n)s moved from %(out)s to %(into)s", n=n, out=out, into=into)
    told = details.get("order_number") or details.get("order")
    nameless = gettext("an order")
    order = gettext("order %(number)s", number=told) if told else nameless
    to = row["to_location"] or gettext("another location")
    return (str(form) % {"n": n, "order": order, "to": to}).removesuffix(
        f", {nameless}"
    )


class Told(NamedTuple):
    """What a reader is told of: an entry, or several that come to nothing."""

    row: RowMapping
    is_again: bool = False


def told(found: Sequence[RowMapping]) -> Iterator[Told]:
    """Entries in their order. Of an event that takes back as much as it puts again, as
    where another source tells of the same with another time, the one that says what."""
    of: dict[int, list[RowMapping]] = defaultdict(list)
    for row in found:
        of[row["event_id"]].append(row)
    again = {
        event_id: max(some, key=_weight)["id"]
        for event_id, some in of.items()
        if len(some) > 1 and not any(_net(some).values())
    }
    for row in found:
        one = again.get(row["event_id"])
        if one in (None, row["id"]):
            yield Told(row, one is not None)


def _net(some: Sequence[RowMapping]) -> Mapping[tuple[Any, ...], int]:
    """Units that moved from one of two states at their places to the other, in sum."""
    net: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in some:
        out = row["from_state"], row["from_location"] or ""
        into = row["to_state"], row["to_location"] or ""
        sign = 1 if out < into else -1
        net[row["sku"], min(out, into), max(out, into)] += sign * row["quantity"]
    return net


def _weight(row: RowMapping) -> tuple[bool, int]:
    """What leaves the house says more than what is taken back for it."""
    return row["to_state"] not in st.ON_HAND, row["id"]


def effect(row: RowMapping, *, is_again: bool = False) -> int:
    """What a ledger entry does to the units that may be sold."""
    if is_again:
        return 0
    into, out = row["to_state"] == st.AVAILABLE, row["from_state"] == st.AVAILABLE
    return int(row["quantity"]) * (int(into) - int(out))

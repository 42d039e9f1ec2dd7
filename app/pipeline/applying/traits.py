"""What a case is, seen by itself: by which sources, and of what it tells."""

from collections.abc import Iterable

from app.domain import events as kinds
from app.domain.order_line import source_of
from app.domain.targets import WITNESS
from app.pipeline.applying.hearing import REPORTED
from app.store.stock.cases import Case

FROM_HOLDS = (kinds.PLACED, kinds.ROUTED)
"""What a hold says of the order it is committed to."""


def is_told(case: Case) -> bool:
    """Whether a channel told of this line of an order of its own."""
    return (
        bool(case.line)
        and not reports_only(case)
        and not is_provisional(case, str(case.channel_id))
    )


def reports_only(case: Case) -> bool:
    """Whether it is no line of an order, but what was reported of a SKU in it."""
    facts = {name.partition(":")[0] for name in case.targets}
    return case.line.startswith("sku:") and facts <= {*REPORTED, kinds.IGNORED}


def is_provisional(case: Case, owner: str) -> bool:
    """Whether the order's own channel has said nothing of this line yet.

    All it holds was reported by others, or promised by a hold.
    """
    return all(
        name == kinds.IGNORED
        or (name.partition(":")[0] in REPORTED and source_of(name) != owner)
        or (name.partition(":")[0] in FROM_HOLDS and kinds.is_by_hold(target.version))
        for name, target in case.targets.items()
    )


def names_no_channel(case: Case) -> bool:
    """Whether it is what a warehouse or carrier reports and does not say whose order
    that is: all of it under its own name."""
    own = tuple(
        f"{kind}:{case.channel_id}{end}" for kind in REPORTED for end in (":", WITNESS)
    )
    return case.line.startswith("sku:") and all(
        name == kinds.IGNORED or name.startswith(own) for name in case.targets
    )


def may_be_of(case: Case, channel_id: int) -> bool:
    """Whether it keeps what others tell of a channel's order before that itself does:
    for this channel, or for none."""
    is_for_it = case.channel_id == channel_id or names_no_channel(case)
    return is_for_it and is_provisional(case, str(channel_id))


def promised(rows: Iterable[Case], sku_id: int | None) -> list[Case]:
    """The line of an order that a hold promised, before its channel has spoken."""
    found = (case for case in rows if kinds.PLACED in case.targets)
    return [case for case in found if case.sku_id == sku_id][:1]


def may_be_doubtful(case: Case) -> bool:
    """Whether it holds a return, or a shipment without a location or of too much."""
    shipped: dict[str, int] = {}
    for name, target in case.targets.items():
        if name.startswith(kinds.RETURNED):
            return True
        if name.startswith(kinds.SHIPPED):
            if target.location is None:
                return True
            source = name.split(":", 2)[1]
            shipped[source] = shipped.get(source, 0) + target.quantity
    placed, released = case.targets.get(kinds.PLACED), case.targets.get(kinds.RELEASED)
    if placed is None or not shipped:
        return False
    taken = placed.quantity - (released.quantity if released else 0)
    return max(shipped.values()) > taken

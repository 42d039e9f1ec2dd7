"""Copies: orders that another system copied into a channel, and tests: they move nothing.

An order's own row keeps what each version of the channel's rules made of it; the newest
rules decide, by the newest word on the order. Its lines carry a mark while it is a copy:
what is said of them is kept, and counts as soon as the order is none after all.
"""

from typing import Final

from app.domain import events as kinds
from app.domain.targets import Target, Targets
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.hearing import Said
from app.pipeline.applying.told import DUPLICATE, POSTED, SUPERSEDED
from app.store.stock.cases import Case

A_COPY: Final = "the order is a test or another system's copy"


def tell(book: Casebook, said: Said) -> tuple[str, list[Case]]:
    """Take what the rules say of an order; return the verdict and the lines it changes."""
    event, owner = said.event, said.owner
    if owner is None or event.order is None:
        return SUPERSEDED, []
    row = book.row(owner, event.order)
    book.number(row, event.order_number)
    if event.quantity:
        said.verdict.note = A_COPY
    name = f"{kinds.IGNORED}:{event.fact or 0}"
    known = row.targets.get(name)
    told = Target(event.quantity, event.version, None, event.occurred_at)
    if known is not None and _weight(told) <= _weight(known):
        return DUPLICATE if told.version == known.version else SUPERSEDED, []
    row.targets[name] = told
    book.touch(row)
    marked = is_copy(row.targets)
    lines = [*book.lines(owner, event.order), *book.reported(row, owner)]
    changed = [line for line in lines if (kinds.IGNORED in line.targets) != marked]
    for line in changed:
        mark(line, is_a_copy=marked)
    return POSTED, changed


def is_copy(targets: Targets) -> bool:
    """Whether an order's own row says that it is a copy, by the newest rules."""
    told = [
        (int(name.partition(":")[2]), target.quantity)
        for name, target in targets.items()
        if name.startswith(f"{kinds.IGNORED}:")
    ]
    return bool(told) and max(told)[1] > 0


def mark(line: Case, *, is_a_copy: bool) -> None:
    """Let a line of an order count, or not."""
    if is_a_copy:
        line.targets[kinds.IGNORED] = Target(0, 0, None, 0)
    else:
        line.targets.pop(kinds.IGNORED, None)


def follow(book: Casebook, said: Said, line: Case) -> None:
    """Mark a new line when its order is known to be a copy.

    Others name that by its number; who does not say whose it is means the one channel's
    that has it.
    """
    if said.event.order is None or not book.knows_orders:
        return
    is_anyones = said.by_sku and said.owner is said.channel is not None
    rows = [row for row in book.around(line) if not row.line]
    if not is_anyones:
        rows = [row for row in rows if row.channel_id == line.channel_id]
    if any(is_copy(row.targets) for row in rows):
        mark(line, is_a_copy=True)


def note(said: Said, found: list[Case]) -> None:
    """Say of an event that it moves nothing for now."""
    for case in found:
        if kinds.IGNORED in case.targets and said.verdict.verdict == POSTED:
            said.verdict.note = A_COPY


def _weight(target: Target) -> tuple[int, int]:
    """Of two words in one version, that it is a copy."""
    return target.version, target.quantity

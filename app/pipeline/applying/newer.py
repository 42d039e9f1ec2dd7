"""Newer: which of two reports about one fact is the later word."""

from collections.abc import Sequence

from app.domain import events as kinds
from app.domain.instants import SECOND
from app.domain.targets import Target
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.hearing import Said
from app.pipeline.applying.parcels import is_taken_out
from app.pipeline.applying.told import DUPLICATE, QUARANTINED, SUPERSEDED
from app.pipeline.applying.traits import FROM_HOLDS
from app.store.stock.cases import Case


def is_past(book: Casebook, said: Said, found: Sequence[Case], name: str) -> bool:
    """Whether its source, or the order's channel, has since said more than this event
    knows."""
    event = said.event
    if event.scope == kinds.PARCEL:
        return is_taken_out(book, said, name)
    if event.kind in FROM_HOLDS and kinds.is_by_hold(event.version):
        placed = [case.targets.get(kinds.PLACED) for case in found]
        is_told = any(p and not kinds.is_by_hold(p.version) for p in placed)
        return is_told or (said.owner is not None and book.lacks(said.owner, event))
    return False


def units(book: Casebook, said: Said) -> int:
    """How many an event tells of: of a line that its order lost since, none.

    Such a line is known all the same, as it is when it was told before it was lost: what
    others report of its SKU is dealt out among the same lines.
    """
    event, channel = said.event, said.channel
    if channel is None or event.kind != kinds.PLACED or not book.lacks(channel, event):
        return event.quantity
    said.verdict.verdict = SUPERSEDED
    return 0


def judge(said: Said, known: Target, target: Target, *, is_another: bool) -> None:
    """The verdict on what has no higher version than what is known of its fact.

    It may say the same of another SKU or place.
    """
    verdict = said.verdict
    # Where a transfer goes to is judged by its word, not by what that means today.
    is_same = said.event.kind == kinds.TRANSFERRED or known.extra == target.extra
    differs = is_another or known.quantity != target.quantity or not is_same
    if differs and _ties(said, known, target):
        verdict.verdict = SUPERSEDED
        verdict.note = "told in the same second as another: read again"
        verdict.reread = said.event.order
    elif known.version > target.version:
        verdict.verdict = SUPERSEDED
    else:
        verdict.verdict = QUARANTINED if differs else DUPLICATE


def _ties(said: Said, known: Target, target: Target) -> bool:
    """Whether only the channel itself can say which of two reports is newer.

    A clock that ticks whole seconds cannot; and an event that a read sharpened is not
    a webhook's.
    """
    return (
        said.channel is not None
        and said.channel.rereads
        and said.event.order is not None
        and target.version % SECOND == 0
        and known.version - target.version < SECOND
    )

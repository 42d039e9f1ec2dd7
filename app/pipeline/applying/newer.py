"""Newer: which of two reports about one fact is the later word."""

from app.domain.instants import SECOND
from app.domain.targets import Target
from app.pipeline.applying.hearing import Said


def ties(said: Said, known: Target, target: Target) -> bool:
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
        and (known.quantity, known.extra) != (target.quantity, target.extra)
    )

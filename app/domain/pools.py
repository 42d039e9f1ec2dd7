"""Pools: several of our locations that are one of a channel's.

The channel does not say from which of them its units come: what it sells and promises
there is written down at the first, and may be taken from any.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

Link: TypeAlias = tuple[int, str]
"""One of our locations, and the channel's own id for it."""


def places(
    links: Iterable[Link], among: Collection[int] | None = None
) -> dict[str, tuple[int, ...]]:
    """The channel's own place → those of our locations (`among` these) that are there."""
    found: dict[str, tuple[int, ...]] = {}
    for location, external in links:
        if among is None or location in among:
            found[external] = (*found.get(external, ()), location)
    return found


def pools(channels: Iterable[Sequence[Link]]) -> dict[int, tuple[int, ...]]:
    """The first of several locations that are one of a channel's → all of them, by the
    links of every channel."""
    found: dict[int, set[int]] = {}
    for links in channels:
        for first, *others in places(links).values():
            if others:
                found.setdefault(first, {first}).update(others)
    return {first: tuple(sorted(pool)) for first, pool in found.items()}

"""Drift: a channel shows another number than it should. Why, before what to do.

Pure: one table of causes, in the order in which they are asked for; the first that fits
is the cause.
"""

from dataclasses import dataclass
from typing import Final

IN_FLIGHT: Final = "in_flight"
MAPPING: Final = "mapping"
LOST_EVENT: Final = "lost_event"
STALE_PUSH: Final = "stale_push"
FALSE_SUCCESS: Final = "false_success"
EDITED: Final = "edited"
UNKNOWN: Final = "unknown"

CAUSES: Final = {
    IN_FLIGHT: "on its way: our newest number has not been sent or answered yet",
    MAPPING: "the channel keeps no stock of this item there",
    LOST_EVENT: "a webhook was lost or late: its order has been read and applied now",
    STALE_PUSH: "our newest number was never sent",
    FALSE_SUCCESS: "the channel confirmed our number and did not take it",
    EDITED: "somebody changed the number on the channel",
    UNKNOWN: "nobody knows: not all of the channel's orders are known up to then",
}
"""Cause → the sentence that explains it."""

OVERRIDE: Final = "override"
ADOPT: Final = "adopt"
ASK: Final = "ask"
POLICIES: Final = (OVERRIDE, ADOPT, ASK)
"""Publish ours again · take theirs · let a person decide."""

PUBLISH: Final = "publish"
TAKE: Final = "take"
WAIT: Final = "wait"
LOOK: Final = "look"
NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """What is known of one number, at two moments around a reading of it."""

    theirs: int | None
    """What the channel was read to show; None: it keeps no stock of it."""
    desired: int
    """What it should show now."""
    accepted: int | None
    """The last number it took from us."""
    believed: tuple[int | None, int | None]
    """What we thought it shows, before the reading and after: its own sales and
    returns included as far as they were known then."""
    first: int | None
    """What we thought before the channel's orders were read."""
    before: int | None
    """What it was read to show before it took our last number."""
    is_wanted: bool
    """A newer number waits to be sent, or nobody knows what became of the last."""
    orders_read: bool
    """The channel's own orders are known past the reading, every line of them."""


def cause_of(one: Difference) -> str | None:
    """Why a channel shows what it shows; None when that is right."""
    if one.theirs is None:
        return MAPPING
    low, high = _known(one)
    is_explained = low is not None and high is not None and low <= one.theirs <= high
    if is_explained and one.theirs != one.first and one.first != one.believed[1]:
        return LOST_EVENT
    if one.theirs == one.desired:
        return None
    if one.accepted is None or low is None:
        return IN_FLIGHT
    if is_explained:
        return IN_FLIGHT if one.is_wanted or low != high else STALE_PUSH
    if one.is_wanted:
        return IN_FLIGHT
    if one.theirs == one.before and one.before != one.accepted:
        return FALSE_SUCCESS
    return EDITED if one.orders_read else UNKNOWN


def reply(
    cause: str, one: Difference, policy: str, *, is_settled: bool, can_take: bool
) -> str:
    """What is to be done at once about a number that a channel told by itself.

    `is_settled`: its orders had the time to explain the number, and do not. LOOK: they
    may still; nothing is sent until then.
    """
    if one.theirs is None or one.theirs == one.desired:
        return NOTHING
    if not is_settled and policy != OVERRIDE:
        return LOOK
    if not is_settled and one.theirs < one.desired:
        return NOTHING  # less can be said at any time; more might be a sold unit
    if cause == FALSE_SUCCESS:
        # It may be our last write that was not applied, or an edit back to before.
        return PUBLISH if policy == OVERRIDE else WAIT
    return _ruled(one, policy, can_take=can_take and one.orders_read)


def _ruled(
    one: Difference, policy: str, *, can_take: bool, is_told: bool = False
) -> str:
    """What the policy says to an edit; an implausible one waits for a person."""
    theirs, believed = one.theirs or 0, one.believed[1] or 0
    if policy == ASK or not (is_told or is_plausible(theirs, believed)):
        return WAIT
    if policy == ADOPT:
        return TAKE if can_take else WAIT
    return PUBLISH


def _known(one: Difference) -> tuple[int | None, int | None]:
    """The smaller and the larger number that we thought it shows."""
    before, after = one.believed
    if before is None or after is None:
        return None, None
    return min(before, after), max(before, after)


def is_plausible(theirs: int, believed: int) -> bool:
    """Whether a change made on the channel looks meant: not to nothing, not tenfold."""
    if theirs == 0 or believed == 0:
        return abs(theirs - believed) <= 1
    return theirs * 10 > believed and theirs < believed * 10


def deed(
    cause: str,
    one: Difference,
    policy: str,
    *,
    can_take: bool,
    is_told: bool = False,
) -> str:
    """What is to be done: PUBLISH ours, TAKE theirs, WAIT for a person, or NOTHING.

    `can_take`: their number can be read back into one location's stock. `is_told`: the
    policy is a person's word on these very numbers, who need not be asked again.
    """
    if cause in (IN_FLIGHT, LOST_EVENT):
        return NOTHING  # what was read and applied publishes itself
    if cause in (STALE_PUSH, FALSE_SUCCESS):
        return PUBLISH
    if cause == MAPPING or one.theirs is None:
        return WAIT
    # Less than it shows can be said at any time; more might be a sold unit.
    may_lower = policy == OVERRIDE and one.desired < one.theirs
    if cause == UNKNOWN and not (is_told or may_lower):
        return WAIT
    return _ruled(one, policy, can_take=can_take, is_told=is_told)

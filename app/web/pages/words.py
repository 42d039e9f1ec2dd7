"""Plain words for what is stored: states, errors, times of the ledger's entries."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import RowMapping

from app.domain import condition as how, events as kinds, instants, states as st
from app.domain.instants import Instant

MINUS: Final = "\N{MINUS SIGN}"


def number(value: int | None) -> str:
    """A number as people read it; a dash when nothing is known."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,}".replace("-", MINUS)


def units(count: int, one: str = "unit", many: str | None = None) -> str:
    """`1 unit`, `3 units`."""
    return f"{number(count)} {one if abs(count) == 1 else many or one + 's'}"


def signed(change: int) -> str:
    """A change with its sign."""
    return f"+{number(change)}" if change > 0 else number(change)


def day(instant: Instant) -> str:
    """A time for those without JavaScript: to the minute, in UTC."""
    return instants.to_datetime(instant).strftime("%Y-%m-%d %H:%M UTC")


def lasting(span: Instant) -> str:
    """About how long: `20 min`, `3 h`, `2 days`."""
    for size, name in ((instants.DAY, "day"), (instants.HOUR, "h")):
        if span >= 2 * size or (name == "h" and span >= size):
            amount = round(span / size)
            return units(amount, name) if name == "day" else f"{amount} {name}"
    return f"{max(1, round(span / instants.MINUTE))} min"


def about(seconds: float) -> str:
    """About how long something takes: `some seconds`, `about 3 min`."""
    if seconds < 10:
        return "some seconds"
    if seconds < 90:
        return f"about {math.ceil(seconds / 10) * 10} s"
    return f"about {lasting(int(seconds * instants.SECOND))}"


def pretty(document: str | None) -> str:
    """Stored JSON, laid out to be read; the text itself when it is none."""
    try:
        return json.dumps(json.loads(document or ""), indent=2, ensure_ascii=False)
    except ValueError:
        return document or ""


# -- deliveries --------------------------------------------------------------


TONES: Final = ("bad", "warn", "ok", "quiet")
"""A person must act · should look · all is well · nothing to see."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word for a state, what it means, and how loud it is (one of TONES)."""

    word: str
    tone: str
    meaning: str = ""


DELIVERY: Final[Mapping[str, Word]] = {
    "failed": Word("Failed", "bad", "Not tried again until you press Retry."),
    "retrying": Word("Retrying", "warn", "Failed before; tried again by itself."),
    "waiting": Word("Waiting", "quiet", "About to be sent."),
    "held": Word("Held", "warn", "Kept until the channel takes numbers again."),
    "settled": Word("Delivered", "ok", "The channel took the newest number."),
    "discarded": Word("Discarded", "quiet", "Left alone until stock changes again."),
}

ERRORS: Final[Mapping[str, str]] = {
    "RetryLater": "The channel was down or too busy",
    "GiveUp": "The channel refused this number",
    "CredentialsRefused": "The channel no longer accepts our credentials",
}
CAUSES: Final[Mapping[str, str]] = {
    "RetryLater": ERRORS["RetryLater"],
    "rate_limited": "\N{EN DASH} it wanted fewer calls",
    "timed_out": "\N{EN DASH} it did not answer in time",
    "unreachable": "\N{EN DASH} it could not be reached",
    "unavailable": "\N{EN DASH} it said that it failed",
    "GiveUp": ERRORS["GiveUp"],
}
"""What a list can be narrowed by; a dash: a part of what stands above."""
ADVICE: Final[Mapping[str, str]] = {
    "RetryLater": "Retry once it works again.",
    "GiveUp": "Correct the listing there or here, then retry.",
    "CredentialsRefused": "Renew the secret on its page or in its file, then resume the channel.",
}

ATTEMPT: Final[Mapping[str, Word]] = {
    "sending": Word("Sending", "quiet", "On its way, or cut off: asked again soon."),
    "accepted": Word("Accepted", "ok", "The channel took it."),
    "partly": Word("Partly accepted", "warn", "The channel took some rows."),
    "refused": Word("Refused", "bad", "The channel will not take it as it is."),
    "rejected": Word("Refused", "bad", "The channel will not take it as it is."),
    "stale": Word(
        "Overtaken", "warn", "The channel showed another number than expected."
    ),
    "unsent": Word("Not sent", "quiet", "A neighbour in the same call was refused."),
    "retry": Word("Did not work", "warn", "Tried again later."),
    "unknown": Word("No answer", "warn", "It may or may not have arrived."),
}


RUN: Final[Mapping[str, Word]] = {
    "done": Word("Done", "ok"),
    "skipped": Word("Delivered meanwhile", "ok"),
    "sent": Word("On their way", "quiet"),
    "waits": Word("Still to come", "quiet"),
    "retrying": Word("Tried again by themselves", "warn"),
    "failed": Word("Failed again", "bad"),
    "cancelled": Word("Left as they were", "quiet"),
}
"""How far the rows of a run are."""


def problem(row: RowMapping) -> str:
    """Why a number is not there yet, in one sentence."""
    if row["error_class"]:
        return ERRORS.get(row["error_class"], "It did not work")
    return "" if not row["last_error"] else "It did not work"


def attempt(word: str | None) -> Word:
    """The word for an attempt's result."""
    return ATTEMPT.get(word or "", Word(word or "Not answered yet", "quiet"))


# -- channels ----------------------------------------------------------------


NEEDS_YOU: Final = Word("Needs you", "bad", "It answers, but some numbers failed.")

CHANNEL: Final[Mapping[str, Word]] = {
    how.DISCONNECTED: Word(
        "Disconnected", "bad", "It said good-bye. Connect it again."
    ),
    how.REFUSED: Word("Credentials refused", "bad", ADVICE["CredentialsRefused"]),
    how.PAUSED: Word("Paused", "warn", "Nothing is sent. Press Resume to go on."),
    how.RECOVERING: Word(
        "Recovering", "warn", "What happened there is read first; then numbers go on."
    ),
    how.HELD: Word(
        "Held", "bad", "Too many calls failed. Its numbers wait; we try by ourselves."
    ),
    how.ASKED: Word("Asked us to wait", "warn", "Sending goes on by itself."),
    how.FAILING: Word(
        "Not answering", "bad", "Tried again by itself until it answers."
    ),
    how.SLOW: Word("Slow", "warn", "Served apart, so that it slows no other channel."),
    how.LISTENING: Word(
        "Listens only", "quiet", "Tells us of sales; shows no numbers."
    ),
    how.HEALTHY: Word("Healthy", "ok", "Takes numbers as they change."),
}


def channel(row: RowMapping, now: Instant, failed: int = 0) -> Word:
    """How a channel is; `failed` numbers of it wait for a person."""
    state = how.condition(row, now)
    return NEEDS_YOU if failed and state == how.HEALTHY else CHANNEL[state]


_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
"""What stands in a browser's name for itself; the first that fits is the one."""


def browser(agent: str | None) -> str:
    """`Firefox on Windows`; the name a program gave itself when it is no browser."""
    told = agent or "Unknown browser"
    named = next((name for mark, name in _BROWSERS if mark in told), None)
    system = next((name for mark, name in _SYSTEMS if mark in told), None)
    return " on ".join(one for one in (named, system) if one) if named else told


# -- the inbox ---------------------------------------------------------------

MESSAGE: Final[Mapping[str, Word]] = {
    "parked": Word("Parked", "warn", "A line waits for a name we do not know yet."),
    "buried": Word("Buried", "bad", "Could not be read. Replay it once it can be."),
    "waiting": Word("Waiting", "quiet", "Its turn comes by itself."),
    "applied": Word("Applied", "ok", "It is in the ledger."),
    "ignored": Word("Ignored", "quiet", "It says nothing about stock."),
}

TOLD: Final[Mapping[str, str]] = {
    kinds.PLACED: "ordered",
    kinds.SHIPPED: "handed over",
    kinds.RELEASED: "cancelled",
    kinds.RETURNED: "come back",
    kinds.RECEIVED: "arrived",
    kinds.COUNTED: "counted",
    kinds.OBSERVED: "shown there",
}
"""What a line tells of its units; other kinds speak for themselves."""

# -- the ledger --------------------------------------------------------------

_MOVES: Final[Mapping[tuple[str, str], str]] = {
    (st.AVAILABLE, st.COMMITTED): "{n} sold, promised to {order}",
    (st.COMMITTED, st.AVAILABLE): "{n} taken back from {order}",
    (st.AVAILABLE, st.CUSTOMER): "{n} handed over, {order}",
    (st.CUSTOMER, st.AVAILABLE): "{n} came back, sellable again, {order}",
    (st.CUSTOMER, st.INSPECTION): "{n} came back, to be inspected, {order}",
    (st.CUSTOMER, st.DAMAGED): "{n} came back damaged, {order}",
    (st.SUPPLIER, st.AVAILABLE): "{n} received",
    (st.SUPPLIER, st.INSPECTION): "{n} received, to be inspected",
    (st.SUPPLIER, st.INCOMING): "{n} expected from the supplier",
    (st.INCOMING, st.AVAILABLE): "{n} arrived",
    (st.INCOMING, st.INSPECTION): "{n} arrived, to be inspected",
    (st.AVAILABLE, st.INCOMING): "{n} sent to {to}",
    (st.INCOMING, st.DAMAGED): "{n} arrived damaged",
    (st.INCOMING, st.VARIANCE): "{n} lost on the way",
    (st.INCOMING, st.SCRAP): "{n} destroyed on the way",
    (st.INCOMING, st.SUPPLIER): "{n} expected, but never came",
    (st.AVAILABLE, st.RESERVED): "{n} held",
    (st.RESERVED, st.AVAILABLE): "{n} no longer held",
    (st.RESERVED, st.COMMITTED): "{n} held before, now promised to {order}",
    (st.AVAILABLE, st.DAMAGED): "{n} found damaged",
    (st.AVAILABLE, st.SCRAP): "{n} thrown away",
    (st.AVAILABLE, st.VARIANCE): "{n} taken off",
    (st.VARIANCE, st.AVAILABLE): "{n} added",
    (st.INSPECTION, st.AVAILABLE): "{n} inspected, sellable again",
    (st.INSPECTION, st.DAMAGED): "{n} inspected, damaged",
    (st.INSPECTION, st.SCRAP): "{n} inspected, thrown away",
    (st.AVAILABLE, st.INSPECTION): "{n} set aside to be inspected",
}
_KINDS: Final[Mapping[tuple[str, str, str], str]] = {
    (kinds.SHIPPED, st.COMMITTED, st.AVAILABLE): "{n} picked for {order}",
    (kinds.RELEASED, st.COMMITTED, st.AVAILABLE): "{n} cancelled, {order}",
    (kinds.ROUTED, st.COMMITTED, st.AVAILABLE): "{n} moved on, {order}",
    (kinds.ROUTED, st.AVAILABLE, st.COMMITTED): "{n} assigned here, {order}",
    (kinds.SHIPPED, st.CUSTOMER, st.AVAILABLE): "{n} not shipped after all, {order}",
    (kinds.COUNTED, st.AVAILABLE, st.VARIANCE): "Counted: {n} fewer than thought",
    (kinds.COUNTED, st.VARIANCE, st.AVAILABLE): "Counted: {n} more than thought",
    (kinds.RETURNED, st.COMMITTED, st.AVAILABLE): "{n} never went out, {order}",
}


def entry(row: RowMapping, details: Mapping[str, Any]) -> str:
    """What a ledger entry says, as somebody in the shop would."""
    move = (row["from_state"], row["to_state"])
    form = _KINDS.get((row["kind"], *move)) or _MOVES.get(move)
    if form is None:
        form = f"{{n}} moved from {row['from_state']} to {row['to_state']}"
    order = details.get("order_number") or details.get("order")
    text = form.format(
        n=number(row["quantity"]),
        order=f"order {order}" if order else "an order",
        to=row["to_location"] or "another location",
    )
    return text.removesuffix(", an order")


def effect(row: RowMapping) -> int:
    """What a ledger entry does to the units that may be sold."""
    into, out = row["to_state"] == st.AVAILABLE, row["from_state"] == st.AVAILABLE
    return int(row["quantity"]) * (int(into) - int(out))

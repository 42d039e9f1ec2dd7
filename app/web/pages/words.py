"""Plain words for what is stored: states, errors, names, spans of time."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape
from sqlalchemy.engine import RowMapping

from app.domain import condition as how, events as kinds, instants
from app.domain.instants import Instant
from app.web.texts import gettext, lazy, ngettext, number


def units(count: int) -> str:
    """`1 unit`, `3 units`."""
    return ngettext("%(num)s unit", "%(num)s units", count)


def signed(change: int) -> str:
    """A change with its sign."""
    return f"+{number(change)}" if change > 0 else number(change)


def day(instant: Instant) -> str:
    """A time for those without JavaScript: to the minute, in UTC."""
    return instants.to_datetime(instant).strftime("%Y-%m-%d %H:%M UTC")


_WRITTEN: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def timed(sentence: str) -> Markup:
    """A sentence that is the API's as well: its times read as all others here do."""
    return Markup(_WRITTEN.sub(_time, str(escape(sentence))))


def _time(found: re.Match[str]) -> str:
    try:
        said = day(instants.parse(found[0]))
    except ValueError:  # a name that only looks like a time
        return found[0]
    return f'<time datetime="{found[0]}" data-time="clock">{said}</time>'


def lasting(span: Instant) -> str:
    """About how long: `20 min`, `3 h`, `2 days`."""
    if span >= 2 * instants.DAY:
        return ngettext("%(num)s day", "%(num)s days", round(span / instants.DAY))
    if span >= instants.HOUR:
        return gettext("%(n)s h", n=round(span / instants.HOUR))
    return gettext("%(n)s min", n=max(1, round(span / instants.MINUTE)))


def about(seconds: float) -> str:
    """About how long something takes: `some seconds`, `about 3 min`."""
    if seconds < 10:
        return gettext("some seconds")
    if seconds < 90:
        return gettext("about %(n)s s", n=math.ceil(seconds / 10) * 10)
    return gettext("about %(span)s", span=lasting(int(seconds * instants.SECOND)))


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
    "failed": Word(
        lazy("Failed"), "bad", lazy("Not tried again until you press Retry.")
    ),
    "retrying": Word(
        lazy("Retrying"), "warn", lazy("Failed before; tried again by itself.")
    ),
    "waiting": Word(lazy("Waiting"), "quiet", lazy("About to be sent.")),
    "held": Word(
        lazy("Held"), "warn", lazy("Kept until the channel takes numbers again.")
    ),
    "settled": Word(
        lazy("Delivered"), "ok", lazy("The channel took the newest number.")
    ),
    "discarded": Word(
        lazy("Discarded"), "quiet", lazy("Left alone until stock changes again.")
    ),
}

ERRORS: Final[Mapping[str, str]] = {
    "RetryLater": lazy("The channel was down or too busy"),
    "GiveUp": lazy("The channel refused this number"),
    "CredentialsRefused": lazy("The channel no longer accepts our credentials"),
}
CAUSES: Final[Mapping[str, str]] = {
    "RetryLater": ERRORS["RetryLater"],
    "rate_limited": lazy("\N{EN DASH} it wanted fewer calls"),
    "timed_out": lazy("\N{EN DASH} it did not answer in time"),
    "unreachable": lazy("\N{EN DASH} it could not be reached"),
    "unavailable": lazy("\N{EN DASH} it said that it failed"),
    "GiveUp": ERRORS["GiveUp"],
}
"""What a list can be narrowed by; a dash: a part of what stands above."""
ADVICE: Final[Mapping[str, str]] = {
    "RetryLater": lazy("Retry once it works again."),
    "GiveUp": lazy("Correct the listing there or here, then retry."),
    "CredentialsRefused": lazy(
        "Renew the secret on its page or in its file, then resume the channel."
    ),
}

ATTEMPT: Final[Mapping[str, Word]] = {
    "sending": Word(
        lazy("Sending"), "quiet", lazy("On its way, or cut off: asked again soon.")
    ),
    "accepted": Word(lazy("Accepted"), "ok", lazy("The channel took it.")),
    "partly": Word(
        lazy("Partly accepted"), "warn", lazy("The channel took some rows.")
    ),
    "refused": Word(
        lazy("Refused"), "bad", lazy("The channel will not take it as it is.")
    ),
    "rejected": Word(
        lazy("Refused"), "bad", lazy("The channel will not take it as it is.")
    ),
    "stale": Word(
        lazy("Overtaken"),
        "warn",
        lazy("The channel showed another number than expected."),
    ),
    "unsent": Word(
        lazy("Not sent"), "quiet", lazy("A neighbour in the same call was refused.")
    ),
    "retry": Word(lazy("Did not work"), "warn", lazy("Tried again later.")),
    "unknown": Word(lazy("No answer"), "warn", lazy("It may or may not have arrived.")),
}


RUN: Final[Mapping[str, Word]] = {
    "done": Word(lazy("Done"), "ok"),
    "skipped": Word(lazy("Delivered meanwhile"), "ok"),
    "sent": Word(lazy("On their way"), "quiet"),
    "waits": Word(lazy("Still to come"), "quiet"),
    "retrying": Word(lazy("Tried again by themselves"), "warn"),
    "failed": Word(lazy("Failed again"), "bad"),
    "cancelled": Word(lazy("Left as they were"), "quiet"),
}
"""How far the rows of a run are."""


_FAILED: Final = lazy("It did not work")


def problem(row: RowMapping) -> str:
    """Why a number is not there yet, in one sentence."""
    if row["error_class"]:
        return ERRORS.get(row["error_class"], _FAILED)
    return "" if not row["last_error"] else _FAILED


def attempt(word: str | None) -> Word:
    """The word for an attempt's result."""
    return ATTEMPT.get(word or "", Word(word or lazy("Not answered yet"), "quiet"))


# -- channels ----------------------------------------------------------------


NEEDS_YOU: Final = Word(
    lazy("Needs you"), "bad", lazy("It answers, but some numbers failed.")
)

CHANNEL: Final[Mapping[str, Word]] = {
    how.DISCONNECTED: Word(
        lazy("Disconnected"), "bad", lazy("It said good-bye. Connect it again.")
    ),
    how.REFUSED: Word(lazy("Credentials refused"), "bad", ADVICE["CredentialsRefused"]),
    how.PAUSED: Word(
        lazy("Paused"), "warn", lazy("Nothing is sent. Press Resume to go on.")
    ),
    how.RECOVERING: Word(
        lazy("Recovering"),
        "warn",
        lazy("What happened there is read first; then numbers go on."),
    ),
    how.HELD: Word(
        lazy("Held"),
        "bad",
        lazy("Too many calls failed. Its numbers wait; we try by ourselves."),
    ),
    how.ASKED: Word(
        lazy("Asked us to wait"), "warn", lazy("Sending goes on by itself.")
    ),
    how.FAILING: Word(
        lazy("Not answering"), "bad", lazy("Tried again by itself until it answers.")
    ),
    how.SLOW: Word(
        lazy("Slow"), "warn", lazy("Served apart, so that it slows no other channel.")
    ),
    how.LISTENING: Word(
        lazy("Listens only"), "quiet", lazy("Tells us of sales; shows no numbers.")
    ),
    how.HEALTHY: Word(lazy("Healthy"), "ok", lazy("Takes numbers as they change.")),
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
    told = agent or gettext("Unknown browser")
    named = next((name for mark, name in _BROWSERS if mark in told), None)
    system = next((name for mark, name in _SYSTEMS if mark in told), None)
    if not named or not system:
        return named or told
    return gettext("%(browser)s on %(system)s", browser=named, system=system)


# -- the inbox ---------------------------------------------------------------

MESSAGE: Final[Mapping[str, Word]] = {
    "parked": Word(
        lazy("Parked"), "warn", lazy("A line waits for a name we do not know yet.")
    ),
    "buried": Word(
        lazy("Buried"), "bad", lazy("Could not be read. Replay it once it can be.")
    ),
    "waiting": Word(lazy("Waiting"), "quiet", lazy("Its turn comes by itself.")),
    "applied": Word(lazy("Applied"), "ok", lazy("It is in the ledger.")),
    "ignored": Word(
        lazy("Ignored"),
        "quiet",
        lazy("It says nothing about stock, or somebody dismissed it."),
    ),
}

TOLD: Final[Mapping[str, str]] = {
    kinds.PLACED: lazy("ordered"),
    kinds.SHIPPED: lazy("handed over"),
    kinds.RELEASED: lazy("cancelled"),
    kinds.RETURNED: lazy("come back"),
    kinds.RECEIVED: lazy("arrived"),
    kinds.COUNTED: lazy("counted"),
    kinds.OBSERVED: lazy("shown there"),
}
"""What a line tells of its units; other kinds speak for themselves."""

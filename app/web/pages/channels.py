"""`/channels`: how each channel is, and the buttons Pause and Resume."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.engine import Connection, RowMapping

import adapters
from app.domain import instants
from app.domain.errors import UnknownName
from app.domain.instants import Instant
from app.store.configuration import channels as store
from app.store.engine import writing
from app.store.people import deeds
from app.store.people.people import OPERATOR
from app.store.publishing import deliveries, tallies
from app.store.watching import overview
from app.web import login
from app.web.hub import hub
from app.web.pages import words
from app.web.pages.frame import back, pages
from app.web.texts import gettext, lazy


@dataclass(frozen=True, slots=True)
class Card:
    """One channel with what is known of it."""

    row: RowMapping
    word: words.Word
    behind: Mapping[str, int]
    """State → how many numbers."""
    delivered: int
    """Numbers that it took in the last 24 hours."""
    refused: list[RowMapping]
    webhook_url: str
    title: str
    """Its provider's name, in the provider's own spelling."""
    may_publish: bool
    """Its provider takes numbers."""


REFUSED = {
    "signature": lazy(
        "with a signature that none of our secrets made. Was it rotated?"
    ),
    "stale": lazy("signed too long ago. Is the sender's clock right?"),
    "missing_header": lazy("without a header that the provider always sends."),
    "too_large": lazy("larger than allowed."),
    "no_such_channel": lazy("for a channel that does not exist."),
}


@pages.get("/channels")
def channels() -> ResponseReturnValue:
    """Show every channel."""
    now = instants.now()
    with hub().engine.connect() as connection:
        listed = store.rows(connection)
        counts = overview.counts(connection, now)
        refused = _refused(connection)
        hours = tallies.hours(connection, now)
    cards = [
        _card(row, counts, hours.get(row["id"], []), refused[row["key"]], now)
        for row in listed
    ]
    cards.sort(key=lambda card: words.TONES.index(card.word.tone))
    return render_template(
        "channels.html", now=now, cards=cards, refused=REFUSED, strangers=refused["?"]
    )


def _card(
    row: RowMapping,
    counts: Mapping[tuple[str, str], int],
    hours: Sequence[tuple[int, int]],
    refused: list[RowMapping],
    now: Instant,
) -> Card:
    key = row["key"]
    is_known = row["provider"] in adapters.names()
    kind = adapters.get(row["provider"]) if is_known else None
    behind = {state: counts.get((key, state), 0) for state in deliveries.STATES}
    return Card(
        row,
        words.channel(row, now, behind[deliveries.FAILED]),
        behind,
        sum(done for done, _ in hours),
        refused,
        f"{hub().settings.public_url}/webhooks/{key}",
        row["provider"] if kind is None else kind.title,
        kind is not None and kind.publishes,
    )


def _refused(connection: Connection) -> Mapping[str, list[RowMapping]]:
    by_channel: dict[str, list[RowMapping]] = defaultdict(list)
    for row in overview.refusals(connection):
        by_channel[row["channel"]].append(row)
    return by_channel


@pages.post("/channels/<key>/pause")
@login.needs(OPERATOR)
def pause(key: str) -> ResponseReturnValue:
    """Stop sending numbers to a channel."""
    reason = request.form.get("reason", "").strip()[:200]
    now = instants.now()
    said = reason or f"paused by {current_user.email}"
    _set(key, "pause", lambda connection: store.pause(connection, key, said, now))
    told = gettext(
        "%(key)s is paused. Its webhooks are still taken in; its numbers wait.", key=key
    )
    return back(url_for("pages.channels"), told)


@pages.post("/channels/<key>/resume")
@login.needs(OPERATOR)
def resume(key: str) -> ResponseReturnValue:
    """Send numbers again, the newest ones."""
    now = instants.now()
    _set(key, "resume", lambda connection: store.resume(connection, key, now))
    hub().bell.wake(f"outbound:{key}")
    hub().bell.wake(f"fetch:{key}")
    told = gettext("%(key)s is sent its newest numbers again, as of now.", key=key)
    return back(url_for("pages.channels"), told)


def _set(key: str, action: str, change: Any) -> None:
    try:
        with writing(hub().engine) as connection:
            change(connection)
            deeds.note(connection, current_user.email, action, key, instants.now())
    except UnknownName:
        abort(404)

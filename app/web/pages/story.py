"""The story of one number, newest first: what came in, what it did to the ledger, every
attempt to tell the channel, what the channel was then seen to show."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store.keyset import Page, Position
from app.store.receiving import traces
from app.store.stock import history
from app.store.watching import overview
from app.web.pages import entries, words
from app.web.pages.rows import Delivery
from app.web.texts import gettext

MOST: Final = 40
"""Attempts a page, and ledger entries beside them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened."""

    at: Instant
    order: int
    """Of things at one time, the later one is told first."""
    kind: str
    """`came`, `entry`, `attempt` or `seen`."""
    row: Any
    says: str = ""
    effect: int = 0
    word: words.Word | None = None


def tell(
    connection: Connection, one: Delivery, after: Position | None = None
) -> Page[Step]:
    """The newest steps, or those before; a page is as long as its attempts are."""
    tried = overview.attempts(connection, one.id, limit=MOST, after=after)
    steps = [*map(_attempt, tried)]
    if after is None:
        steps += [*_seen(one), *_ledger(connection, one)]
    if tried.next is not None:
        # Older things belong to the page with the older attempts.
        oldest = min(row["started_at"] for row in tried)
        steps = [step for step in steps if step.at >= oldest]
    return tried.of(sorted(steps, key=lambda step: (-step.at, -step.order)))


def _attempt(row: RowMapping) -> Step:
    word = words.attempt(row["verdict"] or row["result"])
    return Step(row["started_at"], 2, "attempt", row, word=word)


def _seen(one: Delivery) -> Iterator[Step]:
    if one.observed_at is not None:
        yield Step(one.observed_at, 3, "seen", one.row)


def _ledger(connection: Connection, one: Delivery) -> Iterator[Step]:
    found = history.page(connection, one.sku_id, limit=MOST)
    ids = {row["event_id"] for row in found}
    details = overview.event_details(connection, ids)
    for row, is_again in entries.told(found):
        told = json.loads(details.get(row["event_id"], "{}"))
        says, effect = entries.says(row, told), entries.effect(row, is_again=is_again)
        yield Step(row["recorded_at"], 1, "entry", row, says, effect)
    for row in traces.messages_of(connection, ids):
        yield Step(row["received_at"], 0, "came", row, word=words.MESSAGE[row["state"]])


def curls(one: Delivery, address: str) -> Sequence[tuple[str, str]]:
    """What a program would send to learn more, or to try again: (what for, command).

    The token is the caller's own: no secret stands in a page.
    """
    api = f"{address}/api/v1"
    sku = quote(one.sku, safe="")
    why = f"{api}/stock/{sku}/explain?{urlencode({'channel': one.channel})}"
    again = f"{api}/publications/retry"
    body = json.dumps({"ids": [one.id]})
    post = f"curl -X POST {_AS_YOU} -H 'Content-Type: application/json'"
    return (
        (gettext("Why this number"), f"curl {_AS_YOU} {shlex.quote(why)}"),
        (
            gettext("Send it again"),
            f"{post} -d {shlex.quote(body)} {shlex.quote(again)}",
        ),
    )


_AS_YOU: Final = '-H "Authorization: Bearer $TOKEN"'

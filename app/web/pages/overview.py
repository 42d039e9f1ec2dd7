"""`/`: what is wrong, what it means for which products, and what to press."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.engine import Connection, RowMapping

from app.domain import instants
from app.domain.budget import Budget
from app.domain.instants import Instant
from app.pipeline.applying import oversells
from app.store.configuration import channels as channel_store
from app.store.publishing import deliveries, tallies
from app.store.publishing.deliveries import UNDELIVERED, Filter
from app.store.receiving import messages
from app.store.watching import clock, overview as store, rounds, unheard, watchlist
from app.web.hub import hub
from app.web.pages import cases, charts, issues, risks, rows, words
from app.web.pages.frame import pages
from app.web.pages.rows import Delivery
from app.web.pages.todo import Seen

LOOKED_AT = 500
"""How many of the most urgent deliveries are weighed for the risk on top."""
WORST = 500
"""How many oversold products are."""
NAMED = 50
"""How many numbers at risk are listed."""
LISTED = 200
"""How many incidents are told of, kind by kind."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The numbers on top."""

    at_risk: int
    """Units that channels offer too many, or that are promised twice."""
    is_at_least: bool
    """More is undelivered than was weighed."""
    misplaced: int
    """Units that are missing where they are promised, but free at another place."""
    incidents: int
    """Open, and not put off until later."""
    failed: int
    waiting: int
    held: int
    overdue: Instant | None
    delivered: int


@dataclass(frozen=True, slots=True)
class Tile:
    """One channel on the overview."""

    key: str
    provider: str
    word: words.Word
    behind: int
    """Numbers not delivered yet."""
    failed: int
    held_until: Instant | None
    """When a channel that asked us to wait is sent numbers again."""
    budget: int | None
    """Per cent of its call budget that is left; None: its provider tells nothing."""
    bars: list[charts.Bar]
    """What was delivered in each of the last 24 hours."""
    delivered: int


@pages.get("/")
def overview() -> ResponseReturnValue:
    """Show the dashboard."""
    now, look = instants.now(), Filter(UNDELIVERED)
    with hub().engine.connect() as connection:
        urgent = rows.read(
            connection, store.undelivered(connection, look, now, limit=LOOKED_AT), now
        )
        risky = risks.find(connection, urgent, now)
        state = _state(connection, urgent, now)
    return render_template(
        "overview.html", now=now, risks=risky[:NAMED], risky=len(risky), **state
    )


def _state(
    connection: Connection, urgent: list[Delivery], now: Instant
) -> dict[str, Any]:
    counts = store.counts(connection, now)
    listed = channel_store.rows(connection)
    hours = tallies.hours(connection, now)
    oversold = store.oversold(connection, limit=WORST)
    seen = Seen(
        urgent=urgent,
        oversold=oversold,
        channels=listed,
        failures=store.failures(connection, now),
        inbox=messages.counts(connection),
        incidents=_incidents(connection, now),
        astray=clock.astray(connection, now),
        unheard=unheard.listed(connection),
        is_silent=rounds.is_silent(connection),
        now=now,
    )
    found = issues.find(seen)
    strip = _strip(connection, counts, hours, seen)
    return {
        "tiles": [_tile(row, counts, hours.get(row["id"], []), now) for row in listed],
        "strip": strip,
        "issues": found,
        "verdict": issues.verdict(found, seen, behind=strip.waiting),
    }


def _incidents(connection: Connection, now: Instant) -> list[Mapping[str, Any]]:
    """Those that are open. Only one that is alone of its kind is told word by word, so
    only that is worked out anew."""
    found = watchlist.listed(connection, "open", now, limit=LISTED)
    often = Counter(row["kind"] for row in found)
    alone = [row for row in found if often[row["kind"]] == 1]
    alike = [dict(row) for row in found if often[row["kind"]] > 1]
    return [*oversells.up_to_date(connection, alone, now), *alike]


def _strip(
    connection: Connection,
    counts: Mapping[tuple[str, str], int],
    hours: Mapping[int, list[tuple[int, int]]],
    seen: Seen,
) -> Strip:
    by_state = {
        state: sum(n for (_, word), n in counts.items() if word == state)
        for state in deliveries.STATES
    }
    twice = {row["sku"]: int(row["units"]) for row in seen.oversold}
    return Strip(
        at_risk=rows.excess(risks.exposed(seen.urgent, seen.now)) + sum(twice.values()),
        is_at_least=len(seen.urgent) == LOOKED_AT or len(seen.oversold) == WORST,
        misplaced=_misplaced(seen.incidents, twice),
        incidents=watchlist.count_awake(connection, seen.now),
        failed=by_state[deliveries.FAILED],
        waiting=by_state[deliveries.WAITING] + by_state[deliveries.RETRYING],
        held=by_state[deliveries.HELD],
        overdue=deliveries.oldest_due(connection, seen.now),
        delivered=sum(done for line in hours.values() for done, _ in line),
    )


def _misplaced(incidents: Sequence[Mapping[str, Any]], twice: Mapping[str, int]) -> int:
    """What oversells are about beyond what is missing in all: `twice`, SKU → units."""
    short = (row for row in incidents if row["kind"] == oversells.KIND)
    return sum(max(0, cases.units(row) - twice.get(row["subject"], 0)) for row in short)


def _tile(
    row: RowMapping,
    counts: Mapping[tuple[str, str], int],
    hours: list[tuple[int, int]],
    now: Instant,
) -> Tile:
    key = row["key"]
    budget = Budget.of(row["budget"])
    failed = counts.get((key, deliveries.FAILED), 0)
    return Tile(
        key,
        row["provider"],
        words.channel(row, now, failed),
        sum(counts.get((key, state), 0) for state in deliveries.URGENCY),
        failed,
        row["held_until"] if (row["held_until"] or 0) > now else None,
        round(100 * budget.at(now) / budget.size) if budget and budget.size else None,
        charts.spark(hours),
        sum(done for done, _ in hours),
    )

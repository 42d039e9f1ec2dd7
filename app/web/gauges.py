"""What an operator needs to see, read from the database at the moment of a scrape.

Per channel: how far it is behind and what that risks (exposure), whether it is held,
what came of every call, what is left of its call budget. Labels are closed sets and
channel keys.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from sqlalchemy.engine import Connection, RowMapping

from app.domain import drift
from app.domain.budget import Budget
from app.domain.instants import SECOND, Instant
from app.store.configuration import channels
from app.store.publishing import tallies
from app.store.receiving import messages
from app.store.watching import clock, gauges as store, overview, rounds

Labelled = Iterable[tuple[tuple[str, ...], float]]


def measured(connection: Connection, now: Instant) -> Iterator[Metric]:
    """Every gauge and counter that the database knows."""
    rows = channels.rows(connection)
    yield from _inbox(connection, now)
    keys = [row["key"] for row in rows]
    yield from _behind(connection, keys, now)
    yield from _channels(rows, now)
    counted = tallies.all_of(connection)
    yield from _calls(counted)
    yield _delays(counted, keys)
    yield _drifts(counted, keys)
    yield _gauge(
        "onecount_scheduler_silent_seconds",
        "How long ago a round of the scheduler was over; noted every ten seconds",
        (),
        [((), rounds.silence(connection) / SECOND)],
    )
    yield _gauge(
        "onecount_clock_behind_seconds",
        "How far this machine's clock is behind those of all channels; negative: ahead",
        (),
        [((), clock.astray(connection, now) / SECOND)],
    )
    yield _gauge(
        "onecount_incidents_open",
        "What a person should look at, by kind",
        ("kind",),
        [((kind,), n) for kind, n in sorted(store.open_incidents(connection).items())],
    )


def _inbox(connection: Connection, now: Instant) -> Iterator[Metric]:
    yield _gauge(
        "onecount_inbox_messages",
        "Webhooks that are not done, by channel and state",
        ("channel", "state"),
        [
            ((row["channel"], row["state"]), row["messages"])
            for row in store.inbox_counts(connection)
        ],
    )
    yield _gauge(
        "onecount_inbox_oldest_waiting_seconds",
        "Age of the oldest webhook not applied yet",
        (),
        [((), _age(now, messages.oldest_waiting(connection)))],
    )


def _behind(
    connection: Connection, keys: Iterable[str], now: Instant
) -> Iterator[Metric]:
    found = store.behind(connection, now)
    behind = {key: found.get(key, store.Behind()) for key in keys}
    channel = ("channel",)
    yield _gauge(
        "onecount_publications",
        "Publications that are not settled, by channel and state (held: its channel "
        "takes nothing now)",
        ("channel", "state"),
        sorted(overview.counts(connection, now).items()),
    )
    yield _gauge(
        "onecount_publications_oldest_overdue_seconds",
        "How long the oldest due publication could have been sent",
        channel,
        [((key,), _age(now, one.overdue_since)) for key, one in behind.items()],
    )
    yield _gauge(
        "onecount_publications_oldest_wanted_seconds",
        "Age of the oldest number not there yet, held and failed ones included",
        channel,
        [((key,), _age(now, one.wanted_since)) for key, one in behind.items()],
    )
    yield _gauge(
        "onecount_exposure_units",
        "Units channels show beyond those that may be sold: the risk of an oversell",
        channel,
        [((key,), one.exposure) for key, one in behind.items()],
    )
    yield _gauge(
        "onecount_exposed_publications",
        "Publications that show more than may be sold",
        channel,
        [((key,), one.exposed) for key, one in behind.items()],
    )


def _channels(rows: Iterable[RowMapping], now: Instant) -> Iterator[Metric]:
    listed = list(rows)
    named: Mapping[str, tuple[str, list[float | None]]] = {
        "onecount_channel_paused": (
            "Whether a person, refused credentials or a farewell stopped publishing",
            [float(bool(r["paused_at"] or r["disconnected_at"])) for r in listed],
        ),
        "onecount_channel_circuit_open": (
            "Whether too many calls failed in a row: the channel is held and probed",
            [float(r["tripped_at"] is not None) for r in listed],
        ),
        "onecount_channel_held_seconds": (
            "How long nothing is sent from now on, as the circuit or the provider says",
            [max(0, (r["held_until"] or 0) - now) / SECOND for r in listed],
        ),
        "onecount_channel_slow": (
            "Whether it timed out lately and is served by the slow queue",
            [float((r["slow_until"] or 0) > now) for r in listed],
        ),
        "onecount_channel_failures": (
            "Calls that failed in a row",
            [float(r["failures"]) for r in listed],
        ),
        "onecount_channel_last_answer_timestamp_seconds": (
            "When the channel last took a call",
            [r["answered_at"] and r["answered_at"] / SECOND for r in listed],
        ),
        "onecount_channel_call_budget_ratio": (
            "The share of the call budget that is left, where the provider tells it",
            [_left(r["budget"], now) for r in listed],
        ),
    }
    for name, (text, values) in named.items():
        pairs = zip(listed, values, strict=True)
        told = [((r["key"],), v) for r, v in pairs if v is not None]
        yield _gauge(name, text, ("channel",), told)


def _left(budget: str | None, now: Instant) -> float | None:
    told = Budget.of(budget)
    return None if told is None else told.at(now) / told.size


def _calls(rows: Iterable[RowMapping]) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "onecount_push_attempts",
        "Calls to channels: accepted, partly, refused, or the class of their error",
        labels=["channel", "result"],
    )
    wishes = CounterMetricFamily(
        "onecount_wishes",
        "Numbers to be shown: accepted, already_correct, superseded by a newer one, "
        "rejected, stale, unsent",
        labels=["channel", "outcome"],
    )
    seconds = CounterMetricFamily(
        "onecount_push_seconds", "Time spent in calls", labels=["channel"]
    )
    for row in rows:
        what, channel, times = row["what"], row["channel"], row["times"]
        if what == tallies.MILLISECONDS:
            seconds.add_metric([channel], times / 1000)
        elif what.startswith(tallies.ATTEMPT):
            attempts.add_metric([channel, what.removeprefix(tallies.ATTEMPT)], times)
        elif what.startswith(tallies.WISH):
            wishes.add_metric([channel, what.removeprefix(tallies.WISH)], times)
    yield from (attempts, wishes, seconds)


def _delays(rows: Iterable[RowMapping], channels: Iterable[str]) -> Metric:
    histogram = HistogramMetricFamily(
        "onecount_delivery_seconds",
        "From when a number was to be shown until its channel took it",
        labels=["channel"],
    )
    counted = {(row["channel"], row["what"]): row["times"] for row in rows}
    for key in channels:
        each = [counted.get((key, f"{tallies.DELAY}{b}"), 0) for b in tallies.BOUNDS]
        names = [*map(str, tallies.BOUNDS[:-1]), "+Inf"]
        buckets = list(zip(names, accumulate(each), strict=True))
        took = counted.get((key, tallies.DELAYED), 0) / 1000
        histogram.add_metric([key], buckets, took)
    return histogram


def _drifts(rows: Iterable[RowMapping], channels: Iterable[str]) -> Metric:
    """Counted from zero on: for Prometheus, what appears with thirty at once has not
    increased."""
    counted = {(channel, cause): 0 for channel in channels for cause in drift.CAUSES}
    for row in rows:
        if row["what"].startswith(tallies.DRIFT):
            cause = row["what"].removeprefix(tallies.DRIFT)
            counted[row["channel"], cause] = row["times"]
    counter = CounterMetricFamily(
        "onecount_drifts",
        "Numbers that a channel showed and should not have, by what caused it",
        labels=["channel", "cause"],
    )
    for labels, times in counted.items():
        counter.add_metric(labels, times)
    return counter


def _gauge(name: str, text: str, labels: tuple[str, ...], told: Labelled) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for values, number in told:
        gauge.add_metric(values, number)
    return gauge


def _age(now: Instant, since: Instant | None) -> float:
    return 0.0 if since is None else max(0, now - since) / SECOND

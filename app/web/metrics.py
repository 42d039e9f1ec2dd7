"""Metrics for Prometheus: counted while serving, or read from the database when asked.

Labels are closed sets and channel keys; nothing is counted per SKU.
"""

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.domain import instants
from app.web import gauges
from app.web.hub import hub

blueprint = Blueprint("metrics", __name__)

webhooks_stored = Counter(
    "onecount_webhooks_total", "Webhooks stored, new or known already", ["status"]
)
webhooks_refused = Counter(
    "onecount_webhooks_refused_total", "Webhooks refused, by cause", ["cause"]
)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Everything Prometheus may know."""
    shown = generate_latest(_counted()) + generate_latest(_stored(hub().engine))
    return Response(shown, content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    """What all processes counted; what this one did where they share nothing."""
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # no PROMETHEUS_MULTIPROC_DIR: one process
        return REGISTRY
    return registry


def _stored(engine: Engine) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(StoredNumbers(engine))
    return registry


class StoredNumbers(Collector):
    """Gauges read from the database at the moment of the scrape."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; `onecount_database_up` says why there may be no others."""
        up = GaugeMetricFamily("onecount_database_up", "Whether the database answers")
        try:
            found = list(self._read())
        except SQLAlchemyError:
            found = []
        up.add_metric([], 1 if found else 0)
        yield up
        yield from found

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def _read(self) -> Iterator[Metric]:
        with self._engine.connect() as connection:
            yield from gauges.measured(connection, instants.now())

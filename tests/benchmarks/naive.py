"""The design that offers itself: each webhook a job, each job a call to the channel.

Its Flask verifies and enqueues; RQ's SimpleWorker changes a row and tells the channel,
one after the other. `python -m tests.benchmarks.naive` works the queue off.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import requests
import rq
import sqlalchemy as sa
from flask import Flask, request
from redis import Redis
from rq.serializers import JSONSerializer

from adapters.signatures import SignedRequest, StandardWebhooks
from app.domain.instants import now
from app.store.engine import open_engine, writing
from config.settings import Settings
from tests.benchmarks import house as homes, servers

APP = "tests.benchmarks.naive:app"
CHANNEL = "NAIVE_CHANNEL"
"""The environment's word for where the channel is told."""

_TABLE = "CREATE TABLE naive_stock (sku text PRIMARY KEY, available bigint NOT NULL)"
_FILL = f"INSERT INTO naive_stock SELECT sku, {homes.IN_STOCK} FROM skus"
_SELL = sa.text(
    "UPDATE naive_stock SET available = available - :units WHERE sku = :sku "
    "RETURNING available"
)
app = Flask(__name__)


@app.post("/webhooks/<channel>")
def receive(channel: str) -> dict[str, str]:
    """Verify a sale and enqueue it."""
    body = request.get_data()
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = SignedRequest(headers, body, now())
    StandardWebhooks().verify(signed, [homes.SECRET])
    _queue().enqueue(sell, request.get_json(), result_ttl=0)
    return {"status": "queued"}


def sell(sale: dict[str, Any]) -> None:
    """Take the units off and tell the channel how many are left."""
    told = []
    with writing(_engine()) as connection:
        for line in sale["lines"]:
            given = {"sku": line["sku"], "units": line["quantity"]}
            left = connection.execute(_SELL, given).scalar_one()
            told.append({"sku": line["sku"], "available": left})
    answer = _session().post(os.environ[CHANNEL], json={"data": told}, timeout=10)
    answer.raise_for_status()


@contextmanager
def worked(engine: sa.Engine, env: dict[str, str]) -> Iterator[None]:
    """Its table filled and its worker at work."""
    with writing(engine) as connection:
        connection.exec_driver_sql(_TABLE)
        connection.exec_driver_sql(_FILL)
    with servers.running([(sys.executable, "-m", "tests.benchmarks.naive")], env):
        yield


@cache
def _settings() -> Settings:
    return Settings.from_env(os.environ)


@cache
def _queue() -> rq.Queue:
    redis = Redis.from_url(_settings().redis_url)
    return rq.Queue("naive", connection=redis, serializer=JSONSerializer)


@cache
def _engine() -> sa.Engine:
    return open_engine(_settings().database_url)


@cache
def _session() -> requests.Session:
    return requests.Session()


if __name__ == "__main__":
    queue = _queue()
    worker = rq.SimpleWorker(
        [queue], connection=queue.connection, serializer=JSONSerializer
    )
    worker.log_job_description = False
    worker.work(logging_level="WARNING")

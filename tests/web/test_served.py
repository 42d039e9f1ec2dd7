"""The web process as it really runs: gunicorn, sockets, bodies that go wrong."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from adapters.signatures import StandardWebhooks
from app.demo.hub import free_port
from app.demo.watch import within
from app.domain.instants import now
from app.procfile import ROOT
from app.store.engine import open_engine
from app.store.tables import inbox
from config.settings import Settings
from tests.builders import JACKET, SECRET, Shop, sale

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(_sqlite_template, tmp_path_factory) -> Iterator[Shop]:
    """A till, in a database for all tests here: they tell different things."""
    path = tmp_path_factory.mktemp("served") / "onecount.db"
    shutil.copy(_sqlite_template, path)
    shop = Shop(open_engine(f"sqlite:///{path}"))
    shop.locations("downtown")
    shop.channel("till")
    yield shop
    shop.receiver.close()
    shop.engine.dispose()


@pytest.fixture(scope="module")
def port(shop, valkey_server) -> Iterator[int]:
    with serving(shop, valkey_server) as port:
        yield port


@contextlib.contextmanager
def serving(shop: Shop, valkey_server, **given: str) -> Iterator[int]:
    folder = Path(shop.engine.url.database).parent
    settings = Settings(
        database_url=shop.engine.url.render_as_string(),
        redis_url=f"redis://{valkey_server.host}:{valkey_server.port}/0",
        data_dir=folder,
        secret_key="a secret key for tests",
        port=free_port(),
        max_body_bytes=2048,
    )
    log_path = folder / f"web-{settings.port}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py"),
                "app.factory:create_app()",
            ],
            cwd=ROOT,
            env={**os.environ, **settings.to_env(), **given},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            health = f"http://127.0.0.1:{settings.port}/healthz"
            is_up = within(90, lambda: requests.get(health, timeout=60).ok)
            assert is_up, log_path.read_text()
            yield settings.port
        finally:
            process.terminate()
            process.wait(timeout=30)


def fetched(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.read().decode()


def sent(port: int, *parts: bytes, ends: bool = False) -> tuple[int, dict]:
    """Send raw bytes; return the status and the JSON of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
            head, _, body = answer.partition(b"\r\n\r\n")
            with contextlib.suppress(ValueError):
                return int(head.split()[1]), json.loads(body)
    pytest.fail(f"no answer but {answer!r}")


def head(*lines: str) -> bytes:
    first = ("POST /webhooks/till HTTP/1.1", "Host: hub.example")
    return "\r\n".join((*first, *lines, "", "")).encode()


def signed(body: bytes, name: str = "msg_1") -> list[str]:
    headers = StandardWebhooks().sign(body, SECRET, now(), name)
    return [f"{name}: {value}" for name, value in headers.items()]


def test_a_chunked_webhook_is_stored_like_any_other(port, shop):
    body = json.dumps(sale("T-1", JACKET, 1, at=now())).encode()
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:])]

    status, answer = sent(
        port,
        head("Transfer-Encoding: chunked", *signed(body)),
        *chunks,
        b"0\r\n\r\n",
    )

    assert (status, answer["status"]) == (200, "accepted")
    with shop.engine.connect() as connection:
        same = inbox.c.delivery_id == "msg_1"
        stored = connection.execute(sa.select(inbox).where(same)).one()
    assert shop.vault.open(stored.body) == body


def test_an_announced_body_over_the_limit_is_refused_at_once(port, shop):
    status, answer = sent(port, head("Content-Length: 100000000"))

    assert status == 413
    assert "2048" in answer["detail"]


def test_an_endless_chunked_body_is_refused_at_the_limit(port, shop):
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"

    status, _ = sent(port, head("Transfer-Encoding: chunked"), chunk * 3)

    assert status == 413


def test_a_body_that_ends_too_early_is_400(port, shop):
    body = json.dumps(sale("T-1", JACKET, 1, at=now())).encode()
    told = head(f"Content-Length: {len(body)}", *signed(body, "msg_2"))

    status, _ = sent(port, told, body[:-5], ends=True)

    assert status == 400
    with shop.engine.connect() as connection:
        same = inbox.c.delivery_id == "msg_2"
        assert connection.execute(sa.select(inbox).where(same)).all() == []


@pytest.mark.parametrize("chunk", [b"zz\r\nhello", b"5\r\nhelloXX0\r\n\r\n"])
def test_a_broken_chunk_is_400(port, shop, chunk):
    status, _ = sent(port, head("Transfer-Encoding: chunked"), chunk, ends=True)

    assert status == 400


def test_metrics_add_up_over_all_workers(port, shop):
    for _ in range(12):
        sent(port, head("Content-Length: 2"), b"{}")

    line = 'onecount_webhooks_refused_total{cause="missing_header"} 12.0'
    for _ in range(6):
        assert line in fetched(port, "/metrics")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux waits for the request")
def test_connections_that_say_nothing_keep_nobody_waiting(port):
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        began = time.monotonic()
        fetched(port, "/healthz")

        assert time.monotonic() - began < 3


def test_what_a_worker_counts_has_its_room_on_the_disk_before(port, shop):
    """A hole in a mapped file ends the process that fills it while the disk is full."""
    folder = Path(shop.engine.url.database).parent / "metrics"

    files = list(folder.glob("counter_*.db"))

    assert len(files) == Settings.web_workers
    for file in files:
        assert file.stat().st_blocks * 512 >= file.stat().st_size > 0


def test_a_worker_that_cannot_count_serves_all_the_same(shop, valkey_server, tmp_path):
    body = json.dumps(sale("T-9", JACKET, 1, at=now())).encode()
    length = f"Content-Length: {len(body)}"
    nowhere = str(tmp_path / "nowhere")

    with serving(shop, valkey_server, PROMETHEUS_MULTIPROC_DIR=nowhere) as port:
        status, answer = sent(port, head(length, *signed(body, "msg_9")), body)
        refused, _ = sent(port, head(length, *signed(b"other", "msg_9")), body)

    assert (status, answer["status"]) == (200, "accepted")
    assert refused == 401

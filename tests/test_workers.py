"""Workers in processes of their own: whenever they are told to stop, they do."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from app.procfile import ROOT
from app.store.engine import writing
from app.store.tables import alerts, leases
from app.store.watching import rounds
from tests.hearing import hearing


def test_workers_that_are_only_just_started_hear_that_they_are_to_stop(
    tmp_path, eventually
) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ONECOUNT_")}
    told = {
        "ONECOUNT_DATA_DIR": str(tmp_path),
        "ONECOUNT_REDIS_URL": "redis://127.0.0.1:1/0",
        "ONECOUNT_OUTBOUND_WORKERS": "4",
    }
    workers = subprocess.Popen(
        [sys.executable, "-m", "workers.run", "outbound"],
        cwd=ROOT,
        env={**kept, **told},
        stderr=subprocess.DEVNULL,
    )
    family = psutil.Process(workers.pid)
    try:
        eventually(family.children)
        workers.send_signal(signal.SIGTERM)

        assert workers.wait(15) == 0
    finally:
        for process in (*family.children(), family) if workers.poll() is None else ():
            process.kill()
        workers.wait()


TOLD_AS_ONE_IS_STARTED = """
import os, signal
from workers import run

start = run._start

def start_late(*given):
    os.kill(os.getpid(), signal.SIGTERM)
    start(*given)

run._start = start_late
run.pool([run.OUTBOUND])
"""


def test_a_worker_that_is_started_as_the_others_are_told_to_stop_is_told_too(
    tmp_path,
) -> None:
    told = {
        "ONECOUNT_DATA_DIR": str(tmp_path),
        "ONECOUNT_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    workers = subprocess.Popen(
        [sys.executable, "-c", TOLD_AS_ONE_IS_STARTED],
        cwd=ROOT,
        env={**os.environ, **told},
        stderr=subprocess.DEVNULL,
    )
    try:
        assert workers.wait(30) == 0
    finally:
        workers.kill()
        workers.wait()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_inbound_worker_tells_that_the_scheduler_is_silent(
    engine, settings, eventually
) -> None:
    known = {"name": "silent:scheduler", "words": rounds.WORDS, "began_at": 1}
    with writing(engine) as connection:
        connection.execute(alerts.insert().values(known))
        long_ago = {"name": "scheduler", "holder": "scheduler", "until": 1}
        connection.execute(leases.insert().values(long_ago))
    with hearing() as listener:
        told = replace(settings, alerts=(listener.url,))
        worker = subprocess.Popen(
            [sys.executable, "-m", "workers.run", "inbound"],
            cwd=ROOT,
            env={**os.environ, **told.to_env()},
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: listener.heard, within=30)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(15) == 0
        finally:
            worker.kill()
            worker.wait()
    assert listener.heard == [("Onecount needs you", rounds.WORDS)]

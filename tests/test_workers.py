"""Workers in processes of their own: whenever they are told to stop, they do."""

import os
import signal
import subprocess
import sys

import psutil

from app.procfile import ROOT


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
